"""The figures of the status page, at any number of feeds by an index each: the queries are as many for a million."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connections
from django.db.models import Count, Q, QuerySet

from feeds.clock import aware
from feeds.databases import primary_database
from feeds.managers import LATE
from feeds.models import Feed, Host, Import, Minute
from feeds.outcomes import FailureKind

MOST_COUNTED = 10_000  # of feeds that are due or late; above it nobody wants to know better
ESTIMATED = 100_000  # from so many rows on PostgreSQL's own estimate does
DAY = timedelta(days=1)
RECENT = 1_000  # rows of the history that are looked at for hosts
LISTED = 8  # hosts
FETCHING = ("dns", "connect", "first byte", "body")  # stages


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeds:
    """The numbers of feeds by their state."""

    total: int
    due: int
    late: int
    paused: int
    disabled: int
    failing: list[tuple[FailureKind, int]]  # the most frequent first; feeds that are disabled do not count

    @property
    def failures(self) -> int:
        return sum(count for _, count in self.failing)


def feeds(now: datetime) -> Feeds:
    """Count the feeds; 4 queries."""
    states: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for status, kind, count in _unwell().values_list("status", "error_kind").annotate(count=Count("*")):
        states[status] += count
        if kind and status == Feed.Status.ACTIVE:
            kinds[kind] += count
    return Feeds(
        total=_total(),
        due=_capped(Feed.primary.due(now)),
        late=_capped(Feed.primary.due(now - LATE)),
        paused=states[Feed.Status.PAUSED],
        disabled=states[Feed.Status.DISABLED],
        failing=[(FailureKind(kind), count) for kind, count in kinds.most_common()],
    )


def _unwell() -> QuerySet[Any]:
    """Return the feeds of the index `feeds_feed_unwell`; the condition must be the same."""
    rows: QuerySet[Any] = Feed.primary.filter(~Q(status="active") | ~Q(error_kind="")).order_by()
    return rows


def _capped(rows: QuerySet[Any]) -> int:
    return rows[:MOST_COUNTED].count()


def _total() -> int:
    connection = connections[primary_database()]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [Feed._meta.db_table])
            if (estimate := int(cursor.fetchone()[0])) >= ESTIMATED:
                return estimate
    total: int = Feed.primary.count()
    return total


# Imports


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The work of the last 24 hours."""

    checks: list[tuple[datetime, float]]  # per minute, as a mean of ten minutes each
    new: list[tuple[datetime, float]]  # entries in each hour
    last: datetime | None  # the last minute in which anything was done


def day(now: datetime) -> Day:
    """Return what was done in the last day; one query."""
    rows = list(Minute.primary.filter(at__gt=now - DAY).order_by("at"))
    checks: Counter[datetime] = Counter()
    new: Counter[datetime] = Counter()
    for row in rows:
        at = aware(row.at)
        checks[at.replace(minute=at.minute // 10 * 10)] += row.checks
        new[at.replace(minute=0)] += row.new
    hour = now.replace(minute=0, second=0, microsecond=0)
    ten = timedelta(minutes=10)
    tens = hour.replace(minute=now.minute // 10 * 10)
    return Day(
        checks=[(at, checks[at] / min(10, (now - at).seconds // 60 + 1)) for at in _back(tens, ten, 144)],
        new=[(at, new[at]) for at in _back(hour, timedelta(hours=1), 24)],
        last=aware(rows[-1].at) if rows else None,
    )


def _back(last: datetime, step: timedelta, count: int) -> Iterator[datetime]:
    return (last - step * number for number in reversed(range(count)))


# Hosts


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """Hosts that want attention, by what the last imports with a row in the history met."""

    paused: list[Host]
    failing: list[tuple[str, int, int]]  # name, failures, imports
    slow: list[tuple[str, float]]  # name, mean seconds
    last: datetime | None  # the last of these imports


def hosts(now: datetime) -> Hosts:
    """Look at the last imports of all feeds; 2 queries."""
    imports, failures, seconds = Counter[str](), Counter[str](), Counter[str]()
    rows = Import.primary.filter(feed__host__isnull=False).order_by("-started_at")
    recent = list(rows.values_list("feed__host", "error_kind", "seconds", "started_at")[:RECENT])
    for host, kind, stages, _ in recent:
        imports[host] += 1
        failures[host] += bool(kind)
        seconds.update({host: sum(stages.get(stage, 0.0) for stage in FETCHING)})
    means = Counter({host: total / imports[host] for host, total in seconds.items()})
    return Hosts(
        paused=list(Host.primary.filter(paused_until__gt=now).order_by("-paused_until")[:LISTED]),
        failing=[(host, count, imports[host]) for host, count in failures.most_common(LISTED) if count],
        slow=[(host, mean) for host, mean in means.most_common(LISTED) if mean >= 1],
        last=aware(recent[0][-1]) if recent else None,
    )
