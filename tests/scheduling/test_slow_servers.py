"""Slow servers and a few places for them: who may stay, who comes back later."""

import threading
from collections.abc import Iterator
from contextlib import closing
from math import inf

import pytest

from feeds.fetching import FetchSettings
from feeds.fetching.fetcher import Fetcher
from feeds.fetching.sockets import Patience
from feeds.fetching.values import Failed, FeedRequest, Fetched
from feeds.outcomes import FailureKind
from feeds.scheduling import rate_limit, slow_servers
from tests.rigs.servers.feed_server import FeedServer, Received, answer

SLOW = slow_servers.QUICK + 1
USUAL = 0.1


@pytest.fixture
def busy() -> slow_servers.Lanes:
    """Return lanes with one slow place that know what fetches take, and where no late place is left but the last."""
    busy = slow_servers.Lanes(1)
    for _ in range(slow_servers.ENOUGH):
        busy.habit.note(USUAL)
    while busy.late.take(keep=1):
        pass
    return busy


def asked(visit: slow_servers.Visit, passed: float) -> float:
    """Ask, as the fetch does, for more time."""
    return visit.patience.more(passed)


# Slow ones


def test_a_feed_known_as_slow_needs_a_place_and_gives_it_back() -> None:
    of_process = slow_servers.Lanes(1)
    with of_process.visit(SLOW, is_new=False) as first:
        assert not first.is_turned_away
        assert first.patience.seconds == inf
        with of_process.visit(SLOW, is_new=False) as second:
            assert second.is_turned_away
    with of_process.visit(SLOW, is_new=False) as third:
        assert not third.is_turned_away


@pytest.mark.parametrize("fetch_seconds", [0.1, slow_servers.QUICK / 2])
def test_a_feed_that_was_not_slow_begins_at_once_and_has_two_seconds(
    busy: slow_servers.Lanes, fetch_seconds: float
) -> None:
    with busy.visit(fetch_seconds, is_new=False) as visit:
        assert not visit.is_turned_away
        assert visit.patience.seconds == slow_servers.QUICK


def test_who_turns_out_to_be_slow_takes_a_place_or_is_cut() -> None:
    of_process = slow_servers.Lanes(1)
    with of_process.visit(0.1, is_new=False) as first, of_process.visit(0.1, is_new=False) as second:
        assert asked(first, slow_servers.QUICK) == inf
        assert asked(second, slow_servers.QUICK) == 0
    assert (first.was_cut, second.was_cut) == (False, True)
    assert of_process.slow.take()
    assert not of_process.slow.take()


def test_a_visit_that_is_over_takes_no_place() -> None:
    of_process = slow_servers.Lanes(1)
    with of_process.visit(0.1, is_new=False) as visit:
        patience = visit.patience
    assert patience.more(slow_servers.QUICK) == 0
    assert of_process.slow.take()


# Late ones


def test_a_new_feed_has_two_seconds_where_it_is_not_known_what_fetches_take() -> None:
    with slow_servers.Lanes(0).visit(None, is_new=True) as visit:
        passed = slow_servers.SHORTEST
        while more := asked(visit, passed):
            passed += more
    assert passed == pytest.approx(slow_servers.QUICK)
    assert visit.was_cut


def test_a_new_feed_that_is_late_goes_on_with_a_place_until_it_is_slow() -> None:
    of_process = slow_servers.Lanes(1)
    for _ in range(slow_servers.ENOUGH):
        of_process.habit.note(USUAL)
    with of_process.visit(None, is_new=True) as visit:
        assert asked(visit, 0.5) == slow_servers.QUICK - 0.5
        assert asked(visit, slow_servers.QUICK) == inf


def test_of_new_feeds_that_are_late_in_a_crowd_all_but_one_are_cut(busy: slow_servers.Lanes) -> None:
    with busy.visit(None, is_new=True) as first, busy.visit(None, is_new=True) as second:
        assert asked(first, 2 * USUAL) == inf  # the slow place
        assert asked(second, 2 * USUAL) == 0
    assert second.was_cut


def test_who_was_cut_begins_only_with_a_late_place_and_one_in_four_is_for_such() -> None:
    of_process = slow_servers.Lanes(1)
    with of_process.visit(0.2, is_new=True) as first, of_process.visit(0.2, is_new=True) as second:
        assert (first.is_turned_away, second.is_turned_away) == (False, True)
        assert first.patience.seconds == slow_servers.QUICK
    for _ in range(100):
        with of_process.visit(0.2, is_new=True):
            pass
    places = [of_process.visit(0.2, is_new=True).__enter__() for _ in range(10)]
    assert [place.is_turned_away for place in places] == [False] * 8 + [True] * 2


