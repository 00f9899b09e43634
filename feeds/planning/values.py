"""What is known of a feed, and what an import is to write."""

from dataclasses import dataclass
from datetime import datetime

from feeds.fetching import Failed, FeedRequest, Fetched, NotModified
from feeds.outcomes import Outcome
from feeds.parsing import ParsedEntry, ParsedFeed


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """What the database holds of a feed's host."""

    name: str
    shared: bool = False  # may another feed be fetched from it?
    delay: float | None = None  # seconds between two requests, set by a person
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectStreak:
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
class FeedState:
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
    host: HostState | None = None  # None = requests are not spaced
    sighting: RedirectStreak | None = None
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

    feed: FeedState
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
    sighting: RedirectStreak | None = None  # to remember
    move: Move | None = None
    fetch_seconds: float | None = None


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
