"""When a feed is polled no more, and when a failure is not its fault."""

from datetime import timedelta

import pytest

from feeds.fetching.values import Failed, Fetched, FetchOutcome, NotModified
from feeds.outcomes import FailureKind, Outcome
from feeds.parsing.values import ParsedFeed
from feeds.planning import planner
from feeds.planning.values import DocumentState, ImportPlan, Streak
from tests.rigs.planning import NOW, URL, feed_state, make_plan

NOT_FOUND = Failed(kind=FailureKind.NOT_FOUND, text="not found", status=404)
GONE = Failed(kind=FailureKind.GONE, text="gone", status=410)


def too_many(status: int) -> Failed:
    return Failed(kind=FailureKind.TOO_MANY, text="no", status=status)


def plan(
    outcome: FetchOutcome,
    parsed: ParsedFeed | None = None,
    *,
    kind: str = "",
    failing_for: timedelta | None = None,
    outage: bool = False,
    expired: bool = False,
) -> ImportPlan:
    failures = Streak() if failing_for is None else Streak(count=5, since=NOW - failing_for, kind=kind)
    feed = feed_state(failures=failures, document=DocumentState(expired=expired))
    return make_plan(feed, outcome, parsed, jitter=0.5, outage=outage)


def days(made: ImportPlan) -> float:
    assert made.next_check.at is not None
    return (made.next_check.at - NOW) / timedelta(days=1)


def test_a_first_410_is_confirmed_after_a_day() -> None:
    made = plan(GONE)
    assert made.disable == ""
    assert 1.0 <= days(made) <= 1.1
    assert made.next_check.reason == "the server says gone; asked once more after a day"


def test_a_confirmed_410_disables_with_a_reason() -> None:
    made = plan(GONE, kind="gone", failing_for=timedelta(days=1.02))
    assert made.disable
    assert made.next_check.at is None


def test_a_second_410_on_the_same_day_confirms_nothing() -> None:
    assert plan(GONE, kind="gone", failing_for=timedelta(hours=1)).disable == ""


def test_a_410_after_other_failures_is_a_first_one() -> None:
    assert plan(GONE, kind="server_error", failing_for=timedelta(days=30)).disable == ""


@pytest.mark.parametrize(("weeks", "off"), [(0, False), (5, False), (6, True)])
def test_404_gives_up_only_after_weeks(weeks: int, off: bool) -> None:
    made = plan(NOT_FOUND, kind="not_found", failing_for=timedelta(weeks=weeks))
    assert bool(made.disable) is off


@pytest.mark.parametrize(
    "kind",
    [FailureKind.UNAUTHORIZED, FailureKind.FORBIDDEN, FailureKind.LEGAL, FailureKind.SERVER_ERROR, FailureKind.DNS],
)
def test_everything_else_is_tried_for_ever(kind: FailureKind) -> None:
    made = plan(Failed(kind=kind, text="no"), kind=kind, failing_for=timedelta(weeks=100))
    assert made.disable == ""
    assert made.next_check.at is not None


def test_a_feed_that_has_expired_is_polled_no_more() -> None:
    fetched = Fetched(url=URL, body=b"", body_digest=b"")
    made = plan(fetched, ParsedFeed(expired=True))
    assert (made.outcome, made.disable, made.next_check.at) == (Outcome.IMPORTED, planner.EXPIRED, None)
    for outcome in (NotModified(url=URL), NOT_FOUND):
        assert plan(outcome, expired=True).disable == planner.EXPIRED
    assert plan(fetched, ParsedFeed(), expired=True).disable == ""


def test_if_nothing_can_be_reached_it_counts_against_no_feed() -> None:
    made = plan(Failed(kind=FailureKind.DNS, text="no"), kind="dns", failing_for=timedelta(days=1), outage=True)
    assert made.circumstances.outage
    assert 600 <= days(made) * 86_400 <= 1200
    assert "does not count against the feed" in made.next_check.reason


def test_the_answer_tells_whether_the_server_gives_validators() -> None:
    without, with_etag = plan(NotModified(url=URL)), plan(NotModified(url=URL, etag='"1"'))
    assert days(without) > 1
    assert days(with_etag) < 0.1


@pytest.mark.parametrize(("status", "seconds"), [(429, 600), (503, 60)])
def test_a_host_that_does_not_say_how_long_is_paused_for_a_while(status: int, seconds: int) -> None:
    made = plan(too_many(status))
    assert made.pause is not None
    assert (made.pause.host, made.pause.until) == ("example.org", NOW + timedelta(seconds=seconds))


def test_a_private_host_answers_for_each_feed_by_itself() -> None:
    assert make_plan(feed_state("http://rss-bridge/feed"), too_many(429)).pause is None
