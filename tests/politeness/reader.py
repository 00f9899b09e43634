"""The importer on a clock that jumps: scheduler, queue and worker in one thread."""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from feeds import canonical_urls, storage
from feeds.conf import feeds_settings
from feeds.fetching import FeedRequest, Fetcher, FetchOutcome
from feeds.models import Feed
from feeds.planning import ImportReport
from feeds.scheduling import dispatch
from feeds.storage import Subscription
from tests.politeness.faults import faults
from tests.politeness.server import PoliteServer, ServedFeed

MOST_STEPS = 1_000  # in one stretch of time; a polite reader needs far fewer


@dataclass(slots=True)
class Clock:
    """The time; it stands still between two events."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def advance(self, to: datetime) -> None:
        self.at = max(self.at, to)


@dataclass(frozen=True, slots=True)
class Worker:
    """What fetches and imports. `conftest` is the one place that knows how it is made."""

    fetcher: Fetcher
    import_feed: Callable[[str, datetime | None], ImportReport]  # URL and slot


class Reader:
    """Subscribes to feeds and reads them. The log of the server is looked through after each stretch of time."""

    def __init__(self, server: PoliteServer, clock: Clock, start_worker: Callable[..., Worker]) -> None:
        self.server = server
        self.clock = clock
        self._start_worker = start_worker  # takes settings, by their names in FeedsSettings
        self._messages: list[tuple[datetime, int, str, datetime | None]] = []
        self._numbers = itertools.count()
        self.restart()

    def restart(self, **settings: object) -> None:
        """Let the worker end and begin anew, with some settings changed: what was in memory is gone."""
        self._messages.clear()
        self._worker = self._start_worker(**settings)

    def fetch(self, request: FeedRequest, **settings: object) -> FetchOutcome:
        """Fetch with a worker of its own, with some settings changed."""
        return self._start_worker(**settings).fetcher.fetch(request)

    def subscribe(self, *urls: str) -> None:
        storage.register([Subscription(url=canonical_urls.canonical_url(url)) for url in urls])
        Feed.objects.filter(checked_at=None).update(next_check_at=self.clock.now())

    def follow(self, *feeds: ServedFeed, days: float = 0.0, hours: float = 0.0) -> None:
        """Subscribe to feeds, and let so much time pass."""
        self.subscribe(*(feed.url for feed in feeds))
        self.run(days=days, hours=hours)

    def run(self, *, days: float = 0.0, hours: float = 0.0) -> None:
        """Let so much time pass: the scheduler claims what is due, and the worker imports it."""
        end = self.clock.now() + timedelta(days=days, hours=hours)
        for _ in range(MOST_STEPS):
            moment = self._next_event()
            if moment is None or moment > end:
                break
            self.clock.advance(moment)
            self._step()
        else:
            pytest.fail(f"more than {MOST_STEPS} steps by {self.clock.now()}")
        self.clock.advance(end)
        self._look_through()

    def check(self, url: str) -> ImportReport:
        """Import a feed at once, as a person does by hand, a minute after whatever was before."""
        self.clock.advance(self.clock.now() + timedelta(minutes=1))
        report = self._worker.import_feed(url, None)
        self._look_through()
        return report

    def row(self, feed: ServedFeed) -> Feed:
        """Return the row that the feed has in the database, be it under another URL by now."""
        return Feed.objects.get(pk=Feed.objects.ids_by_url([feed.url])[feed.url])

    def titles(self, feed: ServedFeed) -> set[str]:
        """Return the titles of a feed's stored entries."""
        return set(self.row(feed).entries.values_list("title", flat=True))

    def _look_through(self) -> None:
        found = {feed.url: fault for feed in self.server.feeds for fault in faults(feed)}
        assert not found

    def _next_event(self) -> datetime | None:
        due = Feed.objects.active().exclude(next_check_at=None).order_by("next_check_at").first()
        moments = [due.next_check_at] if due else []
        moments += [message[0] for message in self._messages[:1]]
        return min(moments, default=None)

    def _step(self) -> None:
        for claimed in dispatch.claim(self.clock.now(), 100, feeds_settings().host_delay).claimed:
            self._send(claimed.url, claimed.slot)
        while self._messages and self._messages[0][0] <= self.clock.now():
            _, _, url, slot = heapq.heappop(self._messages)
            report = self._worker.import_feed(url, slot)
            if report.slot is not None:
                self._send(url, report.slot)

    def _send(self, url: str, slot: datetime | None) -> None:
        moment = max(slot or self.clock.now(), self.clock.now())
        heapq.heappush(self._messages, (moment, next(self._numbers), url, slot))
