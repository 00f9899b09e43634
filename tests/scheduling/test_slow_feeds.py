"""Slow servers, by real imports: they hold a few threads and no more, and no feed is charged for the others."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from feeds.models import Feed
from feeds.outcomes import Outcome
from feeds.scheduling import slow_servers
from tests.rigs.importing import import_feed
from tests.rigs.servers.feed_server import FeedServer, Received, answer
from tests.rigs.servers.samples import sample_feed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FeedServer]:
    settings.FEEDS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.FEEDS_SLOW_FETCHES = 0  # as if all places were taken
    monkeypatch.setattr(slow_servers, "QUICK", 0.2)
    with FeedServer() as server:
        server.routes = {
            "/slow": lambda _: server.drip(b"HTTP/1.1 200 OK\r\n", b"X: a\r\n"),
            "/feed": answer(200, sample_feed("news", kind="atom")),
        }
        yield server


def test_a_feed_never_fetched_that_hangs_is_cut_and_remembered_and_not_charged(server: FeedServer) -> None:
    report = import_feed(server.url("/slow"))
    row = Feed.objects.get()
    assert report.outcome is Outcome.DELAYED
    assert report.slot is not None
    assert row.fetch_seconds is not None
    assert row.fetch_seconds >= 0.2
    assert (row.error_count, row.checked_at) == (0, None)


def test_a_feed_known_as_slow_does_not_begin_without_a_place(server: FeedServer) -> None:
    import_feed(server.url("/slow"))
    again = import_feed(server.url("/slow"))
    assert again.outcome is Outcome.DELAYED
    assert len(server.received) == 1


def test_who_has_waited_in_vain_is_left_to_the_schedule(server: FeedServer) -> None:
    import_feed(server.url("/slow"))
    Feed.objects.update(claimed_at=timezone.now())
    report = import_feed(server.url("/slow"), slot=timezone.now())
    row = Feed.objects.get()
    assert report.slot is None
    assert row.claimed_at is None
    assert row.next_check_at is not None
    assert row.next_check_at > timezone.now() + timedelta(minutes=5)


def test_quick_feeds_need_no_place(server: FeedServer) -> None:
    assert import_feed(server.url("/feed")).outcome is Outcome.IMPORTED
    assert Feed.objects.get().fetch_seconds is not None


def test_a_new_feed_that_is_late_in_a_crowd_is_cut_and_imported_when_it_comes_back(
    server: FeedServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(_: Received) -> Iterator[bytes]:
        server.stopping.wait(0.5)
        yield answer(200, sample_feed("late", kind="atom"))

    monkeypatch.setattr(slow_servers, "QUICK", 5.0)
    server.routes["/late"] = late
    for _ in range(slow_servers.ENOUGH):
        import_feed(server.url("/feed"))
    assert import_feed(server.url("/late")).outcome is Outcome.DELAYED
    settings.FEEDS_SLOW_FETCHES = 1  # the crowd is gone
    assert import_feed(server.url("/late")).outcome is Outcome.IMPORTED


def test_with_a_place_a_slow_feed_has_its_whole_deadline(server: FeedServer, settings: Any) -> None:
    settings.FEEDS_SLOW_FETCHES = 1
    settings.FEEDS_FETCH_DEADLINE = 0.5
    report = import_feed(server.url("/slow"))
    assert report.outcome is Outcome.FAILED
    assert report.failure is not None
    assert "0.5 seconds" in report.failure.text
    assert Feed.objects.get().error_count == 1
