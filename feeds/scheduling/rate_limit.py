"""Decide when the next request to a host may be made. Pure.

A host takes one request at a time, and has a queue of slots, one delay apart, for those that have to wait:

    reserve   the next free slot becomes a feed's; its message comes back then, or soon after
    enter     the request may begin, if the host is free; if not, a slot
    leave     the host is free again: a delay after the request began, but not while it lasts

Slots spread the load. Alone they would not keep requests apart, for messages come late: so the host must be free, too.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from feeds.fetching import is_private_host
from feeds.planning import HostState

SPACING = 1.05  # delays between two slots: the rest lets late messages in, or a full queue would never recover
PATIENCE = 2  # delays that a request may last until messages with slots behind it get new ones

# Seconds until a slot for which a message may wait in the broker: RabbitMQ cuts consumers that keep one, delayed ones
# too, unacknowledged for 30 min, and brokers are no schedulers.
LONGEST_DELAY = 300.0
LOOK_AHEAD = timedelta(seconds=60)  # a message is sent so long before its slot: the scheduler comes once a minute
LEASE = timedelta(minutes=10)  # of a claim: what a crash has swallowed is due again after it
BATCH = 500  # feeds of one claim
WINDOW = 1000  # feeds looked at for one claim, so that a host with many feeds does not fill it alone

# What lies further ahead was written by a clock that was wrong.
FARTHEST = timedelta(days=14)  # a slot, or the end of a host's pause; a Retry-After pauses it for a day at most
LONGEST_REQUEST = timedelta(hours=1)
NO_FEEDS = timedelta(days=1)  # of slots on a host that only redirects lead to


@dataclass(frozen=True, slots=True, kw_only=True)
class HostQueue:
    """The state of a host."""

    delay: float  # seconds from the begin of one request to the begin of the next
    slot_at: datetime  # the first slot that nobody has reserved
    free_at: datetime  # no request begins before
    paused_until: datetime | None = None

    def is_paused(self, now: datetime) -> bool:
        return self.paused_until is not None and self.paused_until > now


class Answer(NamedTuple):
    """Whether a request may begin now."""

    queue: HostQueue  # from now on; while the request lasts, `free_at` is when it must be over
    at: datetime | None = None  # when to come back, with that as its slot; None = it may begin


# One request


def delay(name: str, own: float | None, default: float) -> float:
    """Return the seconds between two requests to a host, which may have its own; 0 = they are not spaced."""
    if own is not None:
        return own
    return 0.0 if is_private_host(name) else default


def applies(host: HostState, default: float, now: datetime) -> bool:
    """Tell whether the queue has to be asked at all: a feed alone on its host goes without."""
    if host.paused_until is not None and host.paused_until > now:
        return True
    return delay(host.name, host.delay, default) > 0 and (host.shared or host.delay is not None)


def believed(queue: HostQueue, now: datetime, farthest_slot: timedelta = FARTHEST) -> HostQueue:
    """Return the queue with `now` for each time that lies further ahead than it can."""
    longest = max(LONGEST_REQUEST, timedelta(seconds=queue.delay))
    return replace(
        queue,
        slot_at=_believed(queue.slot_at, now, farthest_slot),
        free_at=_believed(queue.free_at, now, longest),
        paused_until=queue.paused_until and _believed(queue.paused_until, now, FARTHEST),
    )


def farthest_slot(feeds: int, delay: float) -> timedelta:
    """Return how far ahead a host's slots can reach that has so many feeds: some wait for their second one."""
    queued = timedelta(seconds=2 * feeds * delay * SPACING)
    return min(FARTHEST, max(LONGEST_REQUEST, queued)) if feeds else NO_FEEDS


def _believed(moment: datetime, now: datetime, longest: timedelta) -> datetime:
    return moment if moment <= now + longest else now


