"""Feeds that move, become one with another, or are found on a page: by real imports from a real server."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feeds import canonical_urls, storage
from feeds.conf import feeds_settings
from feeds.fetching import FetchSettings
from feeds.fetching.fetcher import Fetcher
from feeds.models import Alias, Entry, Feed, FetchOptions, Host, Tombstone
from feeds.outcomes import FailureKind, Outcome
from feeds.storage import Subscription
from tests.rigs.importing import import_feed
from tests.rigs.names import name_service
from tests.rigs.servers.feed_server import FeedServer, Received, answer
from tests.rigs.servers.samples import sample_feed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(settings: Any) -> Iterator[FeedServer]:
    settings.FEEDS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.FEEDS_REDIRECT_CHECKS = 2
    with FeedServer() as server:
        yield server


def feed(name: str = "news", **headers: str) -> bytes:
    return answer(200, sample_feed(name, kind="atom"), content_type="application/atom+xml", **headers)


def moved(url: str, status: int = 301) -> bytes:
    return answer(status, location=url)


def page(*hrefs: str) -> bytes:
    links = "".join(f'<link rel="alternate" type="application/atom+xml" href="{href}">' for href in hrefs)
    return answer(200, f"<!DOCTYPE html><title>Blog</title>{links}".encode(), content_type="text/html")


def a_week_passes() -> None:
    """Let the redirects that were seen be a week old."""
    Feed.objects.exclude(moved_since=None).update(moved_since=timezone.now() - timedelta(days=8))


def paths(server: FeedServer) -> list[str]:
    return [request.target for request in server.received]


# Moves


def test_a_feed_moves_once_its_redirect_was_seen_often_and_long_enough(server: FeedServer) -> None:
    old, new = server.url("/old"), server.url("/new")
    server.routes = {"/old": moved(new), "/new": feed(etag='"1"')}
    import_feed(old)
    import_feed(old)
    assert Feed.objects.get().url == old  # seen often enough, but not for days
    a_week_passes()

    report = import_feed(old)

    row = Feed.objects.get()
    assert (row.url, row.url_md5, row.host_id) == (new, canonical_urls.url_md5(new), "127.0.0.1")
    assert (report.url, report.feed_id) == (new, row.pk)
    assert (row.etag, row.validators_url, row.moved_to) == ('"1"', "", "")
    alias = Alias.objects.get()
    assert (alias.url, alias.feed) == (old, row)
    assert "seen by 3 checks in a row" in alias.reason
    assert Entry.objects.filter(feed=row).count() == 3


def test_a_redirect_that_leads_to_no_feed_is_not_followed_for_good(server: FeedServer) -> None:
    old, new = server.url("/old"), server.url("/new")
    server.routes = {"/old": feed()}
    import_feed(old)
    server.routes = {"/old": moved(new), "/new": answer(200, b"<html>Down for maintenance", content_type="text/html")}
    for _ in range(3):
        import_feed(old)
        a_week_passes()
    row = Feed.objects.get()
    assert (row.url, row.moved_to, row.error_kind) == (old, "", FailureKind.NOT_A_FEED)


def test_a_failure_in_between_does_not_forget_the_redirect_and_a_direct_answer_does(server: FeedServer) -> None:
    old, new = server.url("/old"), server.url("/new")
    server.routes = {"/old": moved(new), "/new": feed()}
    import_feed(old)
    server.routes["/new"] = answer(500)
    import_feed(old)
    assert Feed.objects.get().moved_to == new
    server.routes["/old"] = feed()
    import_feed(old)
    assert Feed.objects.get().moved_to == ""


def test_the_old_url_still_finds_the_feed(server: FeedServer) -> None:
    old, new = moved_feed(server)
    server.received.clear()

    report = import_feed(old)

    assert report.feed_id == Feed.objects.get().pk
    assert paths(server) == ["/new"]
    assert storage.register([Subscription(url=old), Subscription(url=new)]).known == 2
    assert Feed.objects.ids_by_url([old, new]) == {old: report.feed_id, new: report.feed_id}
    assert Feed.objects.import_feed(old).url == new


def moved_feed(server: FeedServer) -> tuple[str, str]:
    old, new = server.url("/old"), server.url("/new")
    server.routes = {"/old": moved(new), "/new": feed()}
    import_feed(old)
    a_week_passes()
    import_feed(old)
    assert Feed.objects.get().url == new
    return old, new


def test_a_feed_may_come_back_to_where_it_was(server: FeedServer) -> None:
    old, new = moved_feed(server)
    server.routes = {"/new": moved(old), "/old": feed("more")}
    import_feed(new)
    a_week_passes()
    import_feed(new)
    assert Feed.objects.get().url == old
    assert [alias.url for alias in Alias.objects.all()] == [new]


def test_two_messages_with_the_old_and_the_new_url_write_once(server: FeedServer) -> None:
    """Their locks differ; the fence holds."""
    old, new = moved_feed(server)
    in_between: list[Outcome] = []

    def meanwhile(request: Received) -> bytes:
        if not in_between:
            in_between.append(Outcome.DELAYED)  # so that the inner one is answered plainly
            in_between.append(import_feed(new).outcome)
            connections.close_all()  # this is a thread of the server
        return feed("more")

    server.routes["/new"] = meanwhile
    outer = import_feed(old)
    assert {outer.outcome, in_between[1]} == {Outcome.SUPERSEDED, Outcome.IMPORTED}
    assert Entry.objects.count() == 6


def test_a_known_feed_costs_one_statement_to_load_though_it_could_have_aliases_and_options(server: FeedServer) -> None:
    storage.load("https://example.org/feed")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        storage.load("https://example.org/feed")
    assert len(queries) == 1


# Two feeds become one


def test_two_feeds_that_become_one_lose_no_entry(server: FeedServer) -> None:
    old, new = server.url("/old"), server.url("/new")
    server.routes = {"/old": feed("ours"), "/new": feed("theirs")}
    source = Feed.objects.get(pk=import_feed(old).feed_id)
    other = Feed.objects.get(pk=import_feed(new).feed_id)
    Feed.objects.filter(pk=source.pk).update(folder="News")
    Alias.objects.create(
        feed=source,
        url="https://x.example/",
        url_md5=canonical_urls.url_md5("https://x.example/"),
        created_at=timezone.now(),
    )
    Tombstone.objects.create(feed=source, guid_digest=b"x" * 16, created_at=timezone.now())
    FetchOptions.objects.create(feed=source, user_agent="ours")
    server.routes["/old"] = moved(new)
    import_feed(old)
    a_week_passes()

    report = import_feed(old)

    assert report.feed_id == other.pk
    survivor = Feed.objects.get()
    assert (survivor.pk, survivor.folder) == (other.pk, "News")
    guids = sorted(Entry.objects.filter(feed=survivor).values_list("guid", flat=True))
    assert guids == [f"urn:{name}:{number}" for name in ("ours", "theirs") for number in (1, 2, 3)]
    assert {alias.url for alias in Alias.objects.filter(feed=survivor)} == {old, "https://x.example/"}
    assert Tombstone.objects.get().feed == survivor
    assert not FetchOptions.objects.exists()
    assert import_feed(old).outcome is Outcome.UNCHANGED


def test_a_folder_that_the_other_feed_has_stays(server: FeedServer) -> None:
    old, new = server.url("/old"), server.url("/new")
    server.routes = {"/old": moved(new), "/new": feed()}
    storage.register([Subscription(url=old, folder="A"), Subscription(url=new, folder="B")])
    import_feed(old)
    a_week_passes()
    import_feed(old)
    assert Feed.objects.get().folder == "B"


def test_a_feed_that_was_given_up_lives_again_when_another_moves_to_it(server: FeedServer) -> None:
    old, new = server.url("/old"), server.url("/new")
    server.routes = {"/old": moved(new), "/new": feed()}
    storage.register([Subscription(url=new)])
    Feed.objects.update(status=Feed.Status.DISABLED, next_check_at=None)
    import_feed(old)
    a_week_passes()
    import_feed(old)
    survivor = Feed.objects.get()
    assert survivor.status == Feed.Status.ACTIVE
    assert survivor.next_check_at is not None


# Validators


def test_validators_are_sent_only_to_the_url_that_gave_them(server: FeedServer) -> None:
    server.routes = {"/feed": moved(server.url("/a"), 302), "/a": feed(etag='"a"', last_modified="whenever")}
    import_feed(server.url("/feed"))
    assert Feed.objects.get().validators_url == server.url("/a")
    server.routes = {"/feed": moved(server.url("/b"), 302), "/b": feed(etag='"b"')}
    server.received.clear()

    import_feed(server.url("/feed"))
    import_feed(server.url("/feed"))

    conditions = [(request.target, request.header("If-None-Match")) for request in server.received]
    assert conditions == [("/feed", None), ("/b", None), ("/feed", None), ("/b", '"b"')]
    assert {request.header("If-Modified-Since") for request in server.received} == {None}


def test_a_304_from_a_url_that_was_asked_without_conditions_is_no_answer(server: FeedServer) -> None:
    server.routes = {"/feed": feed(etag='"a"')}
    import_feed(server.url("/feed"))
    server.routes = {"/feed": moved(server.url("/b"), 302), "/b": answer(304)}
    report = import_feed(server.url("/feed"))
    assert report.failure is not None
    assert report.failure.kind is FailureKind.PROTOCOL


# Conditional requests


def test_every_check_after_the_first_is_conditional(server: FeedServer) -> None:
    server.routes = {"/feed": lambda request: answer(304) if request.header("If-None-Match") else feed(etag='"1"')}
    for _ in range(5):
        import_feed(server.url("/feed"))
        Feed.objects.update(imported_at=timezone.now() - timedelta(days=90))
    assert [request.header("If-None-Match") for request in server.received] == [None, *['"1"'] * 4]


def test_a_document_cut_short_gives_its_entries_and_not_its_validators(server: FeedServer) -> None:
    whole = sample_feed("news", kind="atom")
    server.routes = {"/feed": answer(200, whole[: whole.rindex(b"<entry>") + 20], etag='"1"')}
    assert import_feed(server.url("/feed")).new >= 2
    server.routes = {"/feed": lambda request: answer(304) if request.header("If-None-Match") else feed(etag='"1"')}
    import_feed(server.url("/feed"))
    assert server.received[1].header("If-None-Match") is None
    assert Entry.objects.filter(title="Number 3 of news").exists()
    assert Feed.objects.get().etag == '"1"'


# Pages


def test_a_feed_costs_one_request(server: FeedServer) -> None:
    server.routes = {"/feed": feed()}
    import_feed(server.url("/feed"))
    assert paths(server) == ["/feed"]


def test_a_page_costs_one_request_more_and_the_choice_is_recorded(server: FeedServer) -> None:
    server.routes = {"/": page("/feed", "/comments/feed"), "/feed": feed()}

    report = import_feed(server.url("/"))

    assert paths(server) == ["/", "/feed"]
    row = Feed.objects.get()
    assert (report.feed_id, report.outcome, report.new) == (row.pk, Outcome.IMPORTED, 3)
    assert (row.url, row.found_on) == (server.url("/feed"), server.url("/"))
    alias = Alias.objects.get()
    assert (alias.url, alias.reason) == (server.url("/"), "a page; of 2 feeds on it this was chosen: Atom")
    assert import_feed(server.url("/")).outcome is Outcome.UNCHANGED
    assert paths(server) == ["/", "/feed", "/feed"]


@pytest.mark.parametrize("refusal", [answer(404), answer(500), answer(410), answer(200, b"<html>Sign in</html>")])
def test_where_the_first_feed_of_a_page_is_none_the_next_is_taken(server: FeedServer, refusal: bytes) -> None:
    server.routes = {"/": page("/old", "/feed", "/third"), "/old": refusal, "/feed": feed()}

    report = import_feed(server.url("/"))

    assert paths(server) == ["/", "/old", "/feed"]
    row = Feed.objects.get()
    assert (report.feed_id, report.outcome, report.new) == (row.pk, Outcome.IMPORTED, 3)
    assert (row.url, row.found_on, row.moved_to, row.error_count) == (server.url("/feed"), server.url("/"), "", 0)
    assert [alias.url for alias in Alias.objects.all()] == [server.url("/")]


def test_the_first_contact_costs_three_requests_at_most(server: FeedServer) -> None:
    server.routes = {"/": page("/a", "/b", "/c"), "/c": feed()}
    assert import_feed(server.url("/")).outcome is Outcome.FAILED
    assert paths(server) == ["/", "/a", "/b"]
    assert import_feed(server.url("/")).outcome is Outcome.FAILED
    assert paths(server) == ["/", "/a", "/b", "/b"]


def test_a_server_that_answers_too_many_requests_is_not_asked_for_the_next_feed(server: FeedServer) -> None:
    server.routes = {"/": page("/a", "/b"), "/a": answer(429), "/b": feed()}
    assert import_feed(server.url("/")).outcome is Outcome.FAILED
    assert paths(server) == ["/", "/a"]


def test_a_feed_that_was_one_goes_to_no_other_of_its_page(server: FeedServer) -> None:
    server.routes = {"/": page("/a", "/b"), "/a": feed(), "/b": feed()}
    import_feed(server.url("/"))
    server.routes["/a"] = answer(404)
    assert import_feed(server.url("/a")).outcome is Outcome.FAILED
    assert Feed.objects.get().url == server.url("/a")


def test_a_page_whose_feed_is_known_leads_to_that_feed_without_another_request(server: FeedServer) -> None:
    server.routes = {"/": page("/feed"), "/feed": feed()}
    known = import_feed(server.url("/feed")).feed_id
    server.received.clear()

    report = import_feed(server.url("/"))

    assert (report.feed_id, report.outcome) == (known, Outcome.COVERED)
    assert paths(server) == ["/"]
    assert Feed.objects.get().pk == known
    assert Alias.objects.get().url == server.url("/")


def test_what_a_page_names_must_be_a_feed_itself(server: FeedServer) -> None:
    server.routes = {"/": page("/page"), "/page": page("/feed"), "/feed": feed()}
    report = import_feed(server.url("/"))
    assert report.failure is not None
    assert report.failure.kind is FailureKind.NOT_A_FEED
    assert paths(server) == ["/", "/page"]
    import_feed(server.url("/"))
    assert paths(server) == ["/", "/page", "/page"]


def test_a_known_feed_that_turns_into_a_page_stays_where_it_is(server: FeedServer) -> None:
    server.routes = {"/feed": feed(), "/login": feed("other")}
    import_feed(server.url("/feed"))
    server.routes["/feed"] = page("/login")
    server.received.clear()
    report = import_feed(server.url("/feed"))
    assert report.failure is not None
    assert report.failure.kind is FailureKind.NOT_A_FEED
    assert paths(server) == ["/feed"]
    assert Feed.objects.get().url == server.url("/feed")


def test_the_page_and_its_feed_wait_for_their_host(server: FeedServer, settings: Any) -> None:
    settings.FEEDS_HOST_DELAY = 60.0
    named = f"http://feeds.example:{server.port}"
    server.routes = {"/": page("/feed"), "/feed": feed(), "/other": feed("other")}
    fetcher = Fetcher(feeds_settings().part(FetchSettings), getaddrinfo=name_service("127.0.0.1"))
    import_feed(f"{named}/other", fetch=fetcher.fetch)
    _open_the_door()
    report = import_feed(f"{named}/", fetch=fetcher.fetch)

    assert report.outcome is Outcome.DELAYED
    assert report.slot is not None
    assert paths(server) == ["/other", "/"]
    requested_at = timezone.now() - timedelta(minutes=1)
    _open_the_door()
    again = import_feed(f"{named}/", requested_at=requested_at, fetch=fetcher.fetch)
    assert again.outcome is Outcome.IMPORTED
    assert paths(server) == ["/other", "/", "/feed"]


def _open_the_door() -> None:
    a_moment_ago = timezone.now() - timedelta(seconds=5)
    Host.objects.update(free_at=a_moment_ago, slot_at=a_moment_ago)
