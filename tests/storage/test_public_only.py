"""What the Internet has named leads into no private network, not now and not at a later poll."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from feeds import storage
from feeds.conf import feeds_settings
from feeds.fetching import Fetcher, FetchSettings
from feeds.importer import Importer, ImportRequest
from feeds.models import Feed
from feeds.outcomes import FailureKind, Outcome
from feeds.planning import ImportReport
from tests.rigs.names import directory
from tests.rigs.servers.feed_server import FeedServer, answer
from tests.rigs.servers.samples import sample_feed

pytestmark = pytest.mark.django_db(transaction=True)

FEED = answer(body=sample_feed("news", kind="atom"), content_type="application/atom+xml")
PAGE = b"<html><head><link rel='alternate' type='application/rss+xml' href='%s'></head></html>"


class World:
    """Names with addresses, public or private; all lead to one server."""

    def __init__(self, server: FeedServer) -> None:
        self.server = server
        self.addresses = {"page.example": "93.184.216.34", "wiki.example": "10.0.0.1", "feed.example": "10.0.0.2"}

    def connect(self, sock: socket.socket, address: object) -> None:
        sock.connect(("127.0.0.1", self.server.port))

    def run(self, url: str) -> ImportReport:
        settings = replace(feeds_settings(), allowed_networks=("10.0.0.0/8",), host_delay=0.0)
        parts = settings.part(FetchSettings)
        fetcher = Fetcher(parts, getaddrinfo=directory(self.addresses.__getitem__), connect=self.connect)
        return Importer(settings, fetcher=fetcher).run(ImportRequest(url=url))

    def page(self, feed: str) -> None:
        self.server.routes = {"/": answer(body=PAGE % feed.encode(), content_type="text/html"), "/feed": FEED}


@pytest.fixture
def world() -> Iterator[World]:
    with FeedServer() as server:
        yield World(server)


def test_a_page_of_the_internet_names_no_feed_at_a_private_address_now_or_later(world: World) -> None:
    world.page("http://feed.example/feed")
    for url in ("http://page.example/", "http://feed.example/feed"):
        report = world.run(url)
        assert report.outcome is Outcome.FAILED
        assert report.failure is not None
        assert report.failure.kind == FailureKind.REFUSED_ADDRESS
    assert [received.target for received in world.server.received] == ["/"]


def test_a_feed_that_a_page_of_the_internet_named_does_not_become_private(world: World) -> None:
    world.page("/feed")
    assert world.run("http://page.example/").outcome is Outcome.IMPORTED
    world.addresses["page.example"] = "10.0.0.1"
    assert world.run("http://page.example/feed").outcome is Outcome.FAILED


def test_a_private_page_names_private_feeds(world: World) -> None:
    world.page("http://feed.example/feed")
    assert world.run("http://wiki.example/").outcome is Outcome.IMPORTED
    assert not Feed.objects.get(url="http://feed.example/feed").public_only


@pytest.mark.parametrize("target", ["http://page.example/moved", "http://moved.example/moved"])
def test_where_a_redirect_of_the_internet_moved_a_feed_nothing_becomes_private(world: World, target: str) -> None:
    world.addresses["moved.example"] = "93.184.216.35"
    world.server.routes = {"/feed": answer(301, location=target), "/moved": FEED}
    for _ in range(3):
        world.run("http://page.example/feed")
        Feed.objects.update(moved_since=timezone.now() - timedelta(days=9))
    world.addresses |= {"page.example": "10.0.0.1", "moved.example": "10.0.0.1"}
    assert Feed.objects.get(url=target).public_only
    assert world.run(target).outcome is Outcome.FAILED


def test_a_url_that_a_person_chose_may_be_private(world: World) -> None:
    world.page("/feed")
    world.run("http://page.example/")
    feed = Feed.objects.get(url="http://page.example/feed")
    storage.change_url(feed.pk, feed.url, "http://feed.example/feed", reason="by hand", now=timezone.now())
    assert world.run("http://feed.example/feed").outcome is Outcome.IMPORTED
