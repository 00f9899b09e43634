"""Values between the rooms. Frozen, and nothing but data."""

from dataclasses import dataclass

# Fetching


# Parsing


# Planning and storing


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A feed that somebody wants imported."""

    url: str  # canonical
    folder: str = ""  # nested folders joined by slashes
    title: str = ""  # as in OPML; what the feed says replaces it


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """What a source of subscriptions holds that is no subscription."""

    source: str
    line: int = 0  # 0 = the whole source, or `why` says where
    text: str = ""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """How many of the subscriptions were new."""

    added: int
    known: int
