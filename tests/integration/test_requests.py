"""Requests to import a feed, each answered, whatever happens to the feed meanwhile."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from feeds import importer, storage
from feeds.documents import FeedRequest, FetchOutcome, NotModified, Outcome
from feeds.models import Feed
from tests.integration.documents import URL, import_document, items, rss

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
    assert report.outcome is Outcome.SUPERSEDED
    assert not Feed.objects.exists()


def test_a_request_is_done_again_only_once() -> None:
    fetches: list[str] = []

    def fetch(request: FeedRequest, patience: object) -> FetchOutcome:
        fetches.append(request.url)
        fence()
        return NotModified(url=URL)

    assert importer.import_feed(URL, fetch=fetch).outcome is Outcome.SUPERSEDED
    assert len(fetches) == 2
