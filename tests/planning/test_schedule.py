"""When to look again, and why."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from feeds import durations
from feeds.fetching import Failed
from feeds.outcomes import FailureKind
from feeds.planning import schedule
from feeds.planning.schedule import DAY, HOUR, News
from feeds.planning.values import Circumstances, DocumentState, History, NextCheck, Rules
from tests.rigs.planning import NOW, RULES

NO_HINTS = DocumentState()
HISTORY = History(created_at=NOW, interval=3600)


def circumstances(jitter: float = 0.0) -> Circumstances:
    return Circumstances(started_at=NOW, now=NOW, jitter=jitter)


def after_success(
    *,
    interval: int = 7200,
    silent: float = 0.0,
    new_entries: int = 0,
    dates: tuple[datetime, ...] = (),
    has_validators: bool = True,
    max_age: float | None = None,
    retry_after: float | None = None,
    fixed_interval: int | None = None,
    rules: Rules = RULES,
    hints: DocumentState = NO_HINTS,
    jitter: float = 0.0,
) -> NextCheck:
    changed_at = NOW - timedelta(seconds=silent)
    history = History(created_at=changed_at, changed_at=changed_at, interval=interval, fixed_interval=fixed_interval)
    news = News(
        new_entries=new_entries,
        dates=dates,
        has_validators=has_validators,
        max_age=max_age,
        retry_after=retry_after,
    )
    return schedule.after_success(history, news, hints, rules, circumstances(jitter))


def seconds(check: NextCheck) -> float:
    assert check.at is not None
    return (check.at - NOW).total_seconds()


# The learned interval


def test_a_new_feed_is_polled_after_the_shortest_interval() -> None:
    check = after_success(interval=0)
    assert seconds(check) == HOUR
    assert check.reason == "learned interval 1 h"


def test_no_feed_is_polled_sooner_however_much_it_publishes() -> None:
    assert seconds(after_success(interval=3600, silent=60, new_entries=50)) == HOUR


def test_a_server_without_validators_is_asked_once_a_day() -> None:
    check = after_success(has_validators=False)
    assert seconds(check) == DAY
    assert check.reason == "no validators 1 d > learned interval 2 h"


def test_the_dates_of_the_first_entries_give_a_first_pace() -> None:
    dates = tuple(NOW - timedelta(hours=12 * number) for number in range(1, 11))
    assert after_success(interval=0, new_entries=10, dates=dates).interval == 6 * HOUR  # two polls for each entry


def test_the_interval_approaches_half_the_time_between_new_entries() -> None:
    interval = 3600
    for _ in range(30):
        interval = after_success(interval=interval, silent=10 * HOUR, new_entries=1).interval
    assert interval == pytest.approx(5 * HOUR, rel=0.01)


def test_several_new_entries_share_the_time_before_them() -> None:
    one, many = (after_success(interval=40_000, silent=DAY, new_entries=count).interval for count in (1, 12))
    assert many < one


def test_quiet_feeds_are_stretched_over_days() -> None:
    waits = [seconds(after_success(silent=days * DAY)) / DAY for days in (1, 8, 31, 91, 366)]
    assert waits == [0.125, 1.0, 2.0, 4.0, 7.0]
    assert after_success(silent=31 * DAY).reason == "silence 2 d > learned interval 2 h"


def test_a_new_entry_snaps_back() -> None:
    check = after_success(silent=400 * DAY, new_entries=1)
    assert seconds(check) < 5 * HOUR
    assert check.reason == f"learned interval {durations.in_words(check.interval)}"


def test_unchanged_polls_leave_the_learned_interval_alone() -> None:
    assert after_success(silent=100 * DAY).interval == 7200


def test_a_fixed_interval_overrides_pace_and_hints() -> None:
    check = after_success(fixed_interval=600, max_age=5000.0, hints=DocumentState(skip_days=0b100))
    assert seconds(check) == 600
    assert check.reason == "fixed interval 10 min"


@pytest.mark.parametrize("fixed_interval", [None, 600])
def test_the_retry_after_of_a_redirect_is_waited_for_whatever_else_is_said(fixed_interval: int | None) -> None:
    check = after_success(retry_after=2 * DAY, fixed_interval=fixed_interval)
    assert seconds(check) == 2 * DAY
    assert check.reason.startswith("Retry-After 2 d > ")


# Hints


@pytest.mark.parametrize(
    "hint",
    [{"max_age": 30_000.0}, {"hints": DocumentState(ttl=30_000)}, {"hints": DocumentState(update_period=30_000)}],
)
def test_hints_lengthen(hint: dict[str, Any]) -> None:
    check = after_success(**hint)
    assert seconds(check) == 30_000
    assert "8 h 20 min > learned interval 2 h" in check.reason


def test_the_longest_of_all_wins() -> None:
    check = after_success(max_age=8000.0, hints=DocumentState(ttl=9000, update_period=8500))
    assert check.reason == "ttl 2 h 30 min > learned interval 2 h"


def test_hints_never_shorten() -> None:
    assert seconds(after_success(max_age=60, hints=DocumentState(ttl=60, update_period=60))) == 7200


def test_absurd_hints_are_capped_at_a_day() -> None:
    assert seconds(after_success(max_age=16 * 365 * DAY)) == DAY


def test_skipped_hours_and_days_are_skipped() -> None:
    check = after_success(interval=0, hints=DocumentState(skip_hours=1 << 13, skip_days=1 << 3))
    assert check.at == NOW.replace(hour=14)
    assert check.reason == "learned interval 1 h; skipHours or skipDays until Wed 14:00 UTC"


WEEKENDS = DocumentState(skip_days=0b1100000)


def test_a_skipped_weekend_lasts_until_monday() -> None:
    check = after_success(interval=int(3 * DAY), rules=Rules(max_interval=int(3 * DAY)), hints=WEEKENDS)
    assert check.at == datetime(2026, 3, 9, tzinfo=UTC)


@pytest.mark.parametrize("hints", [DocumentState(skip_hours=(1 << 24) - 1), DocumentState(skip_days=0b1111111)])
def test_skipping_every_hour_or_every_day_is_ignored(hints: DocumentState) -> None:
    assert seconds(after_success(hints=hints)) == 7200


# Jitter


def test_jitter_spreads_the_polls() -> None:
    assert seconds(after_success(jitter=0.5)) == 7200 * 1.05


def test_feeds_added_together_drift_apart() -> None:
    spread = [seconds(after_success(jitter=number / 100)) for number in range(100)]
    assert len(set(spread)) == 100
    assert max(spread) - min(spread) > 0.09 * 7200


def test_feeds_that_skip_the_same_hours_do_not_all_come_on_the_hour() -> None:
    hints = DocumentState(skip_hours=1 << 14)
    early, late = (after_success(hints=hints, jitter=jitter).at for jitter in (0.0, 0.9))
    assert early is not None
    assert late is not None
    assert NOW.replace(hour=15) <= early < late < NOW.replace(hour=15, minute=10)


# Failures


def after_failure(
    failures: int, jitter: float, kind: FailureKind = FailureKind.CONNECT, retry_after: float | None = None
) -> NextCheck:
    failure = Failed(kind=kind, text="", retry_after=retry_after)
    return schedule.after_failure(HISTORY, failures, failure, RULES, circumstances(jitter))


def test_failures_back_off_exponentially_to_a_week_with_full_jitter() -> None:
    assert [seconds(after_failure(failures, 1.0)) for failures in (4, 5, 30)] == [4 * HOUR, 8 * HOUR, 7 * DAY]
    assert seconds(after_failure(5, 0.5)) == 4 * HOUR
    assert after_failure(4, 0.5).reason == "no connection; failure 4 in a row, back-off up to 4 h"


@pytest.mark.parametrize("failures", [1, 4, 30, 10_000])
def test_failures_never_bring_a_poll_before_the_shortest_interval(failures: int) -> None:
    assert seconds(after_failure(failures, 0.0)) == HOUR


def test_what_has_to_be_repaired_backs_off_further_than_what_passes() -> None:
    passing, lasting = (
        seconds(after_failure(3, 1.0, kind)) for kind in (FailureKind.SERVER_ERROR, FailureKind.NOT_FOUND)
    )
    assert (passing, lasting) == (2 * HOUR, 24 * HOUR)


def test_retry_after_is_waited_for_but_never_less_than_the_shortest_interval() -> None:
    def wait(asked: float, jitter: float = 0.0) -> float:
        return seconds(after_failure(1, jitter, FailureKind.TOO_MANY, asked))

    assert wait(10_000) == 10_000
    assert wait(0) == 3600
    assert wait(10_000, jitter=0.5) > 10_000


def test_the_reason_names_the_slot_of_the_host_once() -> None:
    reason = schedule.with_slot("ttl 2 h 30 min > learned interval 2 h", 42)
    assert reason == "ttl 2 h 30 min > learned interval 2 h; host slot +42 s"
    assert schedule.with_slot(reason, 7) == "ttl 2 h 30 min > learned interval 2 h; host slot +7 s"
