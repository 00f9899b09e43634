"""A clock that the test moves, a server that keeps a log, and the importer as a reader between the two."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone

from feeds.conf import feeds_settings
from feeds.fetching import Fetcher, FetchSettings
from feeds.importer import Importer, ImportRequest
from tests.politeness.reader import Clock, Reader, Worker
from tests.politeness.server import PoliteServer


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time that the reader and the server go by, from now on. The one place where Django's clock is replaced."""
    clock = Clock(timezone.now())
    monkeypatch.setattr(timezone, "now", clock.now)
    return clock


@pytest.fixture
def jitter() -> Iterator[Callable[[], float]]:
    """Random numbers that are the same in every run."""
    state = random.getstate()
    random.seed(1)
    yield random.random
    random.setstate(state)


@pytest.fixture
def server(clock: Clock) -> Iterator[PoliteServer]:
    with PoliteServer(clock.now) as server:
        yield server


@pytest.fixture
def reader(db: None, jitter: Callable[[], float], server: PoliteServer, clock: Clock, settings: Any) -> Reader:
    """The project's own settings, but for what leads to the server."""
    settings.FEEDS_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    settings.FEEDS_CONTACT_URL = "https://example.org/about-this-reader"

    def start_worker(**changes: Any) -> Worker:
        chosen = replace(feeds_settings(), **changes)
        fetch_settings = chosen.part(FetchSettings)
        fetcher = Fetcher(fetch_settings, clock=lambda: clock.now().timestamp(), getaddrinfo=server.getaddrinfo)
        importer = Importer(chosen, fetcher=fetcher, clock=clock.now, jitter=jitter)
        return Worker(fetcher, lambda url, slot: importer.run(ImportRequest(url=url, slot=slot)))

    return Reader(server, clock, start_worker)
