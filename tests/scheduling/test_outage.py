"""Is it the feed, or are we offline?"""

from datetime import UTC, datetime, timedelta

from feeds.outcomes import FailureKind
from feeds.scheduling.outage import HOSTS, OutageDetector

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def fail(outlook: OutageDetector, hosts: int, *, first: int = 0, now: datetime = NOW) -> list[bool]:
    return [outlook.note(f"{number}.example", FailureKind.DNS, now) for number in range(first, first + hosts)]


def test_h17_if_no_host_at_all_can_be_reached_no_feed_is_charged() -> None:
    assert fail(OutageDetector(), HOSTS + 2) == [False] * HOSTS + [True, True]


def test_h17_one_host_that_fails_again_and_again_is_no_outage() -> None:
    outlook = OutageDetector()
    assert not any(outlook.note("a.example", FailureKind.TIMEOUT, NOW) for _ in range(100))


def test_h17_any_answer_ends_the_outage_be_it_an_error() -> None:
    outlook = OutageDetector()
    fail(outlook, HOSTS + 2)
    assert not outlook.note("a.example", FailureKind.NOT_FOUND, NOW)
    assert fail(outlook, 1) == [False]


def test_failures_of_long_ago_do_not_count() -> None:
    outlook = OutageDetector()
    fail(outlook, HOSTS)
    assert fail(outlook, 1, first=HOSTS, now=NOW + timedelta(hours=1)) == [False]
