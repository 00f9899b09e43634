"""A simulated week of ten thousand feeds; `python -m tests.rigs.simulation` has more of them."""

import pytest

from tests.rigs.simulation.__main__ import simulate
from tests.rigs.simulation.engine import Engine
from tests.rigs.simulation.figures import Figures
from tests.rigs.simulation.world import OUTAGE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def week() -> Engine:
    return simulate(10_000)


@pytest.fixture(scope="module")
def figures(week: Engine) -> Figures:
    return week.figures


def test_no_host_sees_two_requests_closer_than_its_delay(figures: Figures) -> None:
    assert figures.too_close == 0
    assert figures.closest >= 0.999
    assert figures.burst <= 60


def test_the_host_of_one_request_a_minute_gets_one_and_serves_all_its_feeds_one_after_the_other(
    week: Engine, figures: Figures
) -> None:
    assert figures.strict_burst == 1
    assert figures.strict_unserved == 0
    assert week.world.strict is not None
    everybody_else_once = week.world.strict.feeds * week.world.strict.delay
    assert figures.strict_latest < 1.2 * everybody_else_once


def test_two_429_are_enough_for_the_whole_host(figures: Figures) -> None:
    assert figures.stormed <= 3


def test_after_outage_and_storm_the_load_is_spread_again_within_the_time_the_delays_allow(
    week: Engine, figures: Figures
) -> None:
    storming, failing = week.world.hosts[:2]
    for host, moment, queue in (
        (failing, OUTAGE[1], figures.failing_queue),
        (storming, figures.pause_ends, figures.storming_queue),
    ):
        _, _, minutes = figures.recovery(moment, queue)
        assert minutes * 60 <= host.feeds * host.delay + 60


def test_a_restart_polls_no_feed_early(figures: Figures) -> None:
    assert figures.early == 0


def test_no_feed_starves(figures: Figures) -> None:
    assert figures.starved == 0
    assert figures.lateness.share(0.99) < 1.2


def test_every_feed_of_a_bulk_import_is_served(week: Engine) -> None:
    assert all(feed.polls for feed in week.world.crowd)
