"""A feed with ever new entries fills no database, and loses none of those that it still lists."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from feeds.models import Entry, Feed, Tombstone
from feeds.planning import ImportReport
from tests.rigs.documents import import_document, item, items, rss

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ten_a_day(settings: Any) -> None:
    settings.FEEDS_DAILY_ENTRIES = 10


def poll(numbers: range) -> ImportReport:
    return import_document(rss(*items(numbers)))


def let_a_day_pass() -> None:
    Feed.objects.update(day_began_at=datetime.now(UTC) - timedelta(days=1, seconds=1))


def test_a_first_import_stores_the_whole_document() -> None:
    assert poll(range(50)).new == 50
    assert Feed.objects.get().left_out == 0


def test_new_guids_in_each_poll_are_stored_as_far_as_the_budget_of_the_day_goes() -> None:
    poll(range(3))
    reports = [poll(range(1000 * hour, 1000 * hour + 30)) for hour in range(1, 25)]
    assert [report.new for report in reports] == [10] + 23 * [0]
    assert Entry.objects.count() == 3 + 10
    assert Feed.objects.get().left_out == 30


def test_large_entries_count_as_several() -> None:
    poll(range(3))
    text = "word " * 50_000  # 250,000 bytes
    report = import_document(rss(*(item(number, text) for number in range(3, 20))))
    assert (report.new, report.left_out) == (4, 13)  # 3 + 3 + 3 are not yet ten
    assert poll(range(50, 60)).new == 0


def test_what_was_left_out_is_stored_on_later_days_while_it_is_listed() -> None:
    poll(range(3))
    counts = []
    for _ in range(4):
        counts.append((poll(range(3, 28)).new, Feed.objects.get().left_out))
        let_a_day_pass()
    assert counts == [(10, 15), (10, 5), (5, 0), (0, 0)]
    assert Entry.objects.count() == 28


def test_the_first_of_the_document_are_stored_first() -> None:
    poll(range(3))
    poll(range(20, 40))
    assert set(Entry.objects.values_list("guid", flat=True)) == {f"urn:{n}" for n in [*range(3), *range(20, 30)]}


def test_several_polls_share_the_budget_of_a_day() -> None:
    poll(range(3))
    assert [poll(range(3, 3 + 4 * count)).new for count in (1, 2, 3)] == [4, 4, 2]


def test_a_document_of_which_something_was_left_out_is_not_known_by_its_validators() -> None:
    poll(range(3))
    import_document(rss(*items(range(3, 30))), etag="new")
    feed = Feed.objects.get()
    assert feed.etag == "x"
    assert feed.next_check_reason.startswith("17 new entries over the day's limit 1 d > learned interval")
    let_a_day_pass()
    import_document(rss(*items(range(3, 20))), etag="new")
    assert Feed.objects.get().etag == "new"


def test_a_day_that_a_wrong_clock_began_in_the_future_has_ended() -> None:
    poll(range(3))
    poll(range(3, 13))
    Feed.objects.update(day_began_at=datetime.now(UTC) + timedelta(days=400))
    assert poll(range(13, 23)).new == 10


def test_without_a_limit_everything_is_stored(settings: Any) -> None:
    settings.FEEDS_DAILY_ENTRIES = 0
    poll(range(3))
    assert poll(range(3, 60)).new == 57


@pytest.mark.parametrize(("own", "stored"), [(0, 57), (20, 20)])
def test_a_feeds_own_limit_comes_first(own: int, stored: int) -> None:
    poll(range(3))
    Feed.objects.update(daily_entries=own)
    assert poll(range(3, 60)).new == stored


def test_what_is_left_out_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    poll(range(3))
    poll(range(3, 20))
    assert "left_out=7" in caplog.text


def test_a_flood_is_pruned_before_the_night(settings: Any) -> None:
    settings.FEEDS_DAILY_ENTRIES, settings.FEEDS_KEEP_ENTRIES = 150, 20
    poll(range(3))
    for day in range(1, 5):
        poll(range(1000 * day, 1000 * day + 200))
        let_a_day_pass()
        assert Entry.objects.count() <= 20 + 150  # those that the document lists stay
    assert Tombstone.objects.count() < 4 * 150


def test_a_feed_with_entries_of_its_own_to_keep_is_pruned_too(settings: Any) -> None:
    settings.FEEDS_DAILY_ENTRIES = 150
    poll(range(3))
    Feed.objects.update(keep_entries=0)
    settings.FEEDS_KEEP_ENTRIES = 20
    for day in range(1, 3):
        poll(range(1000 * day, 1000 * day + 150))
        let_a_day_pass()
    assert Entry.objects.count() == 3 + 2 * 150
