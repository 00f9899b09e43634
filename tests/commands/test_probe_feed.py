"""`manage.py probe_feed`, against a server of our own."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from feeds.models import Feed
from tests.rigs.servers.feed_server import FeedServer, Received, answer
from tests.rigs.servers.samples import sample_feed

pytestmark = pytest.mark.django_db


def run(url: str) -> str:
    out = StringIO()
    call_command("probe_feed", url, stdout=out)
    return out.getvalue()


@pytest.fixture
def server(settings: Any) -> Iterator[FeedServer]:
    settings.FEEDS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.FEEDS_HOST_DELAY = 0.0
    with FeedServer() as server:
        yield server


def test_a_good_server_is_explained(server: FeedServer) -> None:
    body = answer(200, sample_feed("news", kind="rss"), etag='"1"', cache_control="max-age=7200")

    def reply(request: Received) -> bytes:
        return answer(304) if request.header("If-None-Match") == '"1"' else body

    server.routes = {"/old": answer(301, location="/feed"), "/feed": reply}
    told = run(server.url("/old"))
    assert "301: redirects to" in told
    assert 'ETag: "1"; Last-Modified: none' in told
    assert "rss20: 'News of news', 3 entries" in told
    assert "304 after" in told
    assert "Conditional requests work" in told
    assert "We would come back at" in told
    assert [request.target for request in server.received] == ["/old", "/feed", "/old", "/feed"]
    assert not Feed.objects.exists()


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (answer(200, sample_feed("news", kind="rss")), "gives no validators"),
        (answer(200, sample_feed("news", kind="rss"), etag='"1"'), "does not honour them"),
        (answer(404), "not found (404)"),
        (answer(429, retry_after="7200"), "Retry-After: 7200 s"),
        (answer(410), "gone for good (410)"),
        (answer(200, b'<html><link rel="alternate" type="application/rss+xml" href="/rss">'), "names a feed: http://"),
    ],
)
def test_what_a_server_does_is_put_into_words(server: FeedServer, reply: bytes, sentence: str) -> None:
    server.routes = {"/feed": reply}
    told = run(server.url())
    assert sentence in told
    assert "We would" in told.splitlines()[-1]


def test_a_login_is_not_shown(server: FeedServer) -> None:
    server.routes = {"/feed": answer(401)}
    assert "secret" not in run(server.url().replace("://", "://ann:secret@"))


def test_what_is_no_url_is_refused_and_its_login_is_not_shown() -> None:
    with pytest.raises(CommandError) as caught:
        run("ftp://ann:secret@example.org/feed")
    assert caught.value.returncode == 2
    assert "secret" not in str(caught.value)
