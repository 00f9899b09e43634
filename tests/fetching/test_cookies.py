"""Cookies live for one fetch and its hops."""

import pytest
from urllib3 import HTTPHeaderDict

from feeds.canonical_urls import split_url
from feeds.fetching.cookies import MAX_COOKIE_HEADER, MAX_COOKIE_LENGTH, MAX_COOKIES, Cookies
from feeds.fetching.fetcher import Fetcher
from feeds.fetching.values import Failed, FeedRequest, Fetched, FetchSettings, Redirect
from feeds.outcomes import FailureKind
from tests.rigs.names import name_service
from tests.rigs.servers.feed_server import FeedServer, Received, answer

BODY = b"<rss version='2.0'/>"


@pytest.fixture
def fetcher() -> Fetcher:
    return Fetcher(FetchSettings(allowed_networks=("127.0.0.0/8",)), getaddrinfo=name_service("127.0.0.1"))


def sent(server: FeedServer) -> list[str | None]:
    return [received.header("Cookie") for received in server.received]


def wall(request: Received) -> bytes:
    """Let through who has the cookie, and redirect all others to where they are."""
    if "seen=1" in (request.header("Cookie") or ""):
        return answer(body=BODY)
    return answer(302, location=request.target, set_cookie="seen=1; Path=/; HttpOnly; Max-Age=999999999")


def test_a_server_that_redirects_until_its_cookie_comes_is_read_and_the_cookie_forgotten(
    server: FeedServer, fetcher: Fetcher
) -> None:
    server.routes["/feed"] = wall
    for _ in range(2):
        outcome = fetcher.fetch(FeedRequest(url=server.url()))
        assert isinstance(outcome, Fetched)
        assert outcome.redirects == (Redirect(status=302, url=server.url()),)
    assert sent(server) == [None, "seen=1", None, "seen=1"]


def test_a_wall_on_another_host_of_the_site_is_passed(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = lambda request: (
        answer(body=BODY)
        if request.header("Cookie")
        else answer(302, location=server.url("/consent", "consent.example.org"))
    )
    server.routes["/consent"] = answer(
        302, location=server.url(host="www.example.org"), set_cookie="ok=1; Domain=example.org; Path=/"
    )
    assert isinstance(fetcher.fetch(FeedRequest(url=server.url(host="www.example.org"))), Fetched)
    assert sent(server) == [None, None, "ok=1"]


@pytest.mark.parametrize(
    ("cookie", "target"),
    [
        ("a=1", "http://other.example/next"),
        ("a=1", "http://sub.example.org/next"),
        ("a=1; Domain=other.example", "http://other.example/next"),
        ("a=1; Domain=org", "http://www.example.org/next"),
        ("a=1; Domain=evil.example.org", "http://www.example.org/next"),
        ("a=1; Secure", "http://example.org/next"),
        ("a=1; Path=/private", "http://example.org/next"),
        ("a=1; Max-Age=0", "http://example.org/next"),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://example.org/next"),
    ],
)
def test_a_cookie_goes_to_no_other_host_path_or_scheme(
    server: FeedServer, fetcher: Fetcher, cookie: str, target: str
) -> None:
    there = target.replace("/next", f":{server.port}/next")
    server.routes = {"/feed": answer(302, location=there, set_cookie=cookie), "/next": answer(body=BODY)}
    assert isinstance(fetcher.fetch(FeedRequest(url=server.url(host="example.org"))), Fetched)
    assert sent(server) == [None, None]


def test_a_feeds_own_cookie_stays_in_front_and_at_its_origin(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = wall
    request = FeedRequest(url=server.url(), headers=(("Cookie", "own=é"),))
    assert isinstance(fetcher.fetch(request), Fetched)
    assert sent(server) == ["own=é".encode().decode("latin-1"), "own=é; seen=1".encode().decode("latin-1")]


def test_a_server_that_sets_another_cookie_each_time_is_left_after_the_last_redirect(
    server: FeedServer, fetcher: Fetcher
) -> None:
    server.routes["/feed"] = lambda _: answer(302, location="/feed", set_cookie=f"n={len(server.received)}")
    outcome = fetcher.fetch(FeedRequest(url=server.url()))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.text, len(server.received)) == (FailureKind.REDIRECT, "more than 5 redirects", 6)


def test_a_server_that_sets_the_same_cookie_again_goes_in_a_circle(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(302, location="/feed", set_cookie="seen=1")
    outcome = fetcher.fetch(FeedRequest(url=server.url()))
    assert isinstance(outcome, Failed)
    assert (outcome.text, len(server.received)) == ("redirects go in a circle", 2)


URL = split_url("https://example.org/feed")


def taken(*cookies: str) -> str:
    jar = Cookies()
    jar.take(URL, HTTPHeaderDict([("Set-Cookie", cookie) for cookie in cookies]))
    return jar.header(URL)


def test_cookies_have_limits() -> None:
    assert taken("a=" + "x" * MAX_COOKIE_LENGTH) == ""
    assert len(taken(*(f"a{number}=1" for number in range(200))).split("; ")) == MAX_COOKIES
    assert taken(*(f"a{number}=" + "x" * 4_000 for number in range(MAX_COOKIE_HEADER // 4_000))) != ""
    assert taken(*(f"a{number}=" + "x" * 4_000 for number in range(20))) == ""


@pytest.mark.parametrize(
    "attribute",
    [
        *("Max-Age=", "Max-Age=0.5", 'Max-Age="3600"', "Max-Age=86400s", "Max-Age=" + "9" * 20),
        *("Domain=", "Domain", "Path", "Path=feed", 'Path="/"', 'Port="80"', "Version=1", "Partitioned"),
    ],
)
def test_an_attribute_that_browsers_ignore_costs_no_cookie(attribute: str) -> None:
    assert taken(f"a=1; {attribute}; HttpOnly") == "a=1"


@pytest.mark.parametrize(
    "cookie",
    [
        *("", "=", ";;;", "a", "=x", "é=ü", "a=\x00\x01", 'a="'),
        *(
            "a=1; Version=1",
            "a=1; Port",
            "a=1; Domain=",
            "a=1; Domain=..",
            "a=1; Path=",
            "a=1; Expires=Wed, 99 Foo 9 99:99",
        ),
        *("a=1; Max-Age=9" + "9" * 400, "a=1; Expires=" + "9" * 3_000, "a=1; Expires=Thu" + ", 01" * 900),
        *("a=1; Expires=" + "1-" * 2_000, ";" * 4_000, " " * 4_000, "a=1;" + " " * 4_000),
    ],
)
def test_cookies_that_are_none_do_no_harm(cookie: str) -> None:
    header = taken(cookie)
    assert header == "" or "=" in header or header == "a"
