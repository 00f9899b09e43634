"""How one feed is fetched, as its options say. Their form is tested in tests/test_admin_options.py."""

from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from feeds import storage
from feeds.models import Feed, FetchOptions
from feeds.planning import Move
from feeds.storage.merging import move_feed
from tests.rigs.importing import import_feed
from tests.rigs.servers.feed_server import FeedServer, answer
from tests.rigs.servers.samples import sample_feed

pytestmark = pytest.mark.django_db

URL = "https://example.org/feed"
PASSWORD, PROXY = "hunter2", "http://ann:pr0xy@proxy.example:3128/"


@pytest.fixture
def feed() -> Feed:
    return Feed.objects.get(pk=storage.load(URL).id)


def test_the_fetcher_obeys_and_nothing_is_logged(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.FEEDS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with FeedServer(routes={"/feed": answer(200, sample_feed("news", kind="rss"))}) as server:
        feed = Feed.objects.get(pk=storage.load(server.url()).id)
        FetchOptions.objects.create(
            feed=feed, user_agent="Reader/1", username="ann", password=PASSWORD, headers=[["X-Key", "s3cr3t"]]
        )
        import_feed(server.url())
        request = server.received[0]
    assert request.header("User-Agent") == "Reader/1"
    assert request.header("Authorization") == "Basic YW5uOmh1bnRlcjI="
    assert request.header("X-Key") == "s3cr3t"
    assert PASSWORD not in caplog.text
    assert "s3cr3t" not in caplog.text


@pytest.mark.parametrize(("url", "kept"), [("https://example.org/new", True), ("https://www.example.org/feed", False)])
def test_a_password_and_headers_stay_at_their_origin_when_the_feed_moves(feed: Feed, url: str, kept: bool) -> None:
    FetchOptions.objects.create(feed=feed, password=PASSWORD, headers=[["X-Key", "s3cr3t"]], proxy=PROXY)
    state = storage.load(URL)
    assert state is not None
    with transaction.atomic():
        move_feed(state, Move(url=url, reason=""), timezone.now())
    options = FetchOptions.objects.get()
    assert (options.password, options.headers) == ((PASSWORD, [["X-Key", "s3cr3t"]]) if kept else ("", []))
    assert options.proxy == PROXY