def enter(queue: HostQueue, *, now: datetime, slot: datetime | None, longest: float) -> Answer:
    """Admit a request that takes at most `longest` seconds, or say when to come back. `slot` is what it reserved."""
    if slot is not None and slot > max(queue.slot_at, now + LEASE):
        slot = None  # nobody can have reserved it
    if queue.is_paused(now) or (slot is None and queue.slot_at > now):
        return Answer(*reserve(queue, now))
    if slot is not None and now < slot:
        return Answer(queue=queue, at=slot)
    if queue.free_at <= now:
        slot_at = max(queue.slot_at, now + timedelta(seconds=queue.delay))
        return Answer(queue=replace(queue, free_at=now + timedelta(seconds=longest), slot_at=slot_at))
    if slot is not None and _is_next(queue, now, longest):
        return Answer(queue=queue, at=min(queue.free_at, now + timedelta(seconds=queue.delay)))
    return Answer(*reserve(queue, now))


def _is_next(queue: HostQueue, now: datetime, longest: float) -> bool:
    """Tell whether a message whose slot has come goes next at a busy host, without a new slot.

    The request under way came late, or will soon be over. At a host much slower than its delay such messages would
    gather; there the queue has to spread them again.
    """
    delay, begun_at = timedelta(seconds=queue.delay), queue.free_at - timedelta(seconds=longest)
    return queue.free_at <= now + delay or now <= begun_at + PATIENCE * delay


def reserve(queue: HostQueue, now: datetime) -> tuple[HostQueue, datetime]:
    """Give away the next free slot, after a pause if there is one."""
    # A request under way may last a minute, but rarely does.
    free_at = min(queue.free_at, now + timedelta(seconds=queue.delay))
    at = max(queue.slot_at, now, free_at, queue.paused_until or now)
    return replace(queue, slot_at=at + timedelta(seconds=queue.delay * SPACING)), at


def leave(*, begun_at: datetime, now: datetime, delay: float) -> datetime:
    """Return when the host is free after a request that began then and ends now."""
    return max(begun_at + timedelta(seconds=delay), now)


def is_for_the_schedule(*, at: datetime, now: datetime, claimed_at: datetime | None) -> bool:
    """Tell whether a message that is to come back at `at` is dropped, and the feed due then instead.

    So it is where that is far off; and where the lease of the feed's claim ends before, for then the schedule sends a
    message of its own, and there would be two, and more with every lease.
    """
    is_far = at > now + timedelta(seconds=LONGEST_DELAY)
    return is_far or (claimed_at is not None and at >= claimed_at + LEASE)


# Many feeds that are due together


class Due(NamedTuple):
    """A feed that is due. A claim looks at a thousand: as dataclasses they take a millisecond, as tuples a third."""

    id: int
    host: str  # "" = none
    slot_at: datetime | None = None  # reserved earlier


def fair(due: Iterable[Due], count: int) -> list[Due]:
    """Choose `count` feeds: in every round one of each host, and of a host the one that waits longest."""
    rounds = defaultdict[str, Iterator[int]](itertools.count)
    return sorted(due, key=lambda feed: next(rounds[feed.host]))[:count]  # within a round the order stays


def assign(
    due: Sequence[Due], queues: Mapping[str, HostQueue], now: datetime
) -> tuple[dict[int, datetime], dict[str, HostQueue]]:
    """Give feeds of one host different slots; return the slots by the feeds' ids, and the queues that have changed.

    `queues` holds the hosts whose requests are spaced or paused. A feed alone in the batch whose host has no queue
    needs no slot.
    """
    counts = Counter(feed.host for feed in due)
    slots: dict[int, datetime] = {}
    changed: dict[str, HostQueue] = {}
    for feed in due:
        queue = changed.get(feed.host) or queues.get(feed.host)
        if queue is None:
            if feed.slot_at is not None and is_soon(feed.slot_at, now):  # of an address, or where redirects lead
                slots[feed.id] = feed.slot_at
            continue
        if feed.slot_at is not None and not queue.is_paused(max(now, feed.slot_at)):
            slots[feed.id] = feed.slot_at
        elif counts[feed.host] > 1 or queue.slot_at > now or queue.is_paused(now):
            changed[feed.host], slots[feed.id] = reserve(queue, now)
    return slots, changed


def is_soon(slot: datetime, now: datetime) -> bool:
    """Tell whether the message is sent now; if not, the feed is due again at its slot."""
    return slot <= now + LOOK_AHEAD
