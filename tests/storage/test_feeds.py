"""Plans into rows: one transaction, fenced, and not a row more than needed."""

from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feeds import planning, signals, storage
from feeds.fetching.values import Failed, Fetched, FetchOutcome, NotModified
from feeds.models import Entry, Feed
from feeds.outcomes import FailureKind, Outcome
from feeds.parsing.values import ParsedEntry, ParsedFeed
from feeds.planning.values import FeedState, ImportPlan, ImportReport
from feeds.storage import Subscription
from tests.rigs.planning import NOW, URL, make_plan
from tests.rigs.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

ONE, TWO = ParsedEntry(guid="1", title="one"), ParsedEntry(guid="2", title="two")


def plan(known: FeedState, *entries: ParsedEntry, outcome: FetchOutcome | None = None) -> ImportPlan:
    outcome = outcome or Fetched(url=URL, body=b"", body_digest=b"b" * 16, etag='W/"1"', last_modified="yesterday")
    parsed = ParsedFeed(title="A feed", entries=entries) if isinstance(outcome, Fetched) else None
    matched = planning.match_entries(known, parsed, storage.EntryRows(known)) if parsed else ()
    return make_plan(known, outcome, parsed, matched)


def test_a_first_import_stores_the_feed_and_its_entries():
    report = storage.apply(plan(storage.load(URL), ONE, TWO))
    feed = Feed.objects.get(url=URL)
    assert (report.outcome, report.new) == (Outcome.IMPORTED, 2)
    assert (feed.title, feed.etag, feed.last_modified) == ("A feed", 'W/"1"', "yesterday")
    assert set(feed.entries.values_list("title", flat=True)) == {"one", "two"}


def test_an_edited_entry_is_updated_in_place():
    storage.apply(plan(storage.load(URL), ONE))
    storage.apply(plan(storage.load(URL), ParsedEntry(guid="1", title="edited")))
    entry = Entry.objects.get()
    assert (entry.title, entry.changes) == ("edited", 1)


def test_absence_from_the_document_is_not_deletion():
    storage.apply(plan(storage.load(URL), ONE, TWO))
    storage.apply(plan(storage.load(URL), TWO))
    assert Entry.objects.count() == 2


def statements(*entries: ParsedEntry, outcome: FetchOutcome | None = None) -> list[str]:
    """Return what an import sends to the database, but for PostgreSQL's settings of a transaction."""
    with CaptureQueriesContext(connection) as queries:
        storage.apply(plan(storage.load(URL), *entries, outcome=outcome))
    words = [query["sql"].split()[0] for query in queries.captured_queries]
    return [word for word in words if word != "SET"]


def test_an_unchanged_poll_reads_one_row_and_writes_one():
    storage.apply(plan(storage.load(URL), ONE))
    assert statements(outcome=NotModified(url=URL)) == ["SELECT", "UPDATE"]


def test_new_entries_are_looked_up_and_stored_by_one_statement_each():
    known = [ParsedEntry(guid=str(number), title=str(number)) for number in range(10)]
    storage.apply(plan(storage.load(URL), *known))
    feed_and_entries, history = ["SELECT", "SELECT", "BEGIN", "UPDATE", "INSERT"], ["SAVEPOINT", "INSERT", "RELEASE"]
    for new in ([ParsedEntry(guid="a")], [ParsedEntry(guid="b"), ParsedEntry(guid="c")]):
        assert statements(*new, *known) == [*feed_and_entries, *history, "COMMIT"]


def test_the_fence_lets_the_first_write_and_supersedes_the_second():
    early, late = storage.load(URL), storage.load(URL)
    assert storage.apply(plan(early, ONE)).outcome is Outcome.IMPORTED
    report = storage.apply(plan(late, TWO))
    assert report.outcome is Outcome.SUPERSEDED
    assert list(Entry.objects.values_list("title", flat=True)) == ["one"]


def test_two_threads_with_one_revision_commit_once():
    known = storage.load(URL)
    reports = at_once(storage.apply, [plan(known, ONE), plan(known, TWO)])
    assert sorted(report.outcome for report in reports) == [Outcome.IMPORTED, Outcome.SUPERSEDED]
    assert Entry.objects.count() == 1


