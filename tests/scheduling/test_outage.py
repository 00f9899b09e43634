"""Is it the feed, or are we offline?"""

from datetime import UTC, datetime, timedelta

import pytest

from feeds.outcomes import FailureKind
from feeds.scheduling.outage import HOSTS, OutageDetector

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def fail(detector: OutageDetector, hosts: int, *, first: int = 0, now: datetime = NOW) -> list[bool]:
    return [detector.note(f"{number}.example", FailureKind.DNS, now) for number in range(first, first + hosts)]


def test_if_no_host_at_all_can_be_reached_it_is_an_outage() -> None:
    assert fail(OutageDetector(), HOSTS + 2) == [False] * HOSTS + [True, True]


def test_one_host_that_fails_again_and_again_is_no_outage() -> None:
    detector = OutageDetector()
    assert not any(detector.note("a.example", FailureKind.TIMEOUT, NOW) for _ in range(100))


def test_any_answer_ends_the_outage_be_it_an_error() -> None:
    detector = OutageDetector()
    fail(detector, HOSTS + 2)
    assert not detector.note("a.example", FailureKind.NOT_FOUND, NOW)
    assert fail(detector, 1) == [False]


def test_failures_of_long_ago_do_not_count() -> None:
    detector = OutageDetector()
    fail(detector, HOSTS)
    assert fail(detector, 1, first=HOSTS, now=NOW + timedelta(hours=1)) == [False]


@pytest.mark.parametrize("kind", [FailureKind.INVALID_URL, FailureKind.REFUSED_ADDRESS])
def test_what_no_server_was_asked_for_neither_ends_an_outage_nor_belongs_to_it(kind: FailureKind) -> None:
    detector = OutageDetector()
    fail(detector, HOSTS + 2)
    assert not detector.note("10.0.0.1", kind, NOW)
    assert fail(detector, 1) == [True]
