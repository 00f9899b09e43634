"""What is kept, what goes, and what must not come back."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from feeds import tasks
from feeds.models import Entry, Feed, Tombstone
from feeds.outcomes import Outcome
from feeds.storage import retention
from feeds.storage.retention import Retention
from tests.rigs.documents import URL, import_document, item, items, rss

pytestmark = pytest.mark.django_db

OTHER = f"{URL}/other"


def later(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def prune(general: Retention, *, now: datetime | None = None, dry_run: bool = False) -> int:
    return sum(
        retention.prune(feed, general.of(feed), now or later(0), dry_run=dry_run)
        for feed in retention.feeds_to_prune(general)
    )


def titles(url: str = URL) -> list[str]:
    return list(Entry.objects.filter(feed__url=url).order_by("sorted_at").values_list("title", flat=True))


def import_two_documents() -> None:
    """Leave five entries, of which the feed lists the last two."""
    import_document(rss(*items(range(5))))
    import_document(rss(*items(range(3, 5))))


def test_the_newest_entries_are_kept():
    import_two_documents()
    assert prune(Retention(keep_entries=3)) == 2
    assert titles() == ["Title 2", "Title 3", "Title 4"]


def test_entries_are_kept_for_days_from_when_they_came():
    import_two_documents()
    assert prune(Retention(keep_days=30), now=later(29)) == 0  # however old their dates are
    assert prune(Retention(keep_days=30), now=later(31)) == 3
    assert titles() == ["Title 3", "Title 4"]


def test_what_the_feed_lists_stays():
    import_two_documents()
    assert prune(Retention(keep_entries=1)) == 3
    assert titles() == ["Title 3", "Title 4"]
    assert prune(Retention(keep_entries=1)) == 0


def test_what_the_feed_lists_stays_where_only_a_part_of_it_is_parsed():
    import_document(rss(*items(range(5))))
    import_document(rss(*items(range(2, 6))))
    import_document(rss(*items(range(3, 7))))
    assert prune(Retention(keep_entries=1)) == 3
    assert titles() == ["Title 3", "Title 4", "Title 5", "Title 6"]


def test_without_a_limit_everything_stays():
    import_two_documents()
    assert prune(Retention()) == 0
    assert len(titles()) == 5


def test_a_feeds_own_limits_come_first():
    import_two_documents()
    import_document(rss(*items(range(5))), OTHER)
    import_document(rss(item(4)), OTHER)
    Feed.objects.filter(url=URL).update(keep_entries=0)
    Feed.objects.filter(url=OTHER).update(keep_entries=2)
    assert prune(Retention(keep_entries=3)) == 3
    assert (len(titles()), titles(OTHER)) == (5, ["Title 3", "Title 4"])


def test_what_was_pruned_does_not_come_back():
    import_two_documents()
    prune(Retention(keep_entries=2))
    report = import_document(rss(*items(range(5))))
    assert (report.new, report.changed) == (0, 0)
    report = import_document(rss(item(1, "edited"), *items(range(3, 6))))
    assert (report.new, report.changed, titles()) == (1, 0, ["Title 3", "Title 4", "Title 5"])


def test_a_tombstone_goes_when_the_feed_has_not_listed_its_entry_for_a_year():
    import_two_documents()
    prune(Retention(keep_entries=2))
    import_document(rss(*items(range(1, 5))))  # 1 and 2 are listed again
    prune(Retention(keep_entries=2), now=later(retention.TOMBSTONE_DAYS + 1))
    assert Tombstone.objects.count() == 2


def test_a_dry_run_says_the_truth_and_writes_nothing():
    import_two_documents()
    before = list(Feed.objects.values())
    assert prune(Retention(keep_entries=1), dry_run=True) == 3
    assert (list(Feed.objects.values()), len(titles())) == (before, 5)


def test_an_import_under_way_does_not_write_on_the_ground_of_what_was_pruned():
    import_two_documents()
    report = import_document(rss(*items(range(6))), before=lambda: prune(Retention(keep_entries=2)))
    assert (report.outcome, report.new) == (Outcome.IMPORTED, 1)
    assert titles() == ["Title 3", "Title 4", "Title 5"]


def test_very_many_entries_go_in_portions(monkeypatch):
    monkeypatch.setattr(retention, "CHUNK", 7)
    import_document(rss(*items(range(100))))
    import_document(rss(item(99)))
    assert prune(Retention(keep_entries=10)) == 90
    assert len(titles()) == 10


# The command and the actor


def command(*arguments: object) -> str:
    out = StringIO()
    call_command("prune_entries", *map(str, arguments), stdout=out)
    return out.getvalue().strip()


def test_the_command_goes_by_the_settings(settings):
    import_two_documents()
    assert command() == "0 entries of 0 feeds removed"
    settings.FEEDS_KEEP_ENTRIES = 4
    assert command("--dry-run") == "1 entry of 1 feed would be removed"
    assert command() == "1 entry of 1 feed removed"


def test_the_commands_options_go_before_settings_and_feeds(settings):
    settings.FEEDS_KEEP_ENTRIES = 1
    import_two_documents()
    Feed.objects.update(keep_entries=4)
    assert command("--days", 30, "-v", 2) == "0 entries of 0 feeds removed"
    assert command("--entries", 3, "-v", 2) == f"2 of {URL}\n2 entries of 1 feed removed"


def test_the_command_prunes_the_named_feeds_only():
    import_two_documents()
    import_document(rss(*items(range(5))), OTHER)
    import_document(rss(item(4)), OTHER)
    assert command("--entries", 1, OTHER) == "4 entries of 1 feed removed"
    assert (len(titles()), titles(OTHER)) == (5, ["Title 4"])


def test_the_command_prints_what_it_did_as_json_on_request():
    import_two_documents()
    done = {"feeds": 1, "entries": 2, "dry_run": False}
    assert json.loads(command("--entries", 3, "-v", 2, "--format", "json")) == done


def test_the_command_names_feeds_that_it_does_not_know():
    with pytest.raises(CommandError, match=r"No such feed: http://nowhere\.example/feed"):
        command("--entries", 1, "http://nowhere.example/feed")


def test_the_actor_goes_on_behind_the_feeds_it_has_seen(settings, monkeypatch):
    settings.FEEDS_KEEP_ENTRIES = 1
    monkeypatch.setattr(retention, "SOME", 1)
    sent: list[int] = []
    monkeypatch.setattr(tasks.prune_entries, "send", sent.append)
    import_two_documents()
    import_document(rss(*items(range(5))), OTHER)
    import_document(rss(item(4)), OTHER)
    tasks.prune_entries()
    assert (titles(), len(titles(OTHER))) == (["Title 3", "Title 4"], 5)
    tasks.prune_entries(sent[-1])
    assert titles(OTHER) == ["Title 4"]
    tasks.prune_entries(sent[-1])
    assert len(sent) == 2
