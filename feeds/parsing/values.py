"""What a document says, as values that are safe to store."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from feeds.exceptions import FeedsError
from feeds.outcomes import FailureKind


class SandboxUnavailable(FeedsError):
    """No child could read a document, which is no fault of the document: trying again later may help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The bytes of a document, and what its server said of them.

    Inside of the parser, once it is decoded, the body is UTF-8. Content-Location is no base: RFC 7231 took that back.
    """

    url: str  # where it was found: what relative references go by where the document names nothing else
    body: bytes = field(repr=False)
    content_type: str = ""
    content_language: str = ""
    links: tuple[str, ...] = ()  # raw Link header values
    is_delta: bool = False  # a 226 (RFC 3229): what it does not list is not gone
    digests: tuple[bytes, ...] = ()  # of its entries, once it is split

    @property
    def is_json(self) -> bool:
        return self.body.startswith(b"{")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A feed as a page names it."""

    url: str  # canonical, without credentials
    type: str  # a key of FEED_TYPES, or JSON, of feeds.parsing.autodiscovery
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Why a document is no feed. `text` is for people; `links` are the feeds that it names, if it is a page."""

    kind: FailureKind
    text: str
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    name: str = ""
    email: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    term: str
    scheme: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    url: str
    type: str = ""
    length: int | None = None  # bytes; None = not said or not a number
    title: str = ""
    duration: int | None = None  # seconds
    description: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedEntry:
    """One entry. Texts are text, `summary` and `content` are safe HTML, URLs absolute http, https or mailto."""

    guid: str = ""  # as given, never resolved against a base; "" = none
    url: str = ""
    title: str = ""
    summary: str = ""
    content: str = ""
    authors: tuple[Person, ...] = ()
    categories: tuple[Category, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()
    published_at: datetime | None = None  # aware, UTC
    updated_at: datetime | None = None
    published_text: str = ""  # as written
    updated_text: str = ""
    language: str = ""
    rights: str = ""
    comments_url: str = ""
    source_title: str = ""
    source_url: str = ""
    image_url: str = ""
    itunes: tuple[tuple[str, Any], ...] = ()  # episode, transcripts …, and what has no other place, by name
    capped: bool = False  # a value was longer than we keep
    digest: bytes = field(default=b"", compare=False)  # one of ParsedFeed.digests; b"" = none


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFeed:
    """One document. Entries whose digest was seen before may be absent from `entries`, never from `digests`."""

    format: str = ""  # rss20, atom10, json11 …
    title: str = ""
    site_url: str = ""
    description: str = ""
    language: str = ""
    rights: str = ""
    authors: tuple[Person, ...] = ()
    image_url: str = ""
    icon_url: str = ""
    hubs: tuple[str, ...] = ()
    ttl: int | None = None  # seconds
    update_period: int | None = None  # seconds, of sy:updatePeriod and sy:updateFrequency
    skip_hours: int = 0  # bit n set = the hour n GMT is skipped
    skip_days: int = 0  # bit n set = the weekday n is skipped, Monday = 0
    expired: bool = False  # it says that it will never change again
    complete: bool = True  # False: a delta (226), or not all of the document was read
    cut_short: bool = False  # it ended in the middle: the rest may come with the next request
    entries: tuple[ParsedEntry, ...] = ()
    digests: tuple[bytes, ...] = ()  # 16 bytes per entry of the document; () = the document could not be split
