"""The importer on a stage: its own code and settings, a database in memory, and a clock that jumps.

Nothing that happens here reaches the project's database, queue or lock store, or whoever listens to its signals.
"""

import heapq
import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from feeds import canonical_urls, scheduling, storage
from feeds.conf import feeds_settings
from feeds.fetching import Fetcher, FetchSettings
from feeds.models import Alias, Feed, Host
from feeds.planning import ImportReport
from feeds.storage import Subscription
from tests.politeness.publisher import Publisher, Reply
from tests.politeness.scenery import Clock, Records, database_in_memory, nobody_listens, recorded, seeded, told_by
from tests.politeness.server import Handler, Received, ScriptedServer
from tests.rigs.importing import import_feed

HERE = "127.0.0.1"
CONTACT = "https://example.org/about-this-reader"  # where FEEDS_CONTACT_URL is not set yet
DEADLINE = 0.5  # seconds for one fetch here: real ones, whatever the clock does
MOST_STEPS = 5_000  # of one trial


class Server(ScriptedServer):
    """Serves by host and target, so that each feed can have a host of its own."""

    def handler(self, request: Received) -> Handler | bytes:
        host = (request.header("Host") or "").partition(":")[0]
        return self.routes.get(f"{host}{request.target}") or ScriptedServer.handler(self, request)


class Stage:
    """What a trial may do. Only its own feeds are in the database."""

    def __init__(self, server: Server, clock: Clock, records: Records) -> None:
        self.server = server
        self.clock = clock
        self.records = records
        self.settings = feeds_settings()
        self.names: dict[str, list[str]] = {}  # addresses of names that do not lead to our server
        self.publishers: list[Publisher] = []
        self._messages: list[tuple[datetime, int, str, datetime | None]] = []
        self._numbers = itertools.count()
        self._fetcher = self.fetcher()

    def fetcher(self, **changes: Any) -> Fetcher:
        """Return a fetcher with the project's settings, some of them changed."""
        here: dict[str, Any] = {
            "allowed_networks": (f"{HERE}/32",),
            "contact_url": self.settings.contact_url or CONTACT,
            "fetch_deadline": DEADLINE,
            "read_timeout": DEADLINE,
        }
        settings = replace(self.settings, **here | changes)
        return Fetcher(
            settings.part(FetchSettings), clock=lambda: self.clock.now().timestamp(), getaddrinfo=self._resolve
        )

    def _resolve(self, host: str, port: int, **_: Any) -> list[tuple[int, int, int, str, tuple[Any, ...]]]:
        return [(10 if ":" in address else 2, 1, 6, "", (address, port)) for address in self.names.get(host, [HERE])]

    # Building

    def url(self, host: str, target: str = "/feed", userinfo: str = "") -> str:
        login = f"{userinfo}@" if userinfo else ""
        return f"http://{login}{host}.example:{self.server.port}{target}"

    def publish(
        self, host: str, *replies: Reply, target: str = "/feed", hurried: bool = False, shared: bool = False
    ) -> Publisher:
        """Put a feed on the server."""
        publisher = Publisher(self.url(host, target), self.clock.now, replies, is_hurried=hurried, is_shared=shared)
        self.server.routes[f"{host}.example{target}"] = publisher
        self.publishers.append(publisher)
        return publisher

    def subscribe(self, *urls: str) -> None:
        storage.register([Subscription(url=canonical_urls.canonical_url(url)) for url in urls])
        Feed.objects.filter(checked_at=None).update(next_check_at=self.clock.now())

    def follow(self, host: str, *replies: Reply, days: float) -> Publisher:
        """Put a feed on the server, subscribe to it, and let so much time pass."""
        publisher = self.publish(host, *replies)
        self.subscribe(publisher.url)
        self.live(days=days)
        return publisher

    def feed(self, publisher: Publisher) -> Feed:
        found: Feed = Feed.objects.get(pk=Feed.objects.ids_by_url([publisher.url])[publisher.url])
        return found

    def empty(self) -> None:
        """Forget the feeds of the last trial; what publishers have seen stays."""
        for model in (Alias, Feed, Host):
            model.objects.all().delete()
        self._messages.clear()

    def restart(self) -> None:
        """Let the workers end and begin anew: what they had in memory is gone."""
        self._messages.clear()
        self._fetcher = self.fetcher()

    # Running

    def live(self, *, days: float = 0.0, hours: float = 0.0) -> None:
        """Let so much time pass: the scheduler claims what is due, and workers import it."""
        end = self.clock.now() + timedelta(days=days, hours=hours)
        for _ in range(MOST_STEPS):
            moment = self._next_event()
            if moment is None or moment > end:
                break
            self.clock.advance(moment)
            self._step()
        self.clock.advance(end)

    def check(self, url: str, fetch: Callable[..., Any] | None = None) -> ImportReport:
        """Import a feed at once, as somebody does by hand, a minute after whatever was before."""
        self.clock.advance(self.clock.now() + timedelta(minutes=1))
        return import_feed(url, fetch=fetch or self._fetcher.fetch)

    def _next_event(self) -> datetime | None:
        due = Feed.objects.active().exclude(next_check_at=None).order_by("next_check_at").first()
        moments = [due.next_check_at] if due else []
        moments += [message[0] for message in self._messages[:1]]
        return min(moments, default=None)

    def _step(self) -> None:
        for claimed in scheduling.claim(self.clock.now(), 100, self.settings.host_delay).claimed:
            self._send(claimed.url, claimed.slot)
        while self._messages and self._messages[0][0] <= self.clock.now():
            _, _, url, slot = heapq.heappop(self._messages)
            report = import_feed(url, slot=slot, fetch=self._fetcher.fetch)
            if report.slot is not None:
                self._send(url, report.slot)

    def _send(self, url: str, slot: datetime | None) -> None:
        moment = max(slot or self.clock.now(), self.clock.now())
        heapq.heappush(self._messages, (moment, next(self._numbers), url, slot))


# Setting it up


@contextmanager
def stage() -> Iterator[Stage]:
    """Set the stage, and leave nothing of it behind."""
    clock, records = Clock(timezone.now()), Records()
    with ExitStack() as stack:
        stack.enter_context(database_in_memory())
        stack.enter_context(nobody_listens())
        stack.enter_context(recorded(records))
        stack.enter_context(told_by(clock))
        stack.enter_context(seeded())
        server = stack.enter_context(Server())
        yield Stage(server, clock, records)
