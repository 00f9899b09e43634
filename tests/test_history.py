"""The history: what gets a row, what stands in it, and how many are kept."""

from datetime import timedelta
from typing import Any

import dramatiq
import pytest
from django.db import DataError, connection
from django.utils import timezone

from feeds import history, storage, tasks
from feeds.conf import feeds_settings
from feeds.fetching import Failed, Fetcher, FetchSettings, NotModified
from feeds.importer import Importer, ImportRequest
from feeds.models import Feed, Import
from feeds.outcomes import AskedBy, FailureKind
from feeds.planning import ImportPlan, PlannedEntry
from tests.rigs.documents import URL, import_document, item, items, rss
from tests.rigs.importing import PARSER, GivenFetcher, import_feed
from tests.rigs.names import name_service
from tests.rigs.servers.feed_server import FeedServer, answer

pytestmark = pytest.mark.django_db


def test_an_import_that_found_something_has_a_row() -> None:
    import_document(rss(*items(range(3))))
    import_document(rss(item(0, "another text"), *items(range(1, 5))))
    first, second = Import.objects.order_by("number")
    assert (first.number, first.new, first.changed, first.outcome, first.status) == (1, 3, 0, "imported", 200)
    assert (second.number, second.new, second.changed) == (2, 2, 1)
    assert second.size == len(rss(item(0, "another text"), *items(range(1, 5))))
    assert second.seconds.keys() == {"body", "parse", "store"}
    assert all(seconds >= 0 for seconds in second.seconds.values())


def test_checks_that_find_nothing_new_are_counted_in_the_next_row_and_have_none() -> None:
    import_document(rss(item(1)))
    for _ in range(3):
        import_document(None)
    assert Import.objects.count() == 1
    assert Feed.objects.get().unchanged_count == 3
    import_document(rss(item(1), item(2)))
    assert Import.objects.get(number=2).unchanged_before == 3
    assert Feed.objects.get().unchanged_count == 0


def test_a_failure_has_a_row_with_its_reason() -> None:
    failure = Failed(kind=FailureKind.SERVER_ERROR, text="HTTP 502 " + "x" * 9999, status=502)
    import_feed(URL, fetch=lambda *_: failure)
    row = Import.objects.get()
    assert (row.outcome, row.status, row.error_kind) == ("failed", 502, "server_error")
    assert row.error_text.startswith("HTTP 502")
    assert len(row.error_text) <= 500


def test_the_last_fifty_of_a_feed_are_kept() -> None:
    failure = Failed(kind=FailureKind.TIMEOUT, text="too late")
    for _ in range(history.KEPT + 3):
        import_feed(URL, fetch=lambda *_: failure)
    numbers = Import.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(4, history.KEPT + 4))


def test_nothing_is_told_of_an_import_that_wrote_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import_document(rss(item(1)), before=lambda: Feed.objects.all().fence())
    assert not Import.objects.exists(), "another import came first, again and again"
    import_document(rss(item(1)))

    def refuse(plan: ImportPlan, entries: tuple[PlannedEntry, ...]) -> None:
        if plan.new:
            raise DataError

    monkeypatch.setattr(storage.feeds, "write_new", refuse)
    import_document(rss(item(1), item(2)))
    row = Import.objects.get(number=2)
    assert (row.new, row.error_kind) == (1, "database"), "by itself the entry was accepted"


def test_a_row_says_who_asked_and_how_long_that_took() -> None:
    fetcher = GivenFetcher(lambda *_: Failed(kind=FailureKind.DNS, text="no such host"))
    asked = timezone.now() - timedelta(seconds=90)
    request = ImportRequest(url=URL, requested_at=asked, asked_by=AskedBy.SCHEDULE)
    Importer(feeds_settings(), fetcher=fetcher, parser=PARSER).run(request)
    row = Import.objects.get()
    assert row.asked_by == "schedule"
    assert row.waited is not None
    assert row.waited >= 90


def test_messages_carry_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dramatiq.Message[None]] = []
    monkeypatch.setattr(tasks.import_feed.broker, "enqueue", lambda message, delay: sent.append(message))
    tasks.send(URL)
    tasks.send(URL, asked_by=AskedBy.SCHEDULE)
    assert [message.options[tasks.ASKED_BY] for message in sent] == ["person", "schedule"]


def test_a_feed_that_moves_and_one_that_is_merged_keep_their_numbers_apart() -> None:
    import_document(rss(item(1)))
    other = "http://10.0.0.1/other"
    import_document(rss(item(2)), other)
    import_document(rss(item(1), item(3)))
    storage.change_url(Feed.objects.get(url=URL).pk, URL, URL + "2", reason="", now=timezone.now())
    import_document(rss(item(1), item(4)), URL + "2")
    assert sorted(Import.objects.values_list("feed__url", "number")) == [
        (URL + "2", 1),
        (URL + "2", 2),
        (URL + "2", 3),
        (other, 1),
    ]


def test_old_rows_are_pruned_with_the_entries() -> None:
    import_document(rss(item(1)))
    import_document(rss(item(1), item(2)))
    long_ago = timezone.now() - timedelta(days=history.DAYS + 1)
    Import.objects.filter(number=1).update(started_at=long_ago)
    tasks.prune_entries.fn()
    assert list(Import.objects.values_list("number", flat=True)) == [2]


KEEP = {
    "sqlite": ["CREATE TRIGGER keep BEFORE DELETE ON feeds_import WHEN OLD.number < 4 BEGIN SELECT RAISE(IGNORE); END"],
    "postgresql": [
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER keep BEFORE DELETE ON feeds_import FOR EACH ROW WHEN (OLD.number < 4) EXECUTE FUNCTION keep()",
    ],
}


def test_old_rows_that_a_trigger_keeps_are_asked_for_once_and_keep_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "CHUNK", 2)
    for number in range(5):
        import_document(rss(item(number)))
    Import.objects.update(started_at=timezone.now() - timedelta(days=history.DAYS + 1))
    statements = []

    def end_if_endless(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        if len(statements) > 100 and sql.startswith("SELECT"):
            pytest.fail("pruning does not end")
        return execute(sql, *rest)

    with connection.cursor() as cursor:
        for statement in KEEP[connection.vendor]:
            cursor.execute(statement)
    with connection.execute_wrapper(end_if_endless):
        assert history.prune(timezone.now()) == 2
    assert list(Import.objects.order_by("number").values_list("number", flat=True)) == [1, 2, 3]


def test_an_unchanged_poll_sends_no_further_statement(django_assert_num_queries: object) -> None:
    import_document(rss(item(1)))
    with django_assert_num_queries(2):  # type: ignore[operator]
        import_feed(URL, fetch=lambda *_: NotModified(url=URL, etag="x"))


@pytest.mark.django_db(transaction=True)
def test_the_stages_of_a_real_fetch_are_told_and_the_rows_go_with_their_feed(settings: Any) -> None:
    settings.FEEDS_ALLOWED_NETWORKS = ("127.0.0.0/8",)
    with FeedServer() as server:
        server.routes = {"/feed": answer(body=rss(item(1)))}
        fetcher = Fetcher(feeds_settings().part(FetchSettings), getaddrinfo=name_service("127.0.0.1"))
        import_feed(f"http://feeds.example:{server.port}/feed", fetch=fetcher.fetch)
    row = Import.objects.get()
    assert row.seconds.keys() == {"dns", "connect", "first byte", "body", "parse", "store"}
    row.feed.delete()
    assert not Import.objects.exists()
