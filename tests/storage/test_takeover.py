"""A stranger's feed that redirects to another site changes nothing of the feed there."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from feeds import canonical_urls, storage
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


def dated(title: str, date: str) -> bytes:
    """Return a feed of one entry."""
    item = f"<item><guid>{POST}</guid><title>{title}</title><pubDate>{date}</pubDate></item>"
    return answer(200, f"<rss version='2.0'><channel><title>x</title>{item}</channel></rss>".encode())


def redirect(stranger: FeedServer, victim: FeedServer) -> str:
    """Let the stranger's feed list what the victim has not published yet, and then lead to the victim for good."""
    url = stranger.url("/feed")
    stranger.routes = {"/feed": document("", "forged")}
    import_feed(url)
    redirect_to(stranger, victim)
    return url


def redirect_to(stranger: FeedServer, victim: FeedServer) -> None:
    stranger.routes = {"/feed": answer(301, location=victim.url("/feed"))}
    moved(stranger.url("/feed"))


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
    assert theirs.title == ""  # a document without one would leave the stranger's
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


# Other ways under the URL of another site


def moved(url: str) -> None:
    """Import a feed that redirects for good, as often and as long as it takes."""
    import_feed(url)
    Feed.objects.exclude(moved_since=None).update(moved_since=timezone.now() - timedelta(days=9))
    import_feed(url)


def forge(url: str) -> None:
    """Let a feed hold what the victim has not published yet, rewritten often, and bury the post after that."""
    feed = Feed.objects.get(pk=import_feed(url).feed_id)
    Entry.objects.filter(feed=feed).update(changes=24)
    now = timezone.now()
    Tombstone.objects.create(feed=feed, guid_digest=digest_of(3), created_at=now)
    Feed.objects.filter(pk=feed.pk).update(pruned_at=now)


def digest_of(number: int) -> bytes:
    """Return the identity under which the n-th post is stored."""
    from feeds.planning.entry_names import name_entries
    from tests.rigs.feeds import parsed

    guid = f"https://victim.example/posts/{number}"
    (named,) = name_entries(parsed(f"<rss version='2.0'><channel><item><guid>{guid}</guid></item></channel></rss>"))
    return named.names[0]


def test_a_page_that_took_in_a_feed_of_its_site_brings_nothing_to_the_feed_that_it_names(
    stranger: FeedServer, victim: FeedServer
) -> None:
    victim.routes = {"/feed": document("first")}
    theirs = Feed.objects.get(pk=import_feed(victim.url("/feed")).feed_id)
    stranger.routes = {"/feed": document("", "forged"), "/page": document("", "forged")}
    forge(stranger.url("/feed"))
    page = storage.load(stranger.url("/page"))
    assert page is not None
    stranger.routes |= {"/feed": answer(301, location=stranger.url("/page"))}
    moved(stranger.url("/feed"))
    html = f'<link rel="alternate" type="application/rss+xml" href="{victim.url("/feed")}">'
    stranger.routes |= {"/page": answer(200, html.encode(), content_type="text/html")}
    import_feed(stranger.url("/page"))
    victim.routes = {"/feed": document("first", "second", "third")}
    assert import_feed(theirs.url).new == 2
    assert titles(Feed.objects.get(url=theirs.url)) == {"first", "second", "third"}


def test_a_redirect_to_an_alias_of_another_sites_feed_brings_it_nothing(
    stranger: FeedServer, victim: FeedServer
) -> None:
    victim.routes = {"/feed": document("first")}
    theirs = Feed.objects.get(pk=import_feed(victim.url("/feed")).feed_id)
    alias = stranger.url("/old")
    Alias.objects.create(feed=theirs, url=alias, url_md5=canonical_urls.url_md5(alias), created_at=timezone.now())
    stranger.routes = {"/feed": document("", "forged"), "/old": document("", "forged")}
    forge(stranger.url("/feed"))
    stranger.routes |= {"/feed": answer(301, location=alias)}
    moved(stranger.url("/feed"))
    victim.routes = {"/feed": document("first", "second", "third")}
    assert import_feed(theirs.url).new == 2
    assert titles(Feed.objects.get(url=theirs.url)) == {"first", "second", "third"}
    source = Feed.objects.get(url=stranger.url("/feed"))
    assert (source.status, source.status_reason) == (Feed.Status.DISABLED, f"moved to {theirs.url}")