def test_the_last_late_place_is_for_those_that_were_cut(busy: slow_servers.Lanes) -> None:
    assert late_places(busy) == 1
    for _ in range(4):
        busy.late.give_back(answered=False)
    with busy.visit(None, is_new=True) as new, busy.visit(0.2, is_new=True) as cut:
        assert busy.slow.take()
        assert asked(new, slow_servers.QUICK / 2) == 0
        assert not cut.is_turned_away


def late_places(of_process: slow_servers.Lanes) -> int:
    """Return how many places are left, and take them."""
    return sum(iter(of_process.late.take, False))


def test_late_servers_that_answer_make_places_and_those_that_hang_take_them() -> None:
    of_process = slow_servers.Lanes(1)
    for _ in range(100):
        with of_process.visit(0.2, is_new=True):
            pass
    assert late_places(of_process) == 32
    of_process = slow_servers.Lanes(1)
    assert of_process.slow.take()
    for _ in range(100):
        with of_process.visit(0.2, is_new=True) as visit:
            assert asked(visit, slow_servers.QUICK) == 0
    assert late_places(of_process) == 1


def test_who_goes_from_a_late_place_to_a_slow_one_has_not_answered() -> None:
    of_process = slow_servers.Lanes(1)
    with of_process.visit(0.2, is_new=True) as visit:
        assert asked(visit, slow_servers.QUICK) == inf
    assert late_places(of_process) == 3


# What fetches take


def limit(*took: float) -> float:
    habit = slow_servers.Habit()
    for seconds in took:
        habit.note(seconds)
    return habit.limit()


def test_late_is_who_takes_half_as_long_again_as_three_of_four() -> None:
    assert limit(*[0.2] * 80, *[5.0] * 20) == pytest.approx(0.3)


def test_the_limit_follows_where_most_servers_are_slower() -> None:
    assert limit(*[0.1] * 100, *[0.7] * 100) == pytest.approx(1.05)
    assert limit(*[0.02] * 70, *[0.2] * 30) == pytest.approx(0.3)  # cut at the limit, and yet it rises


def test_the_limit_has_bounds() -> None:
    assert limit(*[0.001] * 100) == slow_servers.SHORTEST
    assert limit(*[60.0] * 100) == slow_servers.QUICK


def test_who_finds_no_place_comes_back_through_the_queue_and_then_through_the_schedule() -> None:
    for luck in (0.0, 0.999):
        assert slow_servers.wait(has_waited=False, luck=luck) < rate_limit.LONGEST_DELAY
        assert slow_servers.wait(has_waited=True, luck=luck) > rate_limit.LONGEST_DELAY


# With real sockets


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    with closing(Fetcher(FetchSettings(allowed_networks=("127.0.0.0/8",)))) as made:
        yield made


def test_a_fetch_that_may_not_go_on_ends_when_patience_does(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes = {"/feed": lambda _: server.drip(b"HTTP/1.1 200 OK\r\n", b"X: a\r\n")}
    endless = FeedRequest(url=server.url(), deadline=3600.0)
    outcome = fetcher.fetch(endless, Patience(seconds=0.2, more=lambda _: 0.0))
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.TIMEOUT


def test_a_fetch_is_asked_again_when_what_it_was_given_is_over(server: FeedServer, fetcher: Fetcher) -> None:
    asked = threading.Event()
    given = iter([0.05, inf])
    times = []

    def more(passed: float) -> float:
        times.append(passed)
        seconds = next(given)
        if seconds == inf:
            asked.set()
        return seconds

    def late(_: Received) -> bytes:
        asked.wait(10)
        return answer(200, b"<rss/>")

    server.routes = {"/feed": late}
    outcome = fetcher.fetch(FeedRequest(url=server.url()), Patience(seconds=0.05, more=more))
    assert isinstance(outcome, Fetched)
    assert len(times) == 2
    assert times[0] >= 0.05
    assert times[1] >= 0.1


def test_the_deadline_still_holds_for_who_may_go_on(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes = {"/feed": lambda _: server.drip(b"HTTP/1.1 200 OK\r\n", b"X: a\r\n")}
    request = FeedRequest(url=server.url(), deadline=0.3)
    outcome = fetcher.fetch(request, Patience(seconds=0.1, more=lambda _: inf))
    assert isinstance(outcome, Failed)
    assert "0.3 seconds" in outcome.text


def test_a_quick_fetch_asks_nobody(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes = {"/feed": answer(200, b"<rss/>")}
    outcome = fetcher.fetch(FeedRequest(url=server.url()), Patience(seconds=5, more=lambda _: pytest.fail("asked")))
    assert isinstance(outcome, Fetched)
