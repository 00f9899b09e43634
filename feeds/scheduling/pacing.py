"""The turns of one fetch: at its host, at those that redirects lead to, and at the addresses of all.

Thousands of names may lead to one server, and thirty redirects to one host. So both are asked before each request;
where the turn comes later, the fetch ends, and the feed comes back with a slot.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from feeds import canonical_urls, clock
from feeds.fetching import is_private_host
from feeds.planning import FeedState
from feeds.scheduling import hosts, rate_limit

SCATTER = 10  # delays, over which feeds are spread whose redirects lead to a host that is busy in their slots
MAX_ADDRESSES = 10_000  # remembered by a process; those asked longest ago are forgotten


class AddressQueues:
    """The queues of addresses, as those of hosts, but in memory: each process has its own. Threads may share them.

    They space different hosts: one by itself has a queue of its own, or needs none.
    """

    def __init__(self, delay: float) -> None:
        self._delay = delay  # seconds
        self._mutex = threading.Lock()
        self._queues: dict[str, tuple[str, rate_limit.HostQueue]] = {}  # with the host that came last

    def enter(self, address: str, host: str, *, slot: datetime | None, deadline: float) -> hosts.Leave | datetime:
        """Return what is to be called after the request, or when to come back."""
        with self._mutex:
            now = clock.now()
            free = rate_limit.HostQueue(delay=self._delay, slot_at=now, free_at=now)
            last, queue = self._queues.pop(address, (host, free))
            queue = free if last == host else rate_limit.believed(queue, now)
            answer = rate_limit.enter(queue, now=now, slot=slot, longest=deadline + hosts.MARGIN)
            self._queues[address] = (last if answer.at else host, answer.queue)
            if len(self._queues) > MAX_ADDRESSES:
                del self._queues[next(iter(self._queues))]
        return answer.at or partial(self._leave, address, answer.queue, now)

    def _leave(self, address: str, held: rate_limit.HostQueue, begun_at: datetime) -> None:
        with self._mutex:
            host, queue = self._queues.get(address, ("", held))
            if host and queue.free_at == held.free_at:
                free_at = rate_limit.leave(begun_at=begun_at, now=clock.now(), delay=self._delay)
                self._queues[address] = host, replace(queue, free_at=free_at)


@dataclass(slots=True, kw_only=True)
class Pacing:
    """What one fetch has taken so far. For its thread only."""

    addresses: AddressQueues
    slot: datetime | None  # when it was told to come now; None = it was not told
    delay: float  # seconds between two requests to a host
    deadline: float  # seconds for the fetch
    jitter: Callable[[], float]  # returns a number in [0, 1)
    later: datetime | None = None  # when the turn comes that was not given
    _taken: set[tuple[str, str]] = field(default_factory=set)  # a host, or an address
    _held: ExitStack = field(default_factory=ExitStack)

    def begin(self, feed: FeedState) -> datetime | None:
        """Take the feed's host; return None, or when to come back.

        Where redirects led before they lead again, in all likelihood: so that host comes before the first request, too.
        """
        if feed.host is not None:
            answer = hosts.enter(feed.host, slot=self.slot, default_delay=self.delay, deadline=self.deadline)
            self._note((feed.host.name, ""), answer)
        leads_to = canonical_urls.host_key(feed.request.validators_url)
        if self.later is None and leads_to:
            self.take(leads_to, "")
        return self.later

    def take(self, host: str, address: str) -> bool:
        """Take the turn of a host, or of its address where that is given; or note when it comes."""
        wanted = ("", address) if address else (host, "")
        if wanted not in self._taken:
            self._note(wanted, self._enter_address(host, address) if address else self._enter_host(host))
        return self.later is None

    def close(self) -> None:
        self._held.close()

    def _note(self, wanted: tuple[str, str], answer: hosts.Leave | datetime | None) -> None:
        if isinstance(answer, datetime):
            self.later = answer
            return
        self._taken.add(wanted)
        if answer is not None:
            self._held.callback(answer)

    def _enter_host(self, host: str) -> hosts.Leave | datetime | None:
        answer = hosts.enter_by_name(host, slot=self.slot, default_delay=self.delay, deadline=self.deadline)
        if not isinstance(answer, datetime) or self.slot is None:
            return answer
        # Two feeds that redirect to each other's hosts would find them busy again and again, at the same moments.
        return answer + timedelta(seconds=SCATTER * self.delay * self.jitter())

    def _enter_address(self, host: str, address: str) -> hosts.Leave | datetime | None:
        if is_private_host(host) or not self.delay:
            return None
        return self.addresses.enter(address, host, slot=self.slot, deadline=self.deadline)
