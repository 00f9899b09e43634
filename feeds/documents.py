"""Values between the rooms. Frozen, and nothing but data."""

from dataclasses import dataclass, field
from datetime import datetime

from feeds.fetching import Failed, FeedRequest, Fetched, NotModified
from feeds.outcomes import Outcome

# Fetching


# Parsing


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
    itunes: tuple[tuple[str, str], ...] = ()  # episode, season, duration, explicit … by name
    capped: bool = False  # a value was longer than we keep
    digest: bytes = field(default=b"", compare=False)  # its place in ParsedFeed.digests; b"" = none


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


# Planning and storing


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownHost:
    """What the database holds of a feed's host."""

    name: str
    shared: bool = False  # may another feed be fetched from it?
    gap: float | None = None  # seconds between two requests, set by a person
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A permanent redirect of a feed, seen by one successful check after the other."""

    url: str  # where it leads
    since: datetime
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The feed has a new URL. The old one stays known as its alias."""

    url: str  # canonical
    reason: str  # for people
    found: bool = False  # on the page at the old URL


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFeed:
    """What the database holds of a feed when an import begins."""

    id: int
    url: str
    revision: int
    request: FeedRequest
    paused: bool = False  # by a person
    expired: bool = False  # switched off since its document says that it will never change again
    seen: frozenset[bytes] = frozenset()  # the entry digests of the last stored document
    listed: tuple[tuple[bytes, bytes], ...] = ()  # for each of its entries: that digest (or zeros), its guid digest
    pruned: bool = False  # have entries been removed that must not come back?
    interval: int = 0  # seconds, the feed's own; 0 = not known yet
    fixed_interval: int | None = None  # seconds, set by a person
    ttl: int | None = None
    update_period: int | None = None
    skip_hours: int = 0
    skip_days: int = 0
    created_at: datetime
    checked_at: datetime | None = None
    imported_at: datetime | None = None
    changed_at: datetime | None = None  # when a new entry was last seen
    next_check_reason: str = ""
    claimed_at: datetime | None = None  # when import_due_feeds last sent it, if it was not checked since
    failures: int = 0  # in a row
    failing_since: datetime | None = None
    failure_kind: str = ""
    host: KnownHost | None = None  # None = requests are not spaced
    sighting: Sighting | None = None
    found_on: str = ""  # the page that led to this feed; "" = somebody gave its URL
    fetch_seconds: float | None = None  # that the last fetch took; None = there was none


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """What the database holds of an entry, as far as a plan needs it."""

    guid_digest: bytes
    content_digest: bytes = b""
    changes: int = 0  # how often it was rewritten
    url: str = ""
    title: str = ""
    published_at: datetime | None = None
    buried: bool = False  # pruned: nothing but the identity is left, so that it does not come back


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedEntry:
    """An entry, and every identity that it may be stored under."""

    entry: ParsedEntry
    names: tuple[bytes, ...]  # 16 bytes each; the first is the usual one, the last tells it from all others
    content_digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEntry:
    """An entry to write, under its identity."""

    guid_digest: bytes  # 16 bytes, unique in the feed
    content_digest: bytes  # 16 bytes over what a reader sees
    entry: ParsedEntry
    stored: StoredEntry | None = None  # None = it is new


@dataclass(frozen=True, slots=True, kw_only=True)
class NextCheck:
    """When to look again, and why, in words."""

    at: datetime | None  # None = never: the feed is off
    reason: str
    interval: int  # seconds, the feed's own from now on


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A host that wants to be left alone."""

    host: str
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """Everything one import will write, decided."""

    feed: KnownFeed
    outcome: Outcome
    started_at: datetime
    fetched: Fetched | NotModified | None = None
    parsed: ParsedFeed | None = None
    failure: Failed | None = None
    new: tuple[PlannedEntry, ...] = ()
    changed: tuple[PlannedEntry, ...] = ()
    listed: tuple[tuple[bytes, bytes], ...] = ()  # as in KnownFeed, from now on
    next_check: NextCheck
    switch_off: str = ""  # a reason = poll this feed no more
    charged: bool = True  # False: the failure is ours and does not count against the feed
    pause: Pause | None = None  # of the whole host
    sighting: Sighting | None = None  # to remember
    move: Move | None = None
    fetch_seconds: float | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What one import did."""

    feed_id: int  # 0 = it was deleted
    url: str
    outcome: Outcome
    new: int = 0
    changed: int = 0
    failure: Failed | None = None
    next_check: NextCheck | None = None
    slot: datetime | None = None  # delayed: come back then, and show it; None = the schedule will
