"""Slow servers, by real imports: they hold a few threads and no more, and harm no other feed."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from math import inf
from typing import Any

import pytest
from django.utils import timezone

from feeds import storage
from feeds.conf import feeds_settings
from feeds.importer import Importer
from feeds.models import Feed, Host
from feeds.outcomes import Outcome
from feeds.planning import FeedState, HostState, ImportReport
from feeds.scheduling import slow_servers
from feeds.scheduling.admission import Admission, Admitted, Postponed
from feeds.scheduling.slow_servers import Bulkhead
from tests.rigs.importing import import_feed
from tests.rigs.parsing_children import ENDLESS, MEGABYTE
from tests.rigs.servers.feed_server import FeedServer, answer
from tests.rigs.servers.samples import sample_feed
from tests.rigs.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

ALLOWANCE = 0.2  # seconds, here


@pytest.fixture
def server(settings: Any) -> Iterator[FeedServer]:
    settings.FEEDS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with FeedServer() as server:
        server.routes = {
            "/slow": lambda _: server.drip(b"HTTP/1.1 200 OK\r\n", b"X: a\r\n"),
            "/feed": answer(200, sample_feed("news", kind="atom")),
        }
        yield server


def admission(permits: int) -> Admission:
    bulkhead = Bulkhead(permits, allowance=ALLOWANCE, first_allowance=ALLOWANCE)
    return Admission(bulkhead, host_delay=1.0, fetch_deadline=60.0)


def importer_with(permits: int) -> Importer:
    """Return an importer with so many permits, and short allowances."""
    return Importer(feeds_settings(), admission=admission(permits))


@pytest.fixture
def busy(server: FeedServer) -> Iterator[Importer]:
    """Return an importer whose permits are all taken."""
    importer = importer_with(0)
    yield importer
    importer.close()


def cut(report: ImportReport) -> Feed:
    """Return the feed whose import was cut, and is remembered as slow."""
    assert report.outcome is Outcome.DELAYED
    assert report.slot is not None
    feed = Feed.objects.get()
    assert feed.fetch_seconds is not None
    assert feed.fetch_seconds >= ALLOWANCE
    return feed


def test_a_feed_never_fetched_that_hangs_is_cut_and_remembered_without_counting_as_a_failure(
    server: FeedServer, busy: Importer
) -> None:
    report = import_feed(server.url("/slow"), importer=busy)
    row = cut(report)
    assert (row.error_count, row.checked_at) == (0, None)


def test_a_feed_known_as_slow_does_not_begin_without_a_permit(server: FeedServer, busy: Importer) -> None:
    import_feed(server.url("/slow"), importer=busy)
    again = import_feed(server.url("/slow"), importer=busy)
    assert again.outcome is Outcome.DELAYED
    assert len(server.received) == 1


def test_a_feed_that_has_waited_in_vain_is_left_to_the_schedule(server: FeedServer, busy: Importer) -> None:
    import_feed(server.url("/slow"), importer=busy)
    Feed.objects.update(claimed_at=timezone.now())
    report = import_feed(server.url("/slow"), slot=timezone.now(), importer=busy)
    row = Feed.objects.get()
    assert report.slot is None
    assert row.claimed_at is None
    assert row.next_check_at is not None
    assert row.next_check_at > timezone.now() + timedelta(minutes=5)


def test_a_quick_feed_needs_no_permit(server: FeedServer, busy: Importer) -> None:
    assert import_feed(server.url("/feed"), importer=busy).outcome is Outcome.IMPORTED
    assert Feed.objects.get().fetch_seconds is not None


def test_a_feed_that_was_cut_is_imported_once_there_is_a_permit(server: FeedServer, busy: Importer) -> None:
    import_feed(server.url("/slow"), importer=busy)
    server.routes["/slow"] = server.routes["/feed"]
    assert import_feed(server.url("/slow"), importer=busy).outcome is Outcome.DELAYED
    assert import_feed(server.url("/slow"), importer=importer_with(1)).outcome is Outcome.IMPORTED


def test_with_a_permit_a_slow_feed_has_its_whole_deadline(server: FeedServer, settings: Any) -> None:
    settings.FEEDS_FETCH_DEADLINE = 0.5
    report = import_feed(server.url("/slow"), importer=importer_with(1))
    assert report.outcome is Outcome.FAILED
    assert report.failure is not None
    assert "0.5 seconds" in report.failure.text
    assert Feed.objects.get().error_count == 1


# What is done after the fetch


def admitted(made: Admission) -> Admitted:
    answer = made.ask(storage.load("http://10.0.0.1/feed"), None)
    assert isinstance(answer, Admitted)
    return answer


def test_a_parse_that_goes_beyond_the_allowance_holds_a_permit_until_it_is_over() -> None:
    made = admission(1)
    with admitted(made) as first, admitted(made) as second:
        assert first.allowance.seconds == ALLOWANCE
        assert first.allowance.ask()
        assert first.goes_on()
        assert first.allowance.seconds == inf
        assert not second.allowance.ask()
        cut = second.cut
        assert cut is not None
        assert cut.cut_after is not None
        assert first.cut is None
    with admitted(made) as third:
        assert third.allowance.ask()


def test_a_document_that_takes_long_to_read_is_cut_without_a_permit_and_counts_as_no_failure(
    server: FeedServer, busy: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_servers, "PARSE_ALLOWANCE", ALLOWANCE)
    server.routes["/endless"] = answer(body=gzip.compress(ENDLESS[: 9 * MEGABYTE], 1), content_encoding="gzip")
    report = import_feed(server.url("/endless"), importer=busy)
    row = cut(report)
    assert (row.error_count, row.checked_at, row.body_digest) == (0, None, b"")
    assert import_feed(server.url("/endless"), importer=busy).outcome is Outcome.DELAYED
    assert len(server.received) == 1


@pytest.fixture
def slow_feed() -> FeedState:
    """Return a feed that is known as slow, on a host that it shares."""
    stored = storage.load("http://shared.example/feed")
    return replace(
        stored, host=HostState(name="shared.example", shared=True), history=replace(stored.history, fetch_seconds=60.0)
    )


def test_the_host_is_free_after_the_fetch_while_the_permit_is_held(slow_feed: FeedState) -> None:
    made = admission(1)
    answer = made.ask(slow_feed, None)
    assert isinstance(answer, Admitted)
    with answer:
        with answer.fetching():
            pass
        soon = timezone.now() + timedelta(seconds=5)
        assert Host.objects.get(name="shared.example").free_at < soon
        assert isinstance(made.ask(replace(slow_feed, host=None), None), Postponed)


def test_a_feed_whose_host_is_busy_gives_its_permit_back(slow_feed: FeedState) -> None:
    made = admission(2)
    assert isinstance(made.ask(slow_feed, None), Admitted)
    assert isinstance(made.ask(slow_feed, None), Postponed)
    assert isinstance(made.ask(replace(slow_feed, host=None), None), Admitted)


def test_an_import_that_fails_gives_its_permit_back() -> None:
    made = admission(1)
    with suppress(ZeroDivisionError), admitted(made) as first:
        assert first.allowance.ask()
        raise ZeroDivisionError
    with admitted(made) as second:
        assert second.allowance.ask()


def test_many_threads_share_the_permits() -> None:
    made = admission(3)
    everybody = threading.Barrier(10)

    def work(one: Admitted) -> bool:
        with one:
            everybody.wait(20)
            granted = one.allowance.ask()
            everybody.wait(20)
        return granted

    assert at_once(work, [admitted(made) for _ in range(10)]).count(True) == 3
