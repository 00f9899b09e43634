"""Admission control: every fetch first needs a permit if its server is slow, then the permission of its host."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from feeds import clock
from feeds.fetching import Admit, Allowance
from feeds.planning import FeedState
from feeds.scheduling import slow_servers
from feeds.scheduling.pacing import AddressQueues, Pacing


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """The feed comes back later: it was not fetched, or its fetch was cut and does not count."""

    at: datetime  # when to come back
    cut_after: float | None = None  # seconds; the fetch had begun, and ended because no permit was free


class Admission:
    """What one process admits. Safe to share between threads.

    In seconds: `host_delay` between two requests to a host, and `fetch_deadline` of a feed without one of its own.
    `jitter` returns a float in [0, 1).
    """

    def __init__(
        self,
        bulkhead: slow_servers.Bulkhead,
        *,
        host_delay: float,
        fetch_deadline: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._bulkhead = bulkhead
        self._addresses = AddressQueues(host_delay)
        self._host_delay = host_delay
        self._fetch_deadline = fetch_deadline
        self._jitter = jitter

    def ask(self, feed: FeedState, slot: datetime | None) -> "Admitted | Postponed":
        """Admit the feed, or say when to come back. `slot` is when it was told to come now; None = it was not told."""
        wait = timedelta(seconds=slow_servers.wait(has_waited=slot is not None, jitter=self._jitter()))
        permit = self._bulkhead.permit(feed.history.fetch_seconds, is_new=feed.history.checked_at is None)
        if permit is None:
            return Postponed(at=clock.now() + wait)
        pacing = Pacing(
            addresses=self._addresses,
            slot=slot,
            delay=self._host_delay,
            deadline=feed.request.deadline or self._fetch_deadline,
            jitter=self._jitter,
        )
        with ExitStack() as taken:
            taken.callback(permit.give_back)
            taken.enter_context(closing(pacing))
            if (later := pacing.begin(feed)) is not None:
                return Postponed(at=later)
            taken.pop_all()
        return Admitted(permit, pacing, wait)


class Admitted(AbstractContextManager["Admitted"]):
    """The permission to fetch a feed and to parse its document.

        with admitted:               # holds the permit, if there is one, and counts the seconds
            with admitted.fetching():  # holds the host: the next request to it may begin after this block
                response = fetcher.fetch(feed.request, admitted.allowance, admitted.admit)
            if admitted.cut is None:
                document = parse(response, goes_on=admitted.goes_on)

    What is done in the outer block counts as slow, parsing too. A parser that waits for a child asks whether it goes
    on; where it does not, it stops, and `cut` says when to come back.
    """

    def __init__(self, permit: slow_servers.Permit, pacing: Pacing, wait: timedelta) -> None:
        self._permit = permit
        self._pacing = pacing
        self._wait = wait  # for a permit
        self._begun_at = time.monotonic()
        self._ended_at: float | None = None
        self._fetched_after = 0.0  # seconds

    def __exit__(self, *_: object) -> None:
        self._permit.give_back()
        self._ended_at = time.monotonic()

    @contextmanager
    def fetching(self) -> Iterator[None]:
        """Hold the host inside of the block, and what else `admit` has given."""
        with closing(self._pacing):
            yield
        self._fetched_after = self.seconds

    @property
    def admit(self) -> Admit:
        return self._pacing.take

    @property
    def allowance(self) -> Allowance:
        return self._permit.allowance

    @property
    def seconds(self) -> float:
        """How long it has taken, or took if it is over; without what connecting took."""
        now = time.monotonic() if self._ended_at is None else self._ended_at
        return now - self._begun_at - self.allowance.connecting

    @property
    def stages(self) -> dict[str, float]:
        """The seconds of each stage, one after the other: dns, connect, first byte, body, parse."""
        told = self.allowance.stages
        body = self._fetched_after + self.allowance.connecting - sum(told.values())
        return {**told, "body": max(0.0, body), "parse": self.seconds - self._fetched_after}

    @property
    def cut(self) -> Postponed | None:
        """When to come back, where there was no permit to go on or a turn comes later: what was done does not count."""
        if self._permit.was_cut:
            return Postponed(at=clock.now() + self._wait, cut_after=self.seconds)
        return Postponed(at=self._pacing.later) if self._pacing.later else None

    def goes_on(self) -> bool:
        """Tell whether it may take longer: past the allowance that takes a permit, which lifts all but deadlines."""
        until = max(self.allowance.seconds, self._fetched_after + slow_servers.PARSE_ALLOWANCE)
        return self.seconds < until or self.allowance.ask()
