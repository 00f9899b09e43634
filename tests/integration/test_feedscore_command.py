"""`manage.py feedscore`: the rules that the importer keeps, and what it says of a server."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from feeds import signals
from feeds.management.commands.feedscore import RULES
from feeds.models import Feed, Host
from tests.servers.feed_server import FeedServer, Received, answer
from tests.servers.samples import sample_feed

pytestmark = pytest.mark.django_db

NUMBERS = {f"H{number}" for number in range(1, 25)} | {"S1", "S2", "S3", "S4", "S5", "S6", "S11", "S12"}


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("feedscore", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def server(settings: Any) -> Iterator[FeedServer]:
    settings.FEEDS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.FEEDS_HOST_DELAY = 0.0
    with FeedServer() as server:
        yield server


def test_every_rule_is_met_and_names_its_source() -> None:
    lines = run().splitlines()
    assert {line.split()[1] for line in lines[:-1] if line.startswith("met ")} == NUMBERS
    assert lines[-1] == f"{len(NUMBERS)} of {len(NUMBERS)} rules met"
    assert all(rule.source for rule in RULES)


def test_the_projects_database_its_signals_and_its_clock_stay_as_they_were() -> None:
    heard: list[Any] = []
    before = timezone.now()
    signals.feed_imported.connect(heard.append)
    try:
        run("--rule", "H7", "--rule", "H11")
    finally:
        signals.feed_imported.disconnect(heard.append)
    assert not heard
    assert not Feed.objects.exists()
    assert not Host.objects.exists()
    assert timezone.now() - before < timedelta(hours=1)  # H11 has seen hours go by
    assert logging.getLogger("feeds").handlers


def test_a_rule_that_the_settings_break_is_told_and_fails(settings: Any) -> None:
    settings.FEEDS_MIN_INTERVAL = 1200
    out = StringIO()
    with pytest.raises(CommandError, match="1 of 2 rules not met") as caught:
        call_command("feedscore", "--rule", "h7", "--rule", "h11", stdout=out)
    assert caught.value.returncode == 1
    assert "NOT MET  H11" in out.getvalue()
    assert "polled after 0:2" in out.getvalue()


def test_a_rule_that_does_not_exist_is_refused() -> None:
    with pytest.raises(CommandError, match="no rule H99"):
        run("--rule", "H99")


# A URL


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
        (answer(429, retry_after="7200"), "wants to be left alone, Retry-After 7200 s"),
        (answer(410), "gone for good"),
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


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(CommandError) as caught:
        run("ftp://example.org/feed")
    assert caught.value.returncode == 2
