"""Name servers that never answer: no fetch waits for another's."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from math import inf

import pytest

from feeds.fetching.deadline import Deadline, DeadlineExpired
from feeds.fetching.fetcher import Fetcher
from feeds.fetching.resolver import AddressInfo, GetAddressInfo, Resolver
from feeds.fetching.values import Allowance, Failed, FeedRequest, Fetched, FetchSettings
from feeds.outcomes import FailureKind
from tests.rigs.servers.feed_server import FeedServer, answer

HERE = "127.0.0.1"
THREADS = 8  # of a worker


@pytest.fixture
def silent() -> Iterator[threading.Event]:
    """Return what makes the name servers answer; they do at the end."""
    event = threading.Event()
    yield event
    event.set()


def name_service(silent: threading.Event) -> GetAddressInfo:
    def getaddrinfo(host: str, port: int, type: int) -> list[AddressInfo]:
        if host.startswith("silent"):
            silent.wait(60)
        return [(socket.AF_INET, type, socket.IPPROTO_TCP, "", (HERE, port))]

    return getaddrinfo


def test_64_feeds_whose_name_servers_never_answer_hold_no_other_feed(silent: threading.Event) -> None:
    fetcher = Fetcher(FetchSettings(allowed_networks=(f"{HERE}/32",)), getaddrinfo=name_service(silent))

    def fetch(number: int) -> object:
        request = FeedRequest(url=f"http://silent{number}.test/", deadline=3600.0)
        return fetcher.fetch(request, Allowance(seconds=0.05, may_go_on=lambda: False))

    with FeedServer() as server:
        server.routes["/feed"] = answer(body=b"<rss/>")
        with ThreadPoolExecutor(THREADS) as workers:
            outcomes = list(workers.map(fetch, range(64)))
        outcome = fetcher.fetch(FeedRequest(url=server.url(host="good.test")))
        assert not silent.is_set()
    assert isinstance(outcome, Fetched)
    assert {one.kind for one in outcomes if isinstance(one, Failed)} == {FailureKind.TIMEOUT}


def test_a_name_that_is_not_resolved_in_time_is_a_dns_failure_without_an_allowance(silent: threading.Event) -> None:
    settings = FetchSettings(allowed_networks=(f"{HERE}/32",), connect_timeout=0.1)
    outcome = Fetcher(settings, getaddrinfo=name_service(silent)).fetch(FeedRequest(url="http://silent.test/"))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.text) == (FailureKind.DNS, "silent.test was not resolved in 0.1 seconds")


def test_a_fetch_that_finds_too_many_names_unanswered_waits_within_its_allowance(silent: threading.Event) -> None:
    resolver = Resolver(name_service(silent), most=2)
    for number in range(2):
        with pytest.raises(TimeoutError):
            resolver.resolve(f"silent{number}.test", 80, Deadline(3600.0), 0.01)
    with pytest.raises(DeadlineExpired):
        resolver.resolve("good.test", 80, Deadline(3600.0, Allowance(seconds=0.05, may_go_on=lambda: False)), inf)
    silent.set()
    assert resolver.resolve("good.test", 80, Deadline(3600.0), 60.0)


def test_what_the_system_says_of_a_name_is_raised() -> None:
    def getaddrinfo(host: str, port: int, type: int) -> list[AddressInfo]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    resolver = Resolver(getaddrinfo, most=1)
    for _ in range(3):  # and no thread is left that counts
        with pytest.raises(socket.gaierror):
            resolver.resolve("none.test", 80, Deadline(3600.0), 60.0)


def test_the_name_service_of_the_system_is_asked() -> None:
    found = Resolver(socket.getaddrinfo).resolve("localhost", 80, Deadline(60.0), 60.0)
    assert {info[4][0] for info in found} <= {"127.0.0.1", "::1"}
