"""Values between the rooms. Frozen, and nothing but data."""

from dataclasses import dataclass

# Fetching


# Parsing


# Planning and storing


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """What a source of subscriptions holds that is no subscription."""

    source: str
    line: int = 0  # 0 = the whole source, or `why` says where
    text: str = ""
    why: str