def test_at_a_url_of_another_site_that_a_person_gave_the_document_there_wins(
    stranger: FeedServer, victim: FeedServer
) -> None:
    stranger.routes = {"/feed": document("", "forged")}
    forge(stranger.url("/feed"))
    feed = Feed.objects.get()
    victim.routes = {"/feed": document("first", "second", "third")}
    storage.change_url(feed.pk, feed.url, victim.url("/feed"), reason="", now=timezone.now())
    assert import_feed(victim.url("/feed")).new == 2
    assert titles(feed) == {"first", "second", "third"}


def test_at_another_url_of_the_same_site_what_was_pruned_stays_away(stranger: FeedServer) -> None:
    stranger.routes = {"/feed": document("", "second"), "/new": document("", "second", "third")}
    forge(stranger.url("/feed"))
    feed = Feed.objects.get()
    storage.change_url(feed.pk, feed.url, stranger.url("/new"), reason="", now=timezone.now())
    assert import_feed(stranger.url("/new")).new == 0


# What the feed at a URL that nobody has subscribed to yet begins with


def test_what_only_the_stranger_listed_stays_with_it_where_the_victims_document_is_cut_short(
    stranger: FeedServer, victim: FeedServer
) -> None:
    """Of what such a document does not list nothing is concluded; what the stranger's listed counted as listed."""
    whole = document("first")
    victim.routes = {"/feed": answer(200, whole.partition(b"\r\n\r\n")[2].removesuffix(b"</channel></rss>"))}
    redirect(stranger, victim)
    theirs = Feed.objects.get(url=victim.url("/feed"))
    assert titles(theirs) == {"first"}


def test_a_page_that_entries_were_handed_to_brings_none_to_the_feed_that_it_names(
    stranger: FeedServer, victim: FeedServer
) -> None:
    """A feed moves to another site of the stranger's, which turns into a page before it is imported itself."""
    victim.routes = {"/feed": document("first")}
    with FeedServer() as other:
        other.routes = {"/page": document("", "forged")}
        stranger.routes = {"/feed": answer(301, location=other.url("/page"))}
        moved(stranger.url("/feed"))
        html = f'<link rel="alternate" type="application/rss+xml" href="{victim.url("/feed")}">'
        other.routes = {"/page": answer(200, html.encode(), content_type="text/html")}
        import_feed(other.url("/page"))
    import_feed(victim.url("/feed"))
    assert titles(Feed.objects.get(url=victim.url("/feed"))) == {"first"}


@pytest.mark.parametrize("date", ["Mon, 02 Nov 2026 10:00:00 GMT", ""])
def test_a_date_that_a_stranger_gave_is_replaced_too(stranger: FeedServer, victim: FeedServer, date: str) -> None:
    """By it the entry would stand at the end of every list, and be the first to be pruned."""
    victim.routes = {"/feed": dated("first", date)}
    stranger.routes = {"/feed": dated("first", "Thu, 01 Jan 1970 00:00:00 GMT")}
    import_feed(stranger.url("/feed"))
    Entry.objects.update(changes=24)
    redirect_to(stranger, victim)
    theirs = Feed.objects.get(url=victim.url("/feed"))
    import_feed(theirs.url)
    (entry,) = theirs.entries.all()
    assert entry.sorted_at == (entry.published_at or entry.first_seen_at)


def test_nothing_that_the_victim_lists_is_pruned_before_its_first_import(
    stranger: FeedServer, victim: FeedServer
) -> None:
    victim.routes = {"/feed": document("first", "second")}
    redirect(stranger, victim)
    theirs = Feed.objects.get(url=victim.url("/feed"))
    long_after = timezone.now() + timedelta(days=30)
    assert storage.prune(theirs, storage.Retention(keep_days=1, keep_entries=1), long_after) == 0