def test_a_failure_is_recorded_and_nothing_stored_is_lost():
    storage.apply(plan(storage.load(URL), ONE))
    storage.apply(plan(storage.load(URL), outcome=Failed(kind=FailureKind.NOT_FOUND, text="not found", status=404)))
    feed = Feed.objects.get()
    assert (feed.error_kind, feed.error_count, feed.failing_since) == ("not_found", 1, NOW)
    assert (feed.etag, feed.entries.count(), feed.status) == ('W/"1"', 1, "active")


def test_a_success_forgets_the_failures():
    storage.apply(plan(storage.load(URL), outcome=Failed(kind=FailureKind.NOT_FOUND, text="not found", status=404)))
    storage.apply(plan(storage.load(URL), ONE))
    feed = Feed.objects.get()
    assert (feed.error_kind, feed.error_text, feed.error_count, feed.failing_since) == ("", "", 0, None)


def test_registering_counts_what_is_known():
    wanted = [Subscription(url=f"https://example.org/{number}") for number in range(1200)]
    storage.register(wanted[:200])
    registered = storage.register(iter(wanted))
    assert (registered.added, registered.known, Feed.objects.count()) == (1000, 200, 1200)


def test_receivers_hear_of_it_after_the_commit_and_may_fail():
    heard: list[ImportReport] = []

    def fail(report: ImportReport, **kwargs: object) -> None:
        assert not transaction.get_connection().in_atomic_block
        heard.append(report)
        raise RuntimeError("a receiver's own trouble")

    signals.feed_imported.connect(fail)
    try:
        storage.apply(plan(storage.load(URL), ONE))
    finally:
        signals.feed_imported.disconnect(fail)
    assert [report.new for report in heard] == [1]


def test_a_feed_that_is_created_needs_nothing_but_its_url():
    Feed.objects.create(url=URL.replace("https", "HTTPS").replace("/feed", "/./feed"), folder="mine")
    storage.apply(plan(storage.load(URL), ONE))
    feed = Feed.objects.get()
    assert (feed.url, feed.folder, feed.entries.count()) == (URL, "mine", 1)


def test_feeds_that_are_created_in_bulk_get_their_hosts():
    Feed.objects.bulk_create([Feed(url="https://other.example"), Feed(url="no URL")])
    found = Feed.objects.order_by("id").values_list("url", "host_id")
    assert list(found) == [("https://other.example/", "other.example"), ("no URL", None)]


def test_a_new_feed_and_its_host_are_free_by_the_clock_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    early = datetime(2026, 3, 4, 12, tzinfo=UTC)  # the database's clock is ahead
    monkeypatch.setattr(timezone, "now", lambda: early)
    storage.register([Subscription(url="https://example.org/feed")])
    feed = Feed.objects.select_related("host").get()
    assert {feed.created_at, feed.next_check_at, feed.host.slot_at, feed.host.free_at} == {early}
    assert list(Feed.objects.due(early)) == [feed]


def test_what_is_given_for_a_new_feed_stays() -> None:
    assert Feed.objects.create(url="https://example.org/feed", next_check_at=None).next_check_at is None


def test_a_feed_is_found_or_created_by_any_spelling_of_its_url():
    feed, created = Feed.objects.get_or_create(url="https://EXAMPLE.org")
    again, created_again = Feed.objects.get_or_create(url="https://example.org/./", defaults={"folder": "mine"})
    Feed.objects.update_or_create({"folder": "yours"}, url="https://example.org")
    assert (created, created_again, again) == (True, False, feed)
    assert Feed.objects.get().folder == "yours"


def test_a_feed_that_is_saved_with_another_url_says_what_to_do():
    feed = Feed.objects.create(url=URL)
    feed.url = "https://other.example/"
    with pytest.raises(ValueError, match="changed in the admin"):
        feed.save()
    feed.save(update_fields=["folder"])
    assert Feed.objects.get().url == URL
