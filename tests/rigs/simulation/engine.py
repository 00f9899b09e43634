"""Live through a week of a world: scheduler, queue, workers and hosts under a virtual clock.

The tables are lists, and a heap stands for the index on (next_check_at, id). What decides is the program's own:
`rate_limit.fair`, `assign` and `enter` for the claims and for each request, `schedule` for the next check.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import exp

from feeds.fetching import Failed
from feeds.outcomes import FailureKind
from feeds.planning import Circumstances, History, NextCheck, Rules, schedule
from feeds.scheduling import rate_limit
from tests.rigs.simulation.figures import Figures
from tests.rigs.simulation.world import CROWD_AT, DAY, OUTAGE, RESTART, STORM, WEEK, Feed, Host, World, at, since_start

MINUTE = 60.0  # seconds between two ticks of the scheduler
LEASE, LOOK_AHEAD = rate_limit.LEASE.total_seconds(), rate_limit.LOOK_AHEAD.total_seconds()
DEADLINE = 65.0  # seconds a request may keep the host
LATE = 1.0  # seconds by which a broker may bring a delayed message late
SHORTEST_DELAY = 0.5  # seconds
STORM_WAIT = 1800.0  # seconds: Retry-After
PROGRESS = 0.5 * DAY  # between two lines that say so

NEVER = -2 * WEEK

TICK, MESSAGE, DONE, CROWD, KILL = range(5)
Event = tuple[float, int, int, Feed | None, datetime | None]


@dataclass(slots=True)
class Engine:
    """The state of one simulated installation."""

    world: World
    rng: random.Random
    threads: int
    claim_limit: int
    rules: Rules
    figures: Figures = field(default_factory=Figures)
    progress: Callable[[str], None] = lambda text: None
    now: float = 0.0
    events: list[Event] = field(default_factory=list)
    index: list[tuple[float, int, Feed]] = field(default_factory=list)  # of feeds without a slot
    slots: list[tuple[float, int, Feed]] = field(default_factory=list)  # of feeds with one
    queue: deque[tuple[Feed, datetime | None]] = field(default_factory=deque)
    busy: int = 0  # threads
    claimed: int = 0  # and neither checked nor older than the lease
    claims: deque[tuple[float, Feed]] = field(default_factory=deque)
    expired: float = NEVER  # no claim before is counted
    number: int = 0  # of the last event, so that the heap never compares feeds

    def run(self, until: float = WEEK) -> Figures:
        for feed in self.world.feeds:
            self.index.append((feed.next_check_at, feed.id, feed))
        heapq.heapify(self.index)
        self._push(0.0, TICK)
        self._push(CROWD_AT, CROWD)
        self._push(RESTART, KILL)
        while self.events:
            self.now, kind, _, feed, slot = heapq.heappop(self.events)
            if self.now > until:
                break
            self._happen(kind, feed, slot)
        self.figures.finish(self.world, until)
        return self.figures

    def _happen(self, kind: int, feed: Feed | None, slot: datetime | None) -> None:
        if kind == MESSAGE and feed is not None:
            self._take(feed, slot)
        elif kind == DONE:
            self.busy -= 1
            if self.queue:
                self._take(*self.queue.popleft())
        elif kind == TICK:
            self._tick()
        elif kind == CROWD:
            self._import(self.world.crowd)
        elif kind == KILL:
            self._restart()

    # The scheduler

    def _tick(self) -> None:
        self._send_due()
        self._push((self.now // MINUTE + 1) * MINUTE, TICK)
        failing, storming = self.world.hosts[1], self.world.hosts[0]
        self.figures.tick(self.now, self._overdue(), self._length(failing), self._length(storming))
        if self.now % PROGRESS < MINUTE:
            self.progress(f"day {self.now / DAY:.1f}: {self.figures.polls:,} polls, {self.claimed:,} in the queue")

    def _send_due(self) -> None:
        self._expire()
        room = self.claim_limit - self.claimed
        sent = 0
        while room > sent:
            claimed = self._claim(min(rate_limit.BATCH, room - sent))
            if not claimed:
                break
            sent += sum(self._send(feed, slot) for feed, slot in claimed)

    def _claim(self, count: int) -> list[tuple[Feed, datetime | None]]:
        window = self._window(rate_limit.WINDOW)
        chosen = rate_limit.fair([_due(feed) for feed in window], count)
        if len(chosen) < len(window):
            left = {feed.id for feed in chosen}
            for feed in window:
                if feed.id not in left:
                    self._enter_index(feed)
        hosts = {feed.host.name: feed.host for feed in window}
        queues = {name: queue for name, host in hosts.items() if (queue := self._queue_of(host)) is not None}
        slots, changed = rate_limit.assign(chosen, queues, at(self.now))
        for name, queue in changed.items():
            hosts[name].queue = queue
        return [(self.world.feeds[due.id], slots.get(due.id)) for due in chosen]

    def _window(self, count: int) -> list[Feed]:
        """Take the first `count` due feeds out of the index."""
        window: list[Feed] = []
        for heap, limit in ((self.slots, self.now + LOOK_AHEAD), (self.index, self.now)):
            while heap and heap[0][0] <= limit and len(window) < count:
                moment, _, feed = heapq.heappop(heap)
                if feed.next_check_at == moment and (feed.slot_at is not None) == (heap is self.slots):
                    window.append(feed)
        window.sort(key=lambda feed: (feed.next_check_at, feed.id))
        return window

    def _send(self, feed: Feed, slot: datetime | None) -> bool:
        if slot and not rate_limit.is_soon(slot, at(self.now)):
            self._postpone(feed, slot)
            return False
        feed.next_check_at = self.now + LEASE
        self._enter_index(feed)
        self._count_in(feed)
        delay = max(0.0, since_start(slot) - self.now) if slot else 0.0
        self._push(self.now + self._late(delay), MESSAGE, feed, slot)
        return True

    def _postpone(self, feed: Feed, slot: datetime) -> None:
        feed.slot_at = slot
        feed.next_check_at = since_start(slot)
        self._release(feed)
        self._enter_index(feed)

    # A worker

    def _take(self, feed: Feed, slot: datetime | None) -> None:
        """Let a free thread take a message, or let it wait in the queue for one."""
        if feed.claimed_at == NEVER:  # checked meanwhile, under the message of an earlier claim
            return
        if self.busy >= self.threads:
            self.queue.append((feed, slot))
            return
        queue = self._queue_of(feed.host)
        if queue is None or self._is_admitted(feed, queue, slot):
            self.busy += 1
            self._push(self._fetch(feed, feed.host), DONE)

    def _queue_of(self, host: Host) -> rate_limit.HostQueue | None:
        """Return the queue of a host as the database holds it by now: the last request is over at its end."""
        if host.queue is not None and self.now >= host.ends_at and host.queue.free_at > host.free_at:
            host.queue = replace(host.queue, free_at=host.free_at)
        return host.queue

    def _is_admitted(self, feed: Feed, queue: rate_limit.HostQueue, slot: datetime | None) -> bool:
        answer = rate_limit.enter(queue, now=at(self.now), slot=slot, longest=DEADLINE)
        feed.host.queue = answer.queue
        if answer.at is None:
            return True
        self.figures.waits += 1
        wait = since_start(answer.at) - self.now
        if rate_limit.is_for_the_schedule(at=answer.at, now=at(self.now), claimed_at=at(feed.claimed_at)):
            self._postpone(feed, answer.at)
        else:
            self._push(self.now + self._late(max(wait, SHORTEST_DELAY)), MESSAGE, feed, answer.at)
        return False

    def _fetch(self, feed: Feed, host: Host) -> float:
        """Poll a feed and return when the thread is free again."""
        begun = self.now
        self.figures.poll(feed, begun)
        fails = host.fails and OUTAGE[0] <= begun < OUTAGE[1]
        storms = host.storms and STORM[0] <= begun < STORM[1]
        took = 10.0 if fails else min(30.0, host.latency * exp(self.rng.gauss(0, 0.5)))
        ends = begun + took
        if host.queue is not None:
            host.ends_at, host.free_at = (
                ends,
                rate_limit.leave(begun_at=at(begun), now=at(ends), delay=host.queue.delay),
            )
        now = at(ends)
        if fails:
            check = self._failed(feed, now)
        elif storms:
            check = self._stormed(feed, host, now)
        else:
            check = self._read(feed, ends, now)
        assert check.at is not None
        feed.interval, feed.checked_at, feed.slot_at = check.interval, begun, None
        feed.due_at = feed.next_check_at = since_start(check.at)
        self._release(feed)
        self._enter_index(feed)
        return ends

    def _read(self, feed: Feed, ends: float, now: datetime) -> NextCheck:
        since = feed.checked_at if feed.polls > 1 else self.now
        new = _poisson(feed.rate * max(0.0, self.now - since), self.rng)
        self.figures.read(feed, new, since, self.now, self.rng)
        changed_at = now - timedelta(seconds=ends - feed.changed_at)
        history = History(created_at=changed_at, changed_at=changed_at, interval=feed.interval)
        news = schedule.News(new_entries=new, has_validators=feed.validators, max_age=feed.max_age)
        feed.failures = 0
        if new:
            feed.changed_at = self.now
        return schedule.after_success(history, news, feed.hints, self.rules, self._circumstances(now))

    def _failed(self, feed: Feed, now: datetime) -> NextCheck:
        feed.failures += 1
        history = History(created_at=now, interval=feed.interval)
        failure = Failed(kind=FailureKind.TIMEOUT, text="")
        return schedule.after_failure(history, feed.failures, failure, self.rules, self._circumstances(now))

    def _stormed(self, feed: Feed, host: Host, now: datetime) -> NextCheck:
        feed.failures += 1
        self.figures.stormed += 1
        if host.queue is not None and self.figures.stormed > 1:  # a second feed sees the same
            seconds = schedule.host_pause(429, STORM_WAIT)
            host.queue = replace(host.queue, paused_until=at(self.now + seconds))
            self.figures.pause_ends = self.now + seconds
        history = History(created_at=now, interval=feed.interval)
        failure = Failed(kind=FailureKind.TOO_MANY, text="", retry_after=STORM_WAIT)
        return schedule.after_failure(history, feed.failures, failure, self.rules, self._circumstances(now))

    def _circumstances(self, now: datetime) -> Circumstances:
        return Circumstances(started_at=now, now=now, jitter=self.rng.random())

    # What happens from outside

    def _import(self, feeds: list[Feed]) -> None:
        """Send messages for many feeds at once, past the scheduler."""
        for feed in feeds:
            feed.due_at = feed.next_check_at = feed.checked_at = self.now
            self._enter_index(feed)
            self._count_in(feed)
            self._push(self.now, MESSAGE, feed)

    def _restart(self) -> None:
        """Kill everything: what the broker holds is lost, the database with its claims stays."""
        self.figures.lost = len(self.queue) + sum(event[1] == MESSAGE for event in self.events)
        self.events = []
        self.queue.clear()
        self.busy = 0
        self._push((self.now // MINUTE + 1) * MINUTE, TICK)

    # Books

    def _count_in(self, feed: Feed) -> None:
        self._release(feed)
        feed.claimed_at = self.now
        self.claims.append((self.now, feed))
        self.claimed += 1

    def _release(self, feed: Feed) -> None:
        self.claimed -= feed.claimed_at > self.expired
        feed.claimed_at = NEVER

    def _expire(self) -> None:
        """Count what was claimed a lease ago no longer."""
        self.expired = self.now - LEASE
        while self.claims and self.claims[0][0] <= self.expired:
            claimed_at, feed = self.claims.popleft()
            self.claimed -= feed.claimed_at == claimed_at

    def _length(self, host: Host) -> float:
        """Return for how many seconds a host's slots are given away."""
        return max(0.0, since_start(host.queue.slot_at) - self.now) if host.queue else 0.0

    def _enter_index(self, feed: Feed) -> None:
        heap = self.index if feed.slot_at is None else self.slots
        heapq.heappush(heap, (feed.next_check_at, feed.id, feed))

    def _push(self, time: float, kind: int, feed: Feed | None = None, slot: datetime | None = None) -> None:
        self.number += 1
        heapq.heappush(self.events, (time, kind, self.number, feed, slot))

    def _late(self, delay: float) -> float:
        return delay + self.rng.random() * LATE if delay else 0.0

    def _overdue(self) -> bool:
        return bool(self.index and self.index[0][0] <= self.now - MINUTE)


def _due(feed: Feed) -> rate_limit.Due:
    return rate_limit.Due(id=feed.id, host=feed.host.name, slot_at=feed.slot_at)


def _poisson(mean: float, rng: random.Random) -> int:
    """Return a Poisson number; beyond 50 its normal neighbour does."""
    if mean <= 0:
        return 0
    if mean > 50:
        return max(0, round(rng.gauss(mean, mean**0.5)))
    limit, product, count = exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count
