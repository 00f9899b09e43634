"""Whether the feed's URL follows a redirect."""

from dataclasses import replace
from datetime import timedelta

import pytest

from feeds.fetching.values import FeedRequest, Fetched, NotModified, Redirect
from feeds.planning import redirects
from feeds.planning.values import FeedState, RedirectStreak
from tests.rigs.planning import NOW, RULES, feed_state

OLD, NEW = "https://example.org/feed", "https://example.org/new"
WEEK = timedelta(days=7)


def known(url: str = OLD, *, username: str = "", headers: tuple[tuple[str, str], ...] = ()) -> FeedState:
    request = FeedRequest(url=url, username=username, headers=headers)
    return feed_state(url, request=request)


def fetched(*hops: tuple[int, str]) -> Fetched:
    redirects = tuple(Redirect(status=status, url=url) for status, url in hops)
    url = redirects[-1].url if redirects else OLD
    return Fetched(url=url, body=b"", body_digest=b"", redirects=redirects)


def target(feed: FeedState, answer: Fetched) -> str:
    streak = redirects.streak(feed, answer, NOW)
    return streak.url if streak else ""


@pytest.mark.parametrize("status", [301, 308])
def test_a_permanent_redirect_is_noted(status: int) -> None:
    assert redirects.streak(known(), fetched((status, NEW)), NOW) == RedirectStreak(url=NEW, since=NOW, count=1)


@pytest.mark.parametrize("status", [302, 303, 307])
def test_a_temporary_redirect_is_never_kept_wherever_in_the_chain_it_stands(status: int) -> None:
    assert target(known(), fetched((status, NEW))) == ""
    assert target(known(), fetched((301, NEW), (status, NEW + "er"))) == ""
    assert target(known(), fetched((status, NEW), (301, NEW + "er"))) == ""


def test_a_chain_of_permanent_redirects_leads_to_its_end() -> None:
    assert target(known(), fetched((301, NEW), (308, "https://elsewhere.example/"))) == "https://elsewhere.example/"


def test_no_redirect_takes_a_feed_from_https_to_http_not_even_on_the_way() -> None:
    assert target(known(), fetched((301, "http://example.org/feed"))) == ""
    assert target(known(), fetched((301, "http://example.org/feed"), (301, NEW))) == ""
    assert target(known("http://example.org/feed"), fetched((301, OLD))) == OLD


def test_a_redirect_that_comes_back_to_the_feeds_own_url_moves_nothing() -> None:
    assert target(known(), fetched((301, NEW), (301, OLD))) == ""
    assert target(known(), fetched((301, OLD))) == ""


def test_the_login_in_the_url_stays_at_its_origin() -> None:
    feed = known("https://ann:secret@example.org/feed")
    assert target(feed, fetched((301, NEW))) == "https://ann:secret@example.org/new"
    assert target(feed, fetched((301, "https://elsewhere.example/"))) == "https://elsewhere.example/"


@pytest.mark.parametrize("feed", [known(username="ann"), known(headers=(("X-Key", "secret"),))])
def test_a_feed_with_a_login_or_headers_of_its_own_goes_to_no_other_origin(feed: FeedState) -> None:
    assert target(feed, fetched((301, NEW))) == NEW
    assert target(feed, fetched((301, "https://elsewhere.example/"))) == ""
    assert target(feed, fetched((301, "https://example.org:8443/feed"))) == ""


def test_the_same_redirect_is_counted_and_another_one_begins_anew() -> None:
    feed = replace(known(), redirect=RedirectStreak(url=NEW, since=NOW - WEEK, count=2))
    assert redirects.streak(feed, fetched((301, NEW)), NOW) == RedirectStreak(url=NEW, since=NOW - WEEK, count=3)
    anew = RedirectStreak(url=NEW + "er", since=NOW, count=1)
    assert redirects.streak(feed, fetched((301, NEW + "er")), NOW) == anew
    assert redirects.streak(feed, fetched(), NOW) is None


def test_a_304_from_where_a_redirect_leads_counts_too() -> None:
    answer = NotModified(url=NEW, redirects=(Redirect(status=301, url=NEW),))
    assert redirects.streak(known(), answer, NOW) == RedirectStreak(url=NEW, since=NOW, count=1)


@pytest.mark.parametrize(
    ("count", "since", "is_believed"),
    [(3, WEEK, True), (2, WEEK, False), (99, WEEK - timedelta(seconds=1), False), (99, 2 * WEEK, True)],
)
def test_a_redirect_is_believed_once_it_was_seen_often_and_for_days(
    count: int, since: timedelta, is_believed: bool
) -> None:
    move = redirects.move(known(), RedirectStreak(url=NEW, since=NOW - since, count=count), RULES, NOW)
    assert (move is not None) == is_believed
    if move:
        assert move.url == NEW
        assert "seen by" in move.reason


def test_no_redirect_is_no_move() -> None:
    assert redirects.move(known(), None, RULES, NOW) is None


@pytest.mark.parametrize(
    ("old", "new", "across_sites"),
    [
        ("http://example.org/feed", "https://www.example.org/rss", False),
        ("http://example.org:8080/feed", "http://example.org:8080/rss", False),
        ("http://example.org:8080/feed", "http://example.org:8081/rss", True),
        ("https://example.org/feed", "https://blog.example.org/feed", True),
        ("https://example.org/feed", "https://example.com/feed", True),
    ],
)
def test_a_move_to_another_host_or_port_is_one_across_sites(old: str, new: str, across_sites: bool) -> None:
    move = redirects.move(known(old), RedirectStreak(url=new, since=NOW - WEEK, count=3), RULES, NOW)
    assert move is not None
    assert move.across_sites is across_sites
