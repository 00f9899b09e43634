"""A stranger's feed that redirects to another site changes nothing of the feed there."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from feeds.models import Alias, Entry, Feed, Tombstone
from feeds.outcomes import Outcome
from tests.rigs.importing import import_feed
from tests.rigs.servers.feed_server import FeedServer, answer

pytestmark = pytest.mark.django_db(transaction=True)

POST = "https://victim.example/posts/2"


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.FEEDS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.FEEDS_REDIRECT_CHECKS = 2


@pytest.fixture
def stranger() -> Iterator[FeedServer]:
    with FeedServer() as server:
        yield server


@pytest.fixture
def victim() -> Iterator[FeedServer]:
    with FeedServer() as server:
        yield server


def document(*titles: str) -> bytes:
    """Return a feed whose n-th entry has the guid of the n-th post."""
    items = "".join(
        f"<item><guid>https://victim.example/posts/{number}</guid><title>{title}</title></item>"
        for number, title in enumerate(titles, start=1)
        if title
    )
    return answer(200, f"<rss version='2.0'><channel><title>x</title>{items}</channel></rss>".encode())


def redirect(stranger: FeedServer, victim: FeedServer) -> str:
    """Let the stranger's feed list what the victim has not published yet, and then lead to the victim for good."""
    url = stranger.url("/feed")
    stranger.routes = {"/feed": document("", "forged")}
    import_feed(url)
    stranger.routes = {"/feed": answer(301, location=victim.url("/feed"))}
    import_feed(url)
    Feed.objects.exclude(moved_since=None).update(moved_since=timezone.now() - timedelta(days=9))
    import_feed(url)
    return url


def titles(feed: Feed) -> set[str]:
    return set(Entry.objects.filter(feed=feed).values_list("title", flat=True))


def test_a_feed_that_is_subscribed_keeps_its_own_entries_and_stores_its_next_post(
    stranger: FeedServer, victim: FeedServer
) -> None:
    victim.routes = {"/feed": document("first")}
    theirs = Feed.objects.get(pk=import_feed(victim.url("/feed")).feed_id)
    url = redirect(stranger, victim)
    assert titles(theirs) == {"first"}

    victim.routes = {"/feed": document("first", "second")}
    assert import_feed(victim.url("/feed")).new == 1

    assert titles(theirs) == {"first", "second"}
    assert Entry.objects.get(feed=theirs, guid=POST).changes == 0
    source = Feed.objects.get(url=url)
    assert source.status_reason == f"moved to {theirs.url}"
    assert source.next_check_at is None


def test_a_feed_that_is_not_subscribed_yet_begins_with_what_it_lists_itself(
    stranger: FeedServer, victim: FeedServer
) -> None:
    victim.routes = {"/feed": document("first")}
    url = redirect(stranger, victim)
    theirs, source = Feed.objects.get(url=victim.url("/feed")), Feed.objects.get(url=url)
    assert source.pk != theirs.pk
    assert "forged" in titles(source)
    assert "forged" not in titles(theirs)

    victim.routes = {"/feed": document("first", "second")}
    import_feed(theirs.url)

    assert titles(theirs) == {"first", "second"}


def test_what_a_stranger_rewrote_often_is_still_replaced(stranger: FeedServer, victim: FeedServer) -> None:
    victim.routes = {"/feed": document("first", "true")}
    url = stranger.url("/feed")
    stranger.routes = {"/feed": document("first", "forged")}
    import_feed(url)
    Entry.objects.update(changes=24)
    redirect(stranger, victim)
    theirs = Feed.objects.get(url=victim.url("/feed"))
    import_feed(theirs.url)
    assert titles(theirs) == {"first", "true"}


def test_no_tombstone_goes_along(stranger: FeedServer, victim: FeedServer) -> None:
    victim.routes = {"/feed": document("first")}
    theirs = Feed.objects.get(pk=import_feed(victim.url("/feed")).feed_id)
    redirect(stranger, victim)
    assert not Tombstone.objects.filter(feed=theirs).exists()
    assert not Alias.objects.filter(feed=theirs).exists()


def test_a_feed_that_was_disabled_stays_so(stranger: FeedServer, victim: FeedServer) -> None:
    victim.routes = {"/feed": document("first")}
    theirs = Feed.objects.get(pk=import_feed(victim.url("/feed")).feed_id)
    Feed.objects.filter(pk=theirs.pk).update(status=Feed.Status.DISABLED, status_reason="gone")
    redirect(stranger, victim)
    theirs.refresh_from_db()
    assert (theirs.status, theirs.status_reason) == (Feed.Status.DISABLED, "gone")


def test_the_entries_of_a_site_that_moves_go_along_as_far_as_it_lists_them(
    stranger: FeedServer, victim: FeedServer
) -> None:
    old, new = stranger, victim
    old.routes = {"/feed": document("first", "second", "third")}
    import_feed(old.url("/feed"))
    kept = set(Entry.objects.filter(title__in=["second", "third"]).values_list("pk", flat=True))
    new.routes = {"/feed": document("", "second", "third")}
    old.routes = {"/feed": answer(301, location=new.url("/feed"))}
    import_feed(old.url("/feed"))
    Feed.objects.exclude(moved_since=None).update(moved_since=timezone.now() - timedelta(days=9))
    report = import_feed(old.url("/feed"))
    theirs = Feed.objects.get(url=new.url("/feed"))
    assert (report.feed_id, report.outcome) == (theirs.pk, Outcome.UNCHANGED)
    assert set(theirs.entries.values_list("pk", flat=True)) == kept
    assert import_feed(theirs.url).new == 0
    assert titles(theirs) == {"second", "third"}
