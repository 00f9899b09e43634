"""What is known of a feed, and what an import is to write."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from feeds.fetching import Failed, FeedRequest, Fetched, NotModified
from feeds.outcomes import Outcome
from feeds.parsing import ParsedEntry, ParsedFeed


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How all feeds are polled, by the names of the app's settings, which say what each means."""

    min_interval: int = 3600  # seconds, as the next two
    max_interval: int = 24 * 3600
    unconditional_interval: int = 24 * 3600
    redirect_checks: int = 3
    redirect_days: float = 7.0
    daily_entries: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """What is known of a feed's host."""

    name: str
    shared: bool = False  # may another feed be fetched from it?
    delay: float | None = None  # seconds between two requests, set by a person
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentState:
    """What is known of the last document of a feed; but for the first as in ParsedFeed."""

    listed: tuple[tuple[bytes, bytes], ...] = ()  # for each of its entries: its digest (or zeros), its guid digest
    ttl: int | None = None  # seconds
    update_period: int | None = None  # seconds
    skip_hours: int = 0
    skip_days: int = 0
    expired: bool = False

    @property
    def seen(self) -> frozenset[bytes]:
        """Return the digests of its entries."""
        return frozenset(digest for digest, _ in self.listed)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is known of the checks of a feed. The fields have the names of its columns."""

    created_at: datetime
    checked_at: datetime | None = None
    imported_at: datetime | None = None
    received_at: datetime | None = None  # when a whole document last came
    changed_at: datetime | None = None  # when a new entry was last seen
    claimed_at: datetime | None = None  # when the scheduler last sent it, if it was not checked since
    interval: int = 0  # seconds, learned; 0 = not known yet
    fixed_interval: int | None = None  # seconds, set by a person
    fetch_seconds: float | None = None  # that the last fetch took; None = there was none
    next_check_reason: str = ""
    unchanged_count: int = 0  # checks that found nothing new, since the last import that has a row in the history
    validators_ignored: int = 0  # conditional requests in a row that brought a whole document and nothing new
    import_count: int = 0  # rows that the history ever had


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """Failures in a row."""

    count: int = 0
    since: datetime | None = None
    kind: str = ""  # of the last one


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The new entries of a feed in the day that began with the first of them. Named as History is."""

    daily_entries: int | None = None  # set by a person; None = the setting, 0 = no limit
    day_began_at: datetime | None = None
    day_entries: int = 0
    left_out: int = 0  # of the last document


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectStreak:
    """A permanent redirect of a feed, seen by one successful check after the other.

    Or by none, if the feed was found on a page and never fetched: the next feed of that page.
    """

    url: str  # where it leads
    since: datetime
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """What is known of a feed when an import begins."""

    id: int
    url: str
    revision: int
    request: FeedRequest
    history: History
    document: DocumentState = field(default_factory=DocumentState)
    failures: Streak = field(default_factory=Streak)
    redirect: RedirectStreak | None = None
    budget: Budget = field(default_factory=Budget)
    host: HostState | None = None  # None = requests are not spaced
    found_on: str = ""  # the page, or the feed of another site, that led to this one; "" = a person gave its URL
    paused: bool = False  # by a person
    pruned: bool = False  # have entries been removed that must not come back?


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """How a check went, for people to read; it decides nothing."""

    asked_by: str = ""
    waited: float | None = None  # seconds between the request and the begin; None = it was not sent
    seconds: Mapping[str, float] = field(default_factory=dict)  # of dns, connect, first byte, body, parse, in turn
    status: int | None = None  # HTTP; None = no answer
    size: int = 0  # bytes of the document, decoded


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Under which a check took place."""

    started_at: datetime
    now: datetime
    jitter: float  # a random number in [0, 1)
    fetch_seconds: float | None = None
    outage: bool = False  # nothing at all can be reached: no fault of the feed
    trace: Trace = field(default_factory=Trace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A feed's new URL. The old one stays known as its alias."""

    url: str  # canonical
    reason: str  # for people
    found: bool = False  # on the page at the old URL
    other: str = ""  # of the feeds on that page the next, for where this one answers with an error
    across_sites: bool = False  # then nothing goes along that the new URL does not list itself
    public: bool = False  # the Internet has named it: what is private is not fetched there


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """What the database holds of an entry, as far as a plan needs it."""

    guid_digest: bytes
    content_digest: bytes = b""
    changes: int = 0  # how often it was rewritten
    url: str = ""
    title: str = ""
    published_at: datetime | None = None
    is_tombstone: bool = False  # pruned: only the identity is left, so that the entry does not come back


class EntryLookup(Protocol):
    """The stored entries of one feed."""

    def by_identity(self, guid_digests: Iterable[bytes]) -> Mapping[bytes, StoredEntry]:
        """Return what is stored under these identities, tombstones included."""

    def newest(self, count: int) -> Sequence[StoredEntry]:
        """Return the newest entries."""


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

    at: datetime | None  # None = never: the feed is disabled
    reason: str
    interval: int  # seconds, learned


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A host that asks to be left alone."""

    host: str
    feed_id: int  # of the feed that it answered
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """All that one import writes, decided."""

    feed: FeedState
    outcome: Outcome
    circumstances: Circumstances
    fetched: Fetched | NotModified | None = None
    parsed: ParsedFeed | None = None
    failure: Failed | None = None
    new: tuple[PlannedEntry, ...] = ()
    changed: tuple[PlannedEntry, ...] = ()
    listed: tuple[tuple[bytes, bytes], ...] = ()  # as in DocumentState, from now on
    next_check: NextCheck | None = None  # None = as it was
    disable: str = ""  # a reason = poll this feed no more
    pause: Pause | None = None  # of the whole host
    redirect: RedirectStreak | None = None  # to remember
    validators_ignored: int = 0  # as in History, from now on
    budget: Budget | None = None  # to remember; None = as it was
    move: Move | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What one import did."""

    feed_id: int  # 0 = it was deleted
    url: str
    outcome: Outcome
    new: int = 0
    changed: int = 0
    left_out: int = 0  # new entries over the budget of the day
    failure: Failed | None = None
    next_check: NextCheck | None = None
    slot: datetime | None = None  # postponed: come back then, with this slot; None = the schedule will
