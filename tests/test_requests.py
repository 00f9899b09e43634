"""Requests to import a feed, each answered, whatever happens to the feed meanwhile."""

import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from dramatiq.brokers.redis import RedisBroker
from dramatiq.common import compute_backoff

from feeds import storage, tasks
from feeds.fetching.values import FeedRequest, FetchOutcome, NotModified
from feeds.models import Feed, Host
from feeds.outcomes import Outcome
from feeds.storage import Subscription
from tests.rigs.documents import URL, import_document, items, rss
from tests.rigs.importing import import_feed

pytestmark = pytest.mark.django_db(transaction=True)


def once(do: Callable[[], object]) -> Callable[[], object]:
    """Return a function that does it when it is called first."""
    left = [do]
    return lambda: left.pop()() if left else None


def fence(**values: object) -> None:
    """Move the feed's revision on, as all do who change what an import under way has read."""
    Feed.objects.update(revision=storage.load(URL).revision + 1, **values)


# The revision has moved


def test_a_request_that_no_other_import_has_answered_is_done_again() -> None:
    report = import_document(rss(*items(range(3))), before=once(fence))
    assert (report.outcome, report.new) == (Outcome.IMPORTED, 3)


def test_a_request_that_another_import_has_answered_is_superseded() -> None:
    another = once(lambda: import_document(rss(*items(range(3)))))
    report = import_document(rss(*items(range(5))), before=another)
    assert report.outcome is Outcome.SUPERSEDED
    assert Feed.objects.get().entries.count() == 3


def test_an_import_that_began_before_the_request_does_not_answer_it() -> None:
    before = timezone.now() - timedelta(seconds=9)
    storage.load(URL)
    report = import_document(rss(*items(range(3))), before=once(lambda: fence(checked_at=before)))
    assert report.outcome is Outcome.IMPORTED


def test_a_feed_paused_during_its_import_stays_paused() -> None:
    report = import_document(rss(*items(range(3))), before=once(lambda: fence(status=Feed.Status.PAUSED)))
    assert report.outcome is Outcome.PAUSED
    feed = Feed.objects.get()
    assert (feed.status, feed.entries.count()) == (Feed.Status.PAUSED, 0)


def test_a_feed_deleted_during_its_import_stays_deleted() -> None:
    report = import_document(rss(*items(range(3))), before=once(lambda: Feed.objects.all().delete()))
    assert report.outcome is Outcome.DELETED
    assert not Feed.objects.exists()


def test_a_request_is_done_again_only_once() -> None:
    fetches: list[str] = []

    def fetch(request: FeedRequest, *_: object) -> FetchOutcome:
        fetches.append(request.url)
        fence()
        return NotModified(url=URL)

    assert import_feed(URL, fetch=fetch).outcome is Outcome.SUPERSEDED
    assert len(fetches) == 2


def test_a_request_that_a_busy_host_sends_back_is_left_to_the_schedule_where_the_broker_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage.register([Subscription(url=URL)])
    slot = timezone.now() + timedelta(seconds=60)
    Host.objects.update(delay=1.0, slot_at=slot)
    Feed.objects.update(next_check_at=slot + timedelta(days=1))
    queue = tasks.import_feed.broker
    monkeypatch.setattr(tasks.import_feed, "broker", RedisBroker(url="redis://127.0.0.1:9/0"))
    queue.enqueue(tasks.import_feed.message(URL))
    assert queue.drain(10)
    assert Feed.objects.get().next_check_at == slot


def retries_after(cause: Exception | None, error: Exception) -> list[int]:
    error.__cause__ = cause  # the error of the database's driver, as Django has it
    return [retries for retries in range(20) if tasks.import_feed.options["retry_when"](retries, error)]


@pytest.mark.parametrize("cause", [psycopg.OperationalError(), psycopg.errors.AdminShutdown()], ids=repr)
def test_a_message_waits_for_a_database_that_is_away_until_it_has_started_again(cause: Exception) -> None:
    options = tasks.import_feed.options
    waits = [
        compute_backoff(retries, factor=options["min_backoff"], max_backoff=options["max_backoff"])[1] / 1000
        for retries in retries_after(cause, OperationalError("the connection is lost"))
    ]
    assert 15 * 60 <= sum(waits) <= 60 * 60


@pytest.mark.parametrize(
    ("cause", "error"),
    [
        (psycopg.errors.QueryCanceled(), OperationalError("the statement took too long")),
        (sqlite3.OperationalError(), OperationalError("database or disk is full")),
        (None, KeyError("a fault of ours")),
    ],
    ids=repr,
)
def test_what_fails_after_the_feed_was_fetched_does_not_fetch_it_ten_times(cause, error) -> None:
    assert retries_after(cause, error) == [0, 1, 2]


# The feed was deleted meanwhile


def test_a_message_for_a_url_that_nobody_knows_adds_the_feed() -> None:
    tasks.import_feed.send(URL)
    assert tasks.import_feed.broker.drain(10)
    assert Feed.objects.get().url == URL


def test_a_message_for_a_feed_that_was_stored_does_not_bring_it_back() -> None:
    storage.register([Subscription(url=URL)])
    Feed.objects.all().delete()
    tasks.send(URL)
    tasks.send(URL, timezone.now())
    assert tasks.import_feed.broker.drain(10)
    assert not Feed.objects.exists()


def test_a_message_that_went_back_for_a_slot_does_not_bring_its_feed_back() -> None:
    busy_host()
    tasks.import_feed.send(URL)
    delete_once_turned_away()
    assert tasks.import_feed.broker.drain(10)
    assert not Feed.objects.exists()


def test_a_feed_deleted_while_somebody_waits_here_for_its_slot_is_not_brought_back() -> None:
    busy_host()
    deletion = threading.Thread(target=delete_once_turned_away)
    deletion.start()
    with pytest.raises(Feed.DoesNotExist):
        Feed.objects.import_feed(URL)
    deletion.join()
    assert not Feed.objects.exists()


def busy_host() -> None:
    Host.objects.create(name="10.0.0.1", delay=0.1, free_at=timezone.now() + timedelta(seconds=2.5))


def delete_once_turned_away() -> None:
    while not Host.objects.get().waits:
        time.sleep(0.01)
    Feed.objects.all().delete()
    connection.close()
