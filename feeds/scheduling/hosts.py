"""The queues of hosts in the database. `rate_limit` decides; this module locks, reads and writes. Times are UTC.

A feed that has its host for itself is not spaced, and costs this table nothing. When a second feed comes to its host,
one request of the first may be under way that the queue does not know of.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.db import connections, transaction
from django.db.models import F, Max, Q, QuerySet

from feeds import clock
from feeds.clock import aware
from feeds.databases import one_by_one, primary_database
from feeds.models import Feed, Host
from feeds.outcomes import FailureKind
from feeds.planning import HostState, Pause
from feeds.scheduling import rate_limit

MARGIN = 5.0  # seconds a request may take beyond its deadline
IDLE = timedelta(days=1)  # without a request, after which a host that has no feed is forgotten

Leave = Callable[[], None]  # to be called after a request that may be made now


# One request


def enter(host: HostState, *, slot: datetime | None, default_delay: float, deadline: float) -> Leave | datetime | None:
    """Ask whether a request that takes at most `deadline` seconds may be made now.

    Return what is to be called after it, or None where the host does not care; if it may not, when to come back: a
    slot that is reserved. `default_delay` is in seconds.
    """
    if not rate_limit.applies(host, default_delay, clock.now()):
        return None
    with transaction.atomic(using=primary_database()):
        row = _locked(Host.primary.filter(name=host.name)).get()
        now = clock.now()  # of the moment from which on nobody else can decide
        answer = rate_limit.enter(_queue(row, now, default_delay), now=now, slot=slot, longest=deadline + MARGIN)
        queue, counter = answer.queue, "waits" if answer.at else "requests"
        Host.primary.filter(name=host.name).update(
            slot_at=queue.slot_at, free_at=queue.free_at, **{counter: F(counter) + 1}
        )
    return answer.at or partial(_leave, host.name, queue, now)


def enter_by_name(
    name: str, *, slot: datetime | None, default_delay: float, deadline: float
) -> Leave | datetime | None:
    """Ask the same of a host that a redirect leads to: it may have no row yet."""
    row = Host.primary.filter(name=name).first()
    delay, paused_until = (row.delay, aware(row.paused_until)) if row else (None, None)
    host = HostState(name=name, shared=True, delay=delay, paused_until=paused_until)
    if row is None and rate_limit.applies(host, default_delay, clock.now()):
        Host.objects.ensure([name])
    return enter(host, slot=slot, default_delay=default_delay, deadline=deadline)


def _leave(name: str, held: rate_limit.HostQueue, begun_at: datetime) -> None:
    """Free the host after a request, when its delay is over."""
    free_at = rate_limit.leave(begun_at=begun_at, now=clock.now(), delay=held.delay)
    # Where the request took longer than it was to, the host is another's by now, and this changes nothing.
    Host.primary.filter(name=name, free_at=held.free_at).update(free_at=free_at)


def pause(wanted: Pause) -> None:
    """Pause a host that has answered another of its feeds with 429 or 503, too; a pause that ends later stays.

    A single feed may have a limit of its own, or be the only one in trouble.
    """
    others = Feed.primary.filter(host=wanted.host).exclude(pk=wanted.feed_id)
    if not others.filter(error_kind=FailureKind.TOO_MANY, next_check_at__gt=clock.now()).exists():
        return
    beyond_belief = Q(paused_until__gt=clock.now() + rate_limit.FARTHEST)
    shorter = Q(paused_until__isnull=True) | Q(paused_until__lt=wanted.until) | beyond_belief
    Host.primary.filter(shorter, name=wanted.host).update(
        paused_until=wanted.until, pause_reason=wanted.reason, pauses=F("pauses") + 1
    )


def forget(now: datetime) -> None:
    """Remove hosts that redirects once led to, or whose feeds are gone, unless a person has set their delay.

    Those stay that the database does not let go.
    """
    idle = Host.primary.filter(feeds__isnull=True, delay=None, free_at__lt=now - IDLE, slot_at__lt=now - IDLE)
    idle = idle.filter(Q(paused_until=None) | Q(paused_until__lt=now))
    if one_by_one([idle], lambda hosts: hosts.delete())[1]:
        one_by_one(idle, lambda host: host.delete())


def last_slot(now: datetime) -> datetime:
    """Return the end of the longest queue: no feed can have a slot behind it."""
    return aware(Host.primary.aggregate(last=Max("slot_at"))["last"]) or now


# Many feeds


def assign(due: Sequence[rate_limit.Due], *, now: datetime, default_delay: float) -> dict[int, datetime]:
    """Reserve slots for feeds that are due together; return them by the feeds' ids. Runs in the caller's transaction.

    A feed without one may go at once.
    """
    slots, changed = rate_limit.assign(due, _queues(due, now, default_delay), now)
    # Only the slot has moved; counters and pauses may be changed by others as soon as the rows are free.
    Host.primary.bulk_update([Host(name=name, slot_at=queue.slot_at) for name, queue in changed.items()], ["slot_at"])
    return slots


def _queues(due: Sequence[rate_limit.Due], now: datetime, default_delay: float) -> dict[str, rate_limit.HostQueue]:
    """Return the queues that matter, locked: of hosts with several of the feeds, with slots given away, or paused."""
    counts = Counter(feed.host for feed in due)
    spaced = [name for name in counts if counts[name] > 1 and rate_limit.delay(name, None, default_delay) > 0]
    matters = Q(name__in=spaced) | Q(delay__gt=0) | Q(slot_at__gt=now) | Q(paused_until__gt=now)
    rows = _locked(Host.primary.filter(matters, name__in=list(counts)))
    queues = {row.name: _queue(row, now, default_delay) for row in rows}
    return {name: queue for name, queue in queues.items() if queue.delay > 0 or queue.is_paused(now)}


def _queue(row: Host, now: datetime, default_delay: float) -> rate_limit.HostQueue:
    queue = rate_limit.HostQueue(
        delay=rate_limit.delay(row.name, row.delay, default_delay),
        slot_at=aware(row.slot_at),
        free_at=aware(row.free_at),
        paused_until=aware(row.paused_until),
    )
    if queue.slot_at <= now + rate_limit.LONGEST_REQUEST:
        return rate_limit.believed(queue, now)
    feeds = Feed.primary.filter(host=row.name).count()
    return rate_limit.believed(queue, now, rate_limit.farthest_slot(feeds, queue.delay))


def _locked(hosts: QuerySet[Host]) -> QuerySet[Host]:
    """Return these rows, locked in the order of names: of two claims none waits for the other in a circle."""
    features = connections[primary_database()].features
    # Without the key, so that feeds can be stored meanwhile that refer to the host.
    return hosts.order_by("name").select_for_update(no_key=features.has_select_for_no_key_update)
