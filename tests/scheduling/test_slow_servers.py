"""Permits for slow servers: which fetch needs one, and what becomes of one that finds none."""

import threading
from collections.abc import Iterator
from math import inf

import pytest

from feeds.fetching import FetchSettings
from feeds.fetching.fetcher import Fetcher
from feeds.fetching.values import Allowance, Failed, FeedRequest, Fetched
from feeds.outcomes import FailureKind
from feeds.scheduling import rate_limit, slow_servers
from feeds.scheduling.slow_servers import ALLOWANCE, FIRST_ALLOWANCE, Bulkhead, Permit
from tests.rigs.servers.feed_server import FeedServer, Received, answer

SLOW = ALLOWANCE + 1  # seconds


def quick(bulkhead: Bulkhead) -> Permit:
    permit = bulkhead.permit(0.1, is_new=False)
    assert permit is not None
    return permit


def test_a_feed_known_as_slow_needs_a_permit_before_it_begins_and_gives_it_back() -> None:
    bulkhead = Bulkhead(1)
    first = bulkhead.permit(SLOW, is_new=False)
    assert first is not None
    assert first.allowance.seconds == inf
    assert bulkhead.permit(SLOW, is_new=False) is None
    first.give_back()
    assert bulkhead.permit(SLOW, is_new=False) is not None


@pytest.mark.parametrize(
    ("fetch_seconds", "is_new", "seconds"),
    [(None, True, FIRST_ALLOWANCE), (None, False, ALLOWANCE), (0.1, False, ALLOWANCE), (1.9, False, ALLOWANCE)],
)
def test_a_feed_that_is_not_known_as_slow_begins_without_a_permit_and_with_an_allowance(
    fetch_seconds: float | None, is_new: bool, seconds: float
) -> None:
    permit = Bulkhead(0).permit(fetch_seconds, is_new=is_new)
    assert permit is not None
    assert permit.allowance.seconds == seconds


def test_a_new_feed_that_was_cut_is_known_as_slow() -> None:
    assert Bulkhead(0).permit(FIRST_ALLOWANCE, is_new=True) is None


def test_a_fetch_that_turns_out_to_be_slow_takes_a_permit_or_is_cut() -> None:
    bulkhead = Bulkhead(1)
    first, second = quick(bulkhead), quick(bulkhead)
    assert first.allowance.ask()
    assert not second.allowance.ask()
    assert (first.was_cut, second.was_cut) == (False, True)


def test_a_fetch_has_one_permit_however_often_it_asks() -> None:
    bulkhead = Bulkhead(2)
    first = quick(bulkhead)
    assert first.take()
    assert first.allowance.ask()
    first.give_back()
    first.give_back()
    assert [bulkhead.permit(SLOW, is_new=False) is None for _ in range(3)] == [False, False, True]


def test_a_feed_without_a_permit_comes_back_through_the_queue_and_then_through_the_schedule() -> None:
    for jitter in (0.0, 0.999):
        assert slow_servers.wait(has_waited=False, jitter=jitter) < rate_limit.LONGEST_DELAY
        assert slow_servers.wait(has_waited=True, jitter=jitter) > rate_limit.LONGEST_DELAY


# With real sockets


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        running.routes["/drip"] = lambda _: running.drip(b"HTTP/1.1 200 OK\r\n", b"X: a\r\n")
        yield running


@pytest.fixture
def fetcher() -> Fetcher:
    return Fetcher(FetchSettings(allowed_networks=("127.0.0.0/8",)))


def test_a_fetch_that_is_given_no_more_ends_with_its_allowance(server: FeedServer, fetcher: Fetcher) -> None:
    endless = FeedRequest(url=server.url("/drip"), deadline=3600.0)
    outcome = fetcher.fetch(endless, Allowance(seconds=0.2, may_go_on=lambda: False))
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.TIMEOUT


def test_a_fetch_that_was_given_no_more_does_not_ask_again(server: FeedServer, fetcher: Fetcher) -> None:
    answers = iter([False, True])
    server.routes["/feed"] = answer(302, location="/drip")
    request = FeedRequest(url=server.url(), deadline=3600.0)
    fetcher.fetch(request, Allowance(seconds=0.2, may_go_on=lambda: next(answers)))
    assert next(answers)


def test_a_fetch_that_may_go_on_is_not_asked_again(server: FeedServer, fetcher: Fetcher) -> None:
    asked = threading.Event()

    def may_go_on() -> bool:
        assert not asked.is_set()
        asked.set()
        return True

    def late(_: Received) -> bytes:
        asked.wait(10)
        return answer(200, b"<rss/>")

    server.routes = {"/feed": late}
    allowance = Allowance(seconds=0.05, may_go_on=may_go_on)
    assert isinstance(fetcher.fetch(FeedRequest(url=server.url()), allowance), Fetched)
    assert allowance.seconds == inf


def test_the_deadline_still_holds_for_a_fetch_that_may_go_on(server: FeedServer, fetcher: Fetcher) -> None:
    request = FeedRequest(url=server.url("/drip"), deadline=0.3)
    outcome = fetcher.fetch(request, Allowance(seconds=0.1))
    assert isinstance(outcome, Failed)
    assert "0.3 seconds" in outcome.text


def test_a_quick_fetch_asks_for_nothing(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes = {"/feed": answer(200, b"<rss/>")}
    allowance = Allowance(seconds=60, may_go_on=lambda: pytest.fail("asked"))
    assert isinstance(fetcher.fetch(FeedRequest(url=server.url()), allowance), Fetched)
