"""Connections to names with several addresses, some of which are dead."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import inf

import pytest

from feeds.fetching.dialer import MAX_ADDRESSES, Address, interleaved
from feeds.fetching.fetcher import Fetcher
from feeds.fetching.values import Allowance, Failed, FeedRequest, Fetched, FetchOutcome, FetchSettings
from feeds.outcomes import FailureKind
from tests.rigs.names import name_service
from tests.rigs.servers.feed_server import FeedServer, answer

V4, V6 = socket.AF_INET, socket.AF_INET6
GOOD = "127.0.0.1"


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=V6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as server:
        server.routes["/feed"] = answer(body=b"<rss/>")
        yield server


@contextmanager
def silent(address: str, port: int) -> Iterator[None]:
    """Let an address take no connection and refuse none: its queue is full."""
    family = V6 if ":" in address else V4
    with ExitStack() as stack:
        stack.enter_context(socket.create_server((address, port), family=family, backlog=0))
        for _ in range(4):
            sock = stack.enter_context(socket.socket(family))
            sock.setblocking(False)
            sock.connect_ex((address, port))
        yield


def fetcher(*addresses: str, connect_timeout: float = 60.0) -> Fetcher:
    settings = FetchSettings(allowed_networks=("127.0.0.0/8", "::1/128"), connect_timeout=connect_timeout)
    return Fetcher(settings, getaddrinfo=name_service(*addresses))


def fetch(fetcher: Fetcher, server: FeedServer, allowance: Allowance | None = None) -> FetchOutcome:
    return fetcher.fetch(FeedRequest(url=server.url(host="feeds.test")), allowance)


@pytest.mark.parametrize("refusing", [4, MAX_ADDRESSES - 1])
def test_addresses_that_refuse_are_passed_over(server: FeedServer, refusing: int) -> None:
    dead = [f"127.0.1.{number}" for number in range(1, refusing + 1)]
    assert isinstance(fetch(fetcher(*dead, GOOD), server), Fetched)


@needs_ipv6
def test_ipv6_addresses_that_refuse_are_passed_over(server: FeedServer) -> None:
    assert isinstance(fetch(fetcher("::1", "::1", "::1", "::1", GOOD), server), Fetched)


@pytest.mark.parametrize("dead", ["127.0.0.9", pytest.param("::1", marks=needs_ipv6)])
def test_an_address_that_is_silent_holds_no_connection_to_the_next(server: FeedServer, dead: str) -> None:
    with silent(dead, server.port):
        assert isinstance(fetch(fetcher(dead, GOOD, connect_timeout=inf), server), Fetched)


def test_what_connecting_took_does_not_count_for_the_allowance(server: FeedServer) -> None:
    allowance = Allowance(seconds=60.0)
    with silent("127.0.0.9", server.port):
        fetch(fetcher("127.0.0.9", GOOD), server, allowance)
    assert allowance.connecting >= 0.25


def test_the_allowance_ends_a_connection_that_is_never_made(server: FeedServer) -> None:
    allowance = Allowance(seconds=0.1, may_go_on=lambda: False)
    with silent("127.0.0.9", server.port):
        outcome = fetch(fetcher("127.0.0.9"), server, allowance)
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.TIMEOUT
    assert allowance.connecting == 0.0


def test_a_host_whose_addresses_are_all_silent_is_left_after_the_connect_timeout(server: FeedServer) -> None:
    with silent("127.0.0.9", server.port), silent("127.0.0.10", server.port):
        outcome = fetch(fetcher("127.0.0.9", "127.0.0.10", connect_timeout=0.4), server)
    assert isinstance(outcome, Failed)
    text = f"feeds.test did not take the connection to port {server.port} in time"
    assert (outcome.kind, outcome.text) == (FailureKind.TIMEOUT, text)


@needs_ipv6
def test_the_family_that_worked_begins_the_next_time(server: FeedServer) -> None:
    one = fetcher("::1", GOOD)
    assert isinstance(fetch(one, server), Fetched)  # over IPv4, since ::1 refuses
    with socket.create_server(("::1", server.port), family=V6) as other:
        other.setblocking(False)
        assert isinstance(fetch(one, server), Fetched)
        with pytest.raises(BlockingIOError):
            other.accept()


def test_a_name_without_an_address_is_a_dns_failure(server: FeedServer) -> None:
    outcome = fetch(fetcher(), server)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.text) == (FailureKind.DNS, "feeds.test has no address")


def test_no_more_addresses_are_tried_than_there_may_be(server: FeedServer) -> None:
    dead = [f"127.0.1.{number}" for number in range(1, MAX_ADDRESSES + 1)]
    outcome = fetch(fetcher(*dead, GOOD), server)
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.CONNECT


def addresses(*families: int) -> list[Address]:
    return [(family, (str(number),)) for number, family in enumerate(families)]


@pytest.mark.parametrize(
    ("families", "first", "order"),
    [
        ((V6, V6, V4, V4), None, "0213"),
        ((V4, V6, V6, V6), None, "0123"),
        ((V6, V6, V4), V4, "201"),
        ((V6, V6), V4, "01"),
        ((), V4, ""),
    ],
)
def test_the_families_alternate(families: tuple[int, ...], first: int | None, order: str) -> None:
    assert "".join(sockaddr[0] for _, sockaddr in interleaved(addresses(*families), first)) == order
