"""Large documents, by real imports: one at a time, no feed is charged for another, and no turn is lost."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from dramatiq.middleware import TimeLimitExceeded
from dramatiq.threading import raise_thread_exception

from feeds.fetching import bulk
from feeds.fetching.values import FeedRequest, FetchOutcome
from feeds.models import Feed
from feeds.outcomes import Outcome
from feeds.scheduling import admission
from tests.fetching.test_bulk import somebody
from tests.rigs.importing import import_feed
from tests.rigs.servers.daemon import eventually
from tests.rigs.servers.feed_server import FeedServer, answer
from tests.rigs.servers.samples import sample_feed

pytestmark = pytest.mark.django_db(transaction=True)

PADDING = b"<!--" + b" " * bulk.LARGE + b"-->"


@pytest.fixture
def server(settings: Any) -> Iterator[FeedServer]:
    settings.FEEDS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with FeedServer() as server:
        page = b"<html><head><link rel=alternate type=application/atom+xml href=/feed></head></html>" + PADDING
        server.routes = {
            "/feed": answer(body=sample_feed("news", kind="atom") + PADDING),
            "/small": answer(body=sample_feed("small", kind="atom")),
            "/page": answer(body=page, content_type="text/html"),
            "/hangs": lambda _: server.drip(b"HTTP/1.1 200 OK\r\n\r\n" + PADDING, b" "),
        }
        yield server


def is_free() -> bool:
    """Tell whether another thread could hold a large document."""
    found = []

    def look() -> None:
        found.append(bulk.Turn().comes(0))
        bulk.leave()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return found == [True]


def test_who_waits_in_vain_comes_back_and_is_not_charged(server: FeedServer, settings: Any) -> None:
    settings.FEEDS_FETCH_DEADLINE = 1.0
    with somebody():
        report = import_feed(server.url())
    row = Feed.objects.get()
    assert report.outcome is Outcome.DELAYED
    assert report.slot is not None
    assert (row.error_count, row.checked_at, row.fetch_seconds) == (0, None, None)
    settings.FEEDS_FETCH_DEADLINE = 60.0
    assert import_feed(server.url()).outcome is Outcome.IMPORTED


def test_the_wait_does_not_make_a_feed_slow(server: FeedServer) -> None:
    wait = 2.0
    with somebody() as leave:
        threading.Timer(wait, leave).start()
        assert import_feed(server.url()).outcome is Outcome.IMPORTED
    seconds = Feed.objects.get().fetch_seconds
    assert seconds is not None
    assert seconds < wait


def test_a_connection_that_ends_meanwhile_is_not_the_feeds_fault(server: FeedServer) -> None:
    server.routes["/ends"] = lambda _: iter([b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + PADDING])
    with somebody() as leave:
        threading.Timer(0.5, leave).start()
        assert import_feed(server.url("/ends")).outcome is Outcome.DELAYED
    assert import_feed(server.url("/ends")).outcome is Outcome.FAILED


def test_a_large_page_does_not_wait_for_itself_to_end(server: FeedServer) -> None:
    report = import_feed(server.url("/page"))
    assert (report.url, report.outcome) == (server.url("/feed"), Outcome.IMPORTED)
    assert is_free()


def test_an_import_that_fails_gives_its_turn_back(server: FeedServer) -> None:
    def fails(request: FeedRequest, patience: admission.Patience | None) -> FetchOutcome:
        assert patience is not None
        assert patience.turn is not None
        assert patience.turn(0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        import_feed(server.url(), fetch=fails)
    assert is_free()


def test_an_import_that_is_interrupted_gives_its_turn_back(server: FeedServer) -> None:
    def interrupt() -> None:
        eventually(lambda: not is_free(), within=20, what="it is the turn of the import")
        raise_thread_exception(importing, TimeLimitExceeded)

    importing = threading.get_ident()
    threading.Thread(target=interrupt).start()
    with pytest.raises(TimeLimitExceeded):
        import_feed(server.url("/hangs"))
    assert is_free()


def test_who_waits_can_be_interrupted(server: FeedServer) -> None:
    def interrupt() -> None:
        eventually(lambda: server.received, within=20, what="it is fetched")
        raise_thread_exception(importing, TimeLimitExceeded)

    importing = threading.get_ident()
    with somebody():
        threading.Thread(target=interrupt).start()
        with pytest.raises(TimeLimitExceeded):
            import_feed(server.url())
    assert is_free()


def test_a_turn_that_an_interrupt_left_behind_ends_with_the_next_import_of_the_thread(server: FeedServer) -> None:
    assert bulk.Turn().comes(0)
    import_feed(server.url("/small"))
    assert is_free()
