"""A host's line and the time in; who may go now, and who comes back when, out. Pure.

A host has a line of slots, one delay apart, and a door that lets one request in at a time:

    reserve   the next free slot becomes somebody's; who comes for it later is let in then, or soon after
    enter     through the door, if it is open; else a slot
    leave     the door opens again: a delay after the request began, but not while it lasts

The line spreads the load, the door keeps the promise: messages come late, so slots alone would not keep requests apart.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from feeds.fetching import is_private_host
from feeds.planning import HostState

SPACING = 1.05  # delays between two slots: the rest lets those in who came late, or a full line would never heal
PATIENCE = 2  # delays that a request under way may last until those with slots behind it get new ones


# Seconds until a slot for which a message may wait in the broker: RabbitMQ cuts consumers that keep one, delayed ones
# too, unacknowledged for 30 min, and brokers are no schedulers.
LONGEST_DELAY = 300.0
LOOK_AHEAD = timedelta(seconds=60)  # who holds a slot is sent so long before it: the scheduler comes once a minute
LEASE = timedelta(minutes=10)  # a claim's: so long nobody polls what a crash has swallowed
BATCH = 500  # feeds of one claim
WINDOW = 1000  # feeds looked at for one claim, so that a host with many feeds does not fill it alone


@dataclass(frozen=True, slots=True, kw_only=True)
class HostQueue:
    """The state of a host."""

    delay: float  # seconds from the begin of one request to the begin of the next
    slot_at: datetime  # the first slot that nobody has reserved
    open_at: datetime  # nobody is let in before
    paused_until: datetime | None = None

    def is_paused(self, now: datetime) -> bool:
        return self.paused_until is not None and self.paused_until > now


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The request may begin. `line.open_at`, the latest time at which the next may, is the ticket to `leave` with."""

    line: HostQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Come back at `at`, and show it as your slot."""

    line: HostQueue
    at: datetime


# One request


def delay(host: HostState, default: float) -> float:
    """Return the seconds between two requests to a host; 0 = no pacing."""
    if host.delay is not None:
        return host.delay
    return 0.0 if is_private_host(host.name) else default


def is_gated(host: HostState, default: float, now: datetime) -> bool:
    """Tell whether the line has to be asked at all: a feed alone on its host pays nothing."""
    if host.paused_until is not None and host.paused_until > now:
        return True
    return delay(host, default) > 0 and (host.shared or host.delay is not None)


def enter(line: HostQueue, *, now: datetime, slot: datetime | None, longest: float) -> Admitted | Wait:
    """Let a request in that takes at most `longest` seconds, or say when to come back. `slot` is what it reserved."""
    if line.is_paused(now):
        return reserve(line, now)
    if slot is None and line.slot_at > now:
        return reserve(line, now)
    if slot is not None and slot > now:
        return Wait(line=line, at=slot)
    if line.open_at <= now:
        slot_at = max(line.slot_at, now + timedelta(seconds=line.delay))
        return Admitted(line=replace(line, open_at=now + timedelta(seconds=longest), slot_at=slot_at))
    if slot is not None and _keeps_turn(line, now, longest):
        return Wait(line=line, at=min(line.open_at, now + timedelta(seconds=line.delay)))
    return reserve(line, now)


def _keeps_turn(line: HostQueue, now: datetime, longest: float) -> bool:
    """Tell whether somebody with a slot at a closed door goes next: who had the slot before came late, or is inside.

    At a host much slower than its delay a crowd would gather at the door; there the line has to spread it again.
    """
    delay, begun_at = timedelta(seconds=line.delay), line.open_at - timedelta(seconds=longest)
    return line.open_at <= now + delay or now <= begun_at + PATIENCE * delay


def reserve(line: HostQueue, now: datetime) -> Wait:
    """Give away the next free slot, after a pause if there is one."""
    # A request under way may hold the door for a minute, but rarely does.
    opens = min(line.open_at, now + timedelta(seconds=line.delay))
    at = max(line.slot_at, now, opens, line.paused_until or now)
    return Wait(line=replace(line, slot_at=at + timedelta(seconds=line.delay * SPACING)), at=at)


def leave(*, begun_at: datetime, now: datetime, delay: float) -> datetime:
    """Return when the door opens after a request that began and ended then."""
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
    host: str  # "" = its URL is none
    slot_at: datetime | None = None  # reserved earlier


def fair(due: Iterable[Due], count: int) -> list[Due]:
    """Choose `count` feeds: in every round one of each host, and of a host the one that waits longest."""
    rounds: Counter[str] = Counter()
    ranked: list[tuple[int, int, Due]] = []
    for place, feed in enumerate(due):
        ranked.append((rounds[feed.host], place, feed))
        rounds[feed.host] += 1
    ranked.sort()  # no two have the same place
    return [feed for _, _, feed in ranked[:count]]


def assign(
    due: Sequence[Due], lines: Mapping[str, HostQueue], now: datetime
) -> tuple[dict[int, datetime], dict[str, HostQueue]]:
    """Give feeds of one host different slots; return the slots by the feeds' ids, and the lines that have changed.

    `lines` holds the hosts that are spaced or paused. A feed alone in the batch whose host is free needs no slot.
    """
    crowd = Counter(feed.host for feed in due)
    slots: dict[int, datetime] = {}
    changed: dict[str, HostQueue] = {}
    for feed in due:
        line = changed.get(feed.host) or lines.get(feed.host)
        if line is None:
            continue
        if feed.slot_at is not None and not line.is_paused(max(now, feed.slot_at)):
            slots[feed.id] = feed.slot_at
        elif crowd[feed.host] > 1 or line.slot_at > now or line.is_paused(now):
            wait = reserve(line, now)
            changed[feed.host] = wait.line
            slots[feed.id] = wait.at
    return slots, changed


def is_soon(slot: datetime, now: datetime) -> bool:
    """Tell whether the message is sent now; else the feed is due again at its slot."""
    return slot <= now + LOOK_AHEAD
