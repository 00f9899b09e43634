"""How one feed is fetched: set in the admin, obeyed by the fetcher, and its secrets shown to nobody."""

from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from feeds import storage
from feeds.models import Feed, FetchOptions
from feeds.planning import Move
from feeds.storage.merging import move_feed
from tests.rigs.importing import import_feed
from tests.rigs.people import staff
from tests.rigs.servers.feed_server import FeedServer, answer
from tests.rigs.servers.samples import sample_feed

pytestmark = pytest.mark.django_db

URL = "https://example.org/feed"
PASSWORD, KEY, PROXY = "hunter2", "X-Key: s3cr3t", "http://ann:pr0xy@proxy.example:3128/"


@pytest.fixture
def feed() -> Feed:
    return Feed.objects.get(pk=storage.load(URL).id)


def save(client: Client, feed: Feed, **options: str) -> Any:
    """Submit the change form; a test names only what it is about."""
    has_options = FetchOptions.objects.filter(feed=feed).exists()
    data = {
        "url": feed.url,
        "folder": feed.folder,
        "aliases-TOTAL_FORMS": "0",
        "aliases-INITIAL_FORMS": "0",
        "options-TOTAL_FORMS": "1",
        "options-INITIAL_FORMS": str(int(has_options)),
        "options-0-feed": str(feed.pk),
        "options-0-verify_tls": "on",
        **{f"options-0-{name}": "" for name in ("password", "headers", "proxy")},  # as a browser sends them
        **{f"options-0-{name}": value for name, value in options.items()},
    }
    return client.post(reverse("admin:feeds_feed_change", args=[feed.pk]), data)


def stored() -> FetchOptions:
    return FetchOptions.objects.get()


def test_a_feed_saved_without_options_gets_none(admin_client: Client, feed: Feed) -> None:
    assert save(admin_client, feed).status_code == 302
    assert not FetchOptions.objects.exists()


def test_options_are_stored(admin_client: Client, feed: Feed) -> None:
    response = save(
        admin_client,
        feed,
        user_agent="Reader/1",
        username="ann",
        password=PASSWORD,
        headers=f"{KEY}\nX-Other:  two ",
        proxy=PROXY,
        deadline="20",
    )
    assert response.status_code == 302
    options = stored()
    assert options.headers == [["X-Key", "s3cr3t"], ["X-Other", "two"]]
    request = storage.load(URL).request
    assert (request.user_agent, request.username, request.password) == ("Reader/1", "ann", PASSWORD)
    assert request.headers == (("X-Key", "s3cr3t"), ("X-Other", "two"))
    assert (request.proxy, request.deadline, request.verify_tls) == (PROXY, 20.0, True)


def with_secrets(feed: Feed) -> None:
    FetchOptions.objects.create(
        feed=feed, username="ann", password=PASSWORD, headers=[["X-Key", "s3cr3t"]], proxy=PROXY
    )


def test_secrets_are_never_shown(admin_client: Client, feed: Feed) -> None:
    with_secrets(feed)
    page = admin_client.get(reverse("admin:feeds_feed_change", args=[feed.pk])).content.decode()
    assert "Stored and not shown" in page
    assert not any(secret in page for secret in (PASSWORD, "s3cr3t", "pr0xy"))


def test_empty_keeps_a_secret_and_a_box_clears_it(admin_client: Client, feed: Feed) -> None:
    with_secrets(feed)
    assert save(admin_client, feed, username="bob").status_code == 302
    assert (stored().username, stored().password, stored().headers) == ("bob", PASSWORD, [["X-Key", "s3cr3t"]])
    assert stored().proxy == PROXY
    save(admin_client, feed, clear_password="on", clear_headers="on")
    assert (stored().password, stored().headers, stored().proxy) == ("", [], PROXY)
    save(admin_client, feed, password="new", clear_proxy="on")
    assert (stored().password, stored().proxy) == ("new", "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"headers": "no colon"}, "a name, a colon and a value"),
        ({"headers": "X Y: 1"}, "a name that cannot be sent"),
        ({"proxy": "socks4://proxy.example"}, "proxy"),
        ({"deadline": "0"}, "greater than or equal to 1"),
        ({"deadline": "280"}, "less than 280"),
        ({"user_agent": "a\x01b"}, "control character"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_not_shown_again(
    admin_client: Client, feed: Feed, options: dict[str, str], words: str
) -> None:
    response = save(admin_client, feed, password=PASSWORD, **options)
    assert response.status_code == 200
    assert words in response.content.decode()
    assert PASSWORD not in response.content.decode()
    assert not FetchOptions.objects.exists()


def test_who_may_only_look_sees_no_options(client: Client, feed: Feed) -> None:
    with_secrets(feed)
    client.force_login(staff("view_feed"))
    page = client.get(reverse("admin:feeds_feed_change", args=[feed.pk])).content.decode()
    assert "how it is fetched" not in page.lower()
    assert "ann" not in page.replace("channel", "")


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
