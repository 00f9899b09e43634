"""Slow servers and a few places for them: who may stay, who comes back later."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from feeds import lanes, pacing
from feeds.conf import FeedsSettings
from feeds.deadlines import Patience
from feeds.documents import Failed, FailureKind, FeedRequest, Fetched
from feeds.fetcher import Fetcher
from tests.servers.feed_server import FeedServer, Received, answer

SLOW = lanes.QUICK + 1


def test_a_feed_known_as_slow_needs_a_place_and_gives_it_back() -> None:
    lane = lanes.Lane(1)
    with lane.visit(SLOW) as first:
        assert not first.is_turned_away
        assert first.patience is None
        with lane.visit(SLOW) as second:
            assert second.is_turned_away
    with lane.visit(SLOW) as third:
        assert not third.is_turned_away


@pytest.mark.parametrize("fetch_seconds", [None, 0.1])
def test_any_other_feed_begins_at_once(fetch_seconds: float | None) -> None:
    lane = lanes.Lane(0)
    with lane.visit(fetch_seconds) as visit:
        assert not visit.is_turned_away
        assert visit.patience is not None


def test_who_turns_out_to_be_slow_takes_a_place_or_is_cut() -> None:
    lane = lanes.Lane(1)
    with lane.visit(None) as first, lane.visit(None) as second:
        assert first.patience is not None
        assert second.patience is not None
        assert first.patience.may_go_on()
        assert not second.patience.may_go_on()
    assert (first.was_cut, second.was_cut) == (False, True)
    assert lane.take()
    assert not lane.take()


def test_a_visit_that_is_over_takes_no_place() -> None:
    lane = lanes.Lane(1)
    with lane.visit(None) as visit:
        patience = visit.patience
    assert patience is not None
    assert not patience.may_go_on()
    assert lane.take()


def test_who_finds_no_place_comes_back_through_the_queue_and_then_through_the_schedule() -> None:
    for luck in (0.0, 0.999):
        assert lanes.wait(has_waited=False, luck=luck) < pacing.LONGEST_DELAY
        assert lanes.wait(has_waited=True, luck=luck) > pacing.LONGEST_DELAY


# With real sockets


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    with closing(Fetcher(FeedsSettings(allowed_networks=("127.0.0.0/8",)))) as made:
        yield made


def test_a_fetch_that_may_not_go_on_ends_when_patience_does(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes = {"/feed": lambda _: server.drip(b"HTTP/1.1 200 OK\r\n", b"X: a\r\n")}
    endless = FeedRequest(url=server.url(), deadline=3600.0)
    outcome = fetcher.fetch(endless, Patience(seconds=0.2, may_go_on=lambda: False))
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.TIMEOUT


def test_a_fetch_that_may_go_on_is_asked_for_once_and_goes_on(server: FeedServer, fetcher: Fetcher) -> None:
    asked = threading.Event()
    times = []

    def may_go_on() -> bool:
        times.append(1)
        asked.set()
        return True

    def late(_: Received) -> bytes:
        asked.wait(10)
        return answer(200, b"<rss/>")

    server.routes = {"/feed": late}
    outcome = fetcher.fetch(FeedRequest(url=server.url()), Patience(seconds=0.05, may_go_on=may_go_on))
    assert isinstance(outcome, Fetched)
    assert times == [1]


def test_the_deadline_still_holds_for_who_may_go_on(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes = {"/feed": lambda _: server.drip(b"HTTP/1.1 200 OK\r\n", b"X: a\r\n")}
    request = FeedRequest(url=server.url(), deadline=0.3)
    outcome = fetcher.fetch(request, Patience(seconds=0.1, may_go_on=lambda: True))
    assert isinstance(outcome, Failed)
    assert "0.3 seconds" in outcome.text


def test_a_quick_fetch_asks_nobody(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes = {"/feed": answer(200, b"<rss/>")}
    outcome = fetcher.fetch(FeedRequest(url=server.url()), Patience(seconds=5, may_go_on=pytest.fail))
    assert isinstance(outcome, Fetched)
