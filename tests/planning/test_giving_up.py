"""When a feed is polled no more, and when a failure is not its fault."""

from datetime import UTC, datetime, timedelta

import pytest

from feeds.fetching.values import Failed, FeedRequest, Fetched, FetchOutcome, Gone, NotModified, TooMany
from feeds.outcomes import FailureKind, Outcome
from feeds.parsing.values import ParsedFeed
from feeds.planning import planner
from feeds.planning.schedule import Pace
from feeds.planning.values import FeedState, ImportPlan

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
URL = "https://example.org/feed"
NOT_FOUND = Failed(kind=FailureKind.NOT_FOUND, text="not found", status=404)


def plan(
    outcome: FetchOutcome,
    parsed: ParsedFeed | None = None,
    *,
    kind: str = "",
    failing_for: timedelta | None = None,
    outage: bool = False,
    expired: bool = False,
) -> ImportPlan:
    known = FeedState(
        id=1,
        url=URL,
        revision=0,
        request=FeedRequest(url=URL),
        created_at=NOW,
        expired=expired,
        failures=0 if failing_for is None else 5,
        failing_since=None if failing_for is None else NOW - failing_for,
        failure_kind=kind,
    )
    pace = Pace(shortest=3600, longest=86_400, unconditional=86_400)
    return planner.plan(known, outcome, parsed, (), started_at=NOW, now=NOW, pace=pace, luck=0.5, outage=outage)


def days(made: ImportPlan) -> float:
    assert made.next_check.at is not None
    return (made.next_check.at - NOW) / timedelta(days=1)


def test_h17_a_first_410_is_confirmed_after_a_day() -> None:
    made = plan(Gone(url=URL))
    assert made.switch_off == ""
    assert 1.0 <= days(made) <= 1.1
    assert made.next_check.reason == "the server says gone; asked once more after a day"


def test_h17_a_confirmed_410_switches_off_with_a_reason() -> None:
    made = plan(Gone(url=URL), kind="gone", failing_for=timedelta(days=1.02))
    assert made.switch_off
    assert made.next_check.at is None


def test_h17_a_second_410_on_the_same_day_confirms_nothing() -> None:
    assert plan(Gone(url=URL), kind="gone", failing_for=timedelta(hours=1)).switch_off == ""


def test_h17_a_410_after_other_failures_is_a_first_one() -> None:
    assert plan(Gone(url=URL), kind="server_error", failing_for=timedelta(days=30)).switch_off == ""


@pytest.mark.parametrize(("weeks", "off"), [(0, False), (5, False), (6, True)])
def test_h17_404_gives_up_only_after_weeks(weeks: int, off: bool) -> None:
    made = plan(NOT_FOUND, kind="not_found", failing_for=timedelta(weeks=weeks))
    assert bool(made.switch_off) is off


@pytest.mark.parametrize(
    "kind",
    [FailureKind.UNAUTHORIZED, FailureKind.FORBIDDEN, FailureKind.LEGAL, FailureKind.SERVER_ERROR, FailureKind.DNS],
)
def test_h17_everything_else_is_tried_for_ever(kind: FailureKind) -> None:
    made = plan(Failed(kind=kind, text="no"), kind=kind, failing_for=timedelta(weeks=100))
    assert made.switch_off == ""
    assert made.next_check.at is not None


def test_f10_a_feed_that_has_expired_is_polled_no_more() -> None:
    fetched = Fetched(url=URL, body=b"", body_digest=b"")
    made = plan(fetched, ParsedFeed(expired=True))
    assert (made.outcome, made.switch_off, made.next_check.at) == (Outcome.IMPORTED, planner.EXPIRED, None)
    for outcome in (NotModified(url=URL), NOT_FOUND):
        assert plan(outcome, expired=True).switch_off == planner.EXPIRED
    assert plan(fetched, ParsedFeed(), expired=True).switch_off == ""


def test_h17_if_nothing_can_be_reached_no_feed_is_charged() -> None:
    made = plan(Failed(kind=FailureKind.DNS, text="no"), kind="dns", failing_for=timedelta(days=1), outage=True)
    assert not made.charged
    assert 600 <= days(made) * 86_400 <= 1200
    assert "not charged" in made.next_check.reason


def test_h11_the_answer_tells_whether_the_server_gives_validators() -> None:
    without, with_etag = plan(NotModified(url=URL)), plan(NotModified(url=URL, etag='"1"'))
    assert days(without) > 1
    assert days(with_etag) < 0.1


@pytest.mark.parametrize(("status", "seconds"), [(429, 600), (503, 60)])
def test_h14_a_host_that_does_not_say_how_long_is_paused_for_a_while(status: int, seconds: int) -> None:
    made = plan(TooMany(url=URL, status=status))
    assert made.pause is not None
    assert (made.pause.host, made.pause.until) == ("example.org", NOW + timedelta(seconds=seconds))


def test_h14_a_private_host_answers_for_each_feed_by_itself() -> None:
    assert plan(TooMany(url="http://rss-bridge/feed", status=429, retry_after=9.0)).pause is None
