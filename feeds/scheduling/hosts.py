"""The queues of hosts in the database. `rate_limit` decides; this module locks, reads and writes. Times are UTC.

A feed that has its host for itself is not spaced, and costs this table nothing. When a second feed comes to its host,
one request of the first may be under way that the queue does not know of.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import connections, router, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from feeds.models import Host
from feeds.planning import HostState, Pause
from feeds.scheduling import rate_limit

MARGIN = 5.0  # seconds a request may take beyond its deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """The right to make one request."""

    host: str
    delay: float
    begun_at: datetime
    opens_at: datetime  # as written: the host is ours until then


# One request


def enter(
    host: HostState, *, slot: datetime | None, default_delay: float, deadline: float
) -> Permission | rate_limit.Wait | None:
    """Ask for a request that takes at most `deadline` seconds. None: nobody has to be asked.

    Delays in seconds. A `Wait` has reserved its slot already.
    """
    if not rate_limit.is_gated(host, default_delay, timezone.now()):
        return None
    with transaction.atomic(using=router.db_for_write(Host)):
        row = _locked(Host.objects.filter(name=host.name)).get()
        now = timezone.now()  # of the moment from which on nobody else can decide
        line = _queue(row, default_delay)
        answer = rate_limit.enter(line, now=now, slot=slot, longest=deadline + MARGIN)
        admitted = isinstance(answer, rate_limit.Admitted)
        Host.objects.filter(name=host.name).update(
            slot_at=answer.line.slot_at,
            open_at=answer.line.open_at,
            **({"requests": F("requests") + 1} if admitted else {"waits": F("waits") + 1}),
        )
    if isinstance(answer, rate_limit.Wait):
        return answer
    return Permission(host=host.name, delay=line.delay, begun_at=now, opens_at=answer.line.open_at)


@contextmanager
def holding(permission: Permission | None) -> Iterator[None]:
    """Make the request inside the block; behind it the host is free again, after its delay."""
    try:
        yield
    finally:
        if permission is not None:
            # A request that took longer than it was to changes nothing: by now the host is another's.
            mine = Host.objects.filter(name=permission.host, open_at=permission.opens_at)
            opens = rate_limit.leave(begun_at=permission.begun_at, now=timezone.now(), delay=permission.delay)
            mine.update(open_at=opens)


def pause(wanted: Pause) -> None:
    """Pause a host; a pause that ends later stays."""
    Host.objects.ensure([wanted.host])
    shorter = Q(paused_until__isnull=True) | Q(paused_until__lt=wanted.until)
    Host.objects.filter(shorter, name=wanted.host).update(
        paused_until=wanted.until, pause_reason=wanted.reason, pauses=F("pauses") + 1
    )


# Many feeds


def assign(due: Sequence[rate_limit.Due], *, now: datetime, default_delay: float) -> dict[int, datetime]:
    """Reserve slots for feeds that are due together; return them by the feeds' ids. Runs in the caller's transaction.

    A feed without one may go at once.
    """
    slots, changed = rate_limit.assign(due, _queues(due, now, default_delay), now)
    # Only the slot has moved; counters and pauses may be changed by others as soon as the rows are free.
    Host.objects.bulk_update([Host(name=name, slot_at=line.slot_at) for name, line in changed.items()], ["slot_at"])
    return slots


def _queues(due: Sequence[rate_limit.Due], now: datetime, default_delay: float) -> dict[str, rate_limit.HostQueue]:
    """Return the queues of the hosts that several of the feeds are on, that are paused or have a queue; locked."""
    counts = Counter(feed.host for feed in due)
    crowded = [name for name, count in counts.items() if count > 1]
    matter = Q(name__in=crowded) | Q(slot_at__gt=now) | Q(paused_until__gt=now)
    queues: dict[str, rate_limit.HostQueue] = {}
    for row in _locked(Host.objects.filter(matter, name__in=list(counts))):
        line = _queue(row, default_delay)
        if line.delay > 0 or line.is_paused(now):
            queues[row.name] = line
    return queues


def _queue(row: Host, default_delay: float) -> rate_limit.HostQueue:
    return rate_limit.HostQueue(
        delay=rate_limit.delay(HostState(name=row.name, delay=row.delay), default_delay),
        slot_at=row.slot_at,
        open_at=row.open_at,
        paused_until=row.paused_until,
    )


def _locked(hosts: QuerySet[Host]) -> QuerySet[Host]:
    """Return these rows, locked in the order of names: nobody waits in a circle. New feeds may refer to them."""
    features = connections[router.db_for_write(Host)].features
    return hosts.order_by("name").select_for_update(no_key=features.has_select_for_no_key_update)
