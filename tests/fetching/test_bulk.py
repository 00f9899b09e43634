"""Whose turn it is to hold a large document: one thread's, until it leaves."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import brotli
import pytest

from feeds.fetching import FetchSettings, bulk
from feeds.fetching.fetcher import Fetcher
from feeds.fetching.sockets import Patience
from feeds.fetching.values import Failed, FeedRequest, Fetched, FetchOutcome
from feeds.outcomes import FailureKind
from tests.rigs.servers.feed_server import FeedServer, answer

LARGE = answer(body=b"x" * (bulk.LARGE + 1))
SMALL = answer(body=b"x" * bulk.LARGE)


@contextmanager
def somebody() -> Iterator[Callable[[], None]]:
    """Let another thread hold a large document; yield what makes it leave, and wait for that."""

    def hold() -> None:
        assert bulk.Turn().comes(10)
        holds.set()
        done.wait()
        bulk.leave()

    def leave() -> None:
        done.set()
        thread.join()

    holds, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    assert holds.wait(20)
    try:
        yield leave
    finally:
        leave()


@pytest.fixture(autouse=True)
def _nobody() -> Iterator[None]:
    yield
    bulk.leave()


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as server:
        yield server


def fetch(server: FeedServer, content: bytes, *, seconds: float, turn: bulk.Turn | None) -> FetchOutcome:
    server.routes["/feed"] = content
    patience = Patience(seconds=seconds, more=lambda _: 0.0, turn=turn.comes) if turn else None
    with closing(Fetcher(FetchSettings(allowed_networks=("127.0.0.0/8",)))) as fetcher:
        return fetcher.fetch(FeedRequest(url=server.url()), patience)


def test_the_second_waits_until_the_first_has_left() -> None:
    turn = bulk.Turn()
    with somebody() as leave:
        assert not turn.comes(0.01)
        assert turn.waited > 0
        threading.Timer(0.1, leave).start()
        assert turn.comes(20)


def test_who_finds_nobody_has_not_waited_and_may_come_again() -> None:
    turn = bulk.Turn()
    assert turn.comes(0)
    assert turn.comes(0)
    assert turn.waited == 0
    bulk.leave()
    with somebody():
        bulk.leave()
        assert not turn.comes(0)


def test_a_large_document_is_not_read_before_its_turn(server: FeedServer) -> None:
    with somebody():
        outcome = fetch(server, LARGE, seconds=0.5, turn=(turn := bulk.Turn()))
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.TIMEOUT
    assert turn.waited > 0


def test_a_large_document_is_read_when_its_turn_comes(server: FeedServer) -> None:
    with somebody() as leave:
        threading.Timer(0.1, leave).start()
        assert isinstance(fetch(server, LARGE, seconds=20, turn=bulk.Turn()), Fetched)


def test_a_small_document_and_a_fetch_on_its_own_wait_for_nobody(server: FeedServer) -> None:
    with somebody():
        assert isinstance(fetch(server, SMALL, seconds=20, turn=(turn := bulk.Turn())), Fetched)
        assert isinstance(fetch(server, LARGE, seconds=20, turn=None), Fetched)
    assert turn.waited == 0


@pytest.mark.parametrize(("window", "waits"), [(16, False), (22, False), (23, True), (24, True)])
def test_a_decoder_that_takes_much_memory_waits_too(server: FeedServer, window: int, waits: bool) -> None:
    small = answer(body=brotli.compress(b"<rss/>", lgwin=window), content_encoding="br")
    with somebody():
        fetch(server, small, seconds=0.5, turn=(turn := bulk.Turn()))
    assert (turn.waited > 0) is waits
