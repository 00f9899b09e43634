"""What the fetcher asks for and what it makes of the answers, over real sockets."""

import gzip
import os
import shutil
import socket
import ssl
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from warnings import catch_warnings

import pytest
from urllib3 import HTTPHeaderDict

from feeds.fetching import FetchSettings, transport
from feeds.fetching.fetcher import Fetcher
from feeds.fetching.responses import freshness, retry_after
from feeds.fetching.values import Failed, FeedRequest, Fetched, NotModified, Redirect
from feeds.outcomes import FailureKind
from tests.rigs.names import name_service
from tests.rigs.servers.daemon import eventually
from tests.rigs.servers.feed_server import CERTIFICATE, FeedServer, answer
from tests.rigs.threads import at_once

if "zstd" in transport.KNOWN_ENCODINGS:
    from urllib3.response import zstd

LOOPBACK = ("127.0.0.0/8", "::1/128")
NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT
BODY = b"<rss version='2.0'/>"


@pytest.fixture
def tls_server() -> Iterator[FeedServer]:
    with FeedServer(tls=True) as running:
        yield running


@pytest.fixture
def fetcher() -> Fetcher:
    return Fetcher(FetchSettings(allowed_networks=LOOPBACK), clock=lambda: NOW)


def fetched(fetcher: Fetcher, url: str) -> Fetched:
    outcome = fetcher.fetch(FeedRequest(url=url))
    assert isinstance(outcome, Fetched), outcome
    return outcome


def failed(fetcher: Fetcher, url: str) -> Failed:
    outcome = fetcher.fetch(FeedRequest(url=url))
    assert isinstance(outcome, Failed), outcome
    return outcome


# Validators


@pytest.mark.parametrize(
    ("etag", "last_modified"),
    [
        ('"abc"', "Tue, 14 Nov 2023 22:13:20 GMT"),
        ('W/"abc--gzip"', "Tue, 14 Nov 2023 22:13:20 +0000"),
        ("not quoted, with commas", "yesterday"),
        ('"\xe9\xff"', "2041-01-01T00:00:00Z"),
        ('""', "0"),
    ],
)
def test_validators_come_back_byte_for_byte(
    server: FeedServer, fetcher: Fetcher, etag: str, last_modified: str
) -> None:
    server.routes["/feed"] = answer(body=BODY, etag=etag, last_modified=last_modified)
    first = fetched(fetcher, server.url())
    fetcher.fetch(FeedRequest(url=server.url(), etag=first.etag, last_modified=first.last_modified))
    assert server.received[-1].header("If-None-Match") == etag
    assert server.received[-1].header("If-Modified-Since") == last_modified


def test_no_validator_is_made_up(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(body=BODY, date="Tue, 14 Nov 2023 22:13:20 GMT")
    first = fetched(fetcher, server.url())
    assert (first.etag, first.last_modified) == ("", "")


@pytest.mark.parametrize("etag", ['"a\x00b"', '"a\x0bb"', '"' + "x" * 9_000 + '"'])
def test_a_validator_that_could_not_be_stored_or_sent_back_is_none(
    server: FeedServer, fetcher: Fetcher, etag: str
) -> None:
    server.routes["/feed"] = answer(body=BODY, etag=etag)
    assert fetched(fetcher, server.url()).etag == ""


def test_validators_are_replaced_together(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(body=BODY, last_modified="today")
    outcome = fetcher.fetch(FeedRequest(url=server.url(), etag='"1"', last_modified="yesterday"))
    assert isinstance(outcome, Fetched)
    assert (outcome.etag, outcome.last_modified) == ("", "today")


def test_validators_are_replaced_when_the_body_is_the_same(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(body=BODY, etag='"2"', cache_control="max-age=60")
    digest = fetched(fetcher, server.url()).body_digest
    outcome = fetcher.fetch(FeedRequest(url=server.url(), etag='"1"', last_modified="yesterday", body_digest=digest))
    assert outcome == NotModified(url=server.url(), status=200, etag='"2"', last_modified="", max_age=60.0)


def test_a_304_refreshes_the_validators_that_it_names(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(304, etag='"2"', cache_control="max-age=7200", age="600")
    outcome = fetcher.fetch(FeedRequest(url=server.url(), etag='"1"', last_modified="yesterday"))
    assert outcome == NotModified(url=server.url(), etag='"2"', last_modified="yesterday", max_age=6600.0)


def test_a_304_to_an_unconditional_request_is_a_failure(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(304, etag='"2"')
    assert failed(fetcher, server.url()).kind == FailureKind.PROTOCOL


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429, 500, 503])
def test_an_error_page_yields_no_validators(server: FeedServer, fetcher: Fetcher, status: int) -> None:
    server.routes["/feed"] = answer(status, body=BODY, etag='"error"', last_modified="now")
    outcome = fetcher.fetch(FeedRequest(url=server.url(), etag='"1"'))
    assert isinstance(outcome, Failed)
    assert not hasattr(outcome, "etag")


# Requests


def test_no_cookie_referer_fragment_or_cache_buster_is_sent_and_the_url_is_unaltered(
    server: FeedServer, fetcher: Fetcher
) -> None:
    target = "/feed?b=2&a=1&a=2&empty=&x[]=%2F"
    server.routes[target] = answer(body=BODY, set_cookie="seen=1; Path=/", etag='"1"')
    for _ in range(2):
        fetched(fetcher, server.url(target + "#entries"))
    assert [request.target for request in server.received] == [target, target]
    names = {name.lower() for request in server.received for name, _ in request.headers}
    assert names == {"host", "user-agent", "accept", "accept-encoding"}


def test_no_referer_comes_with_redirects(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(302, location="/next")
    server.routes["/next"] = answer(body=BODY)
    fetched(fetcher, server.url())
    assert server.received[1].header("Referer") is None


def test_the_user_agent_names_product_version_and_contact(server: FeedServer) -> None:
    server.routes["/feed"] = answer(body=BODY)
    for settings in (
        FetchSettings(allowed_networks=LOOPBACK, contact_url="https://example.org/about"),
        FetchSettings(allowed_networks=LOOPBACK),
        FetchSettings(allowed_networks=LOOPBACK, user_agent="mine/1"),
    ):
        fetched(Fetcher(settings), server.url())
    agents = [request.header("User-Agent") or "" for request in server.received]
    assert agents[0].startswith("feeds/")
    assert agents[0].endswith(" (+https://example.org/about)")
    assert agents[1].endswith(" (no contact given)")
    assert agents[2] == "mine/1"


def test_a_feed_may_have_a_user_agent_of_its_own(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(body=BODY)
    fetcher.fetch(FeedRequest(url=server.url(), user_agent="ours/2 (für Müller)"))
    assert server.received[0].header("User-Agent") == "ours/2 (für Müller)".encode().decode("latin-1")


def test_accept_lists_feed_types_and_everything_last(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(body=BODY)
    fetched(fetcher, server.url())
    types = (server.received[0].header("Accept") or "").split(", ")
    assert {"application/atom+xml", "application/rss+xml", "application/feed+json"} <= set(types)
    assert types[-1].startswith("*/*")


def test_a_feeds_own_headers_are_sent_but_cannot_break_the_message(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(body=BODY)
    headers = (("x-api-key", "geheim"), ("ACCEPT", "text/xml"), ("Host", "other"), ("content-length", "5"))
    fetcher.fetch(FeedRequest(url=server.url(), headers=headers))
    sent = server.received[0]
    assert (sent.header("X-Api-Key"), sent.header("Accept")) == ("geheim", "text/xml")
    assert (sent.header("Host"), sent.header("Content-Length")) == (f"127.0.0.1:{server.port}", None)


@pytest.mark.parametrize("header", [("X-A", "b\r\nX-C: d"), ("X A", "b"), ("X-A:", "b"), ("", "b"), ("X-A", "\x00")])
def test_headers_cannot_be_injected(fetcher: Fetcher, header: tuple[str, str]) -> None:
    outcome = fetcher.fetch(FeedRequest(url="http://127.0.0.1:1/", headers=(header,)))
    assert isinstance(outcome, Failed)
    assert "own header" in outcome.text


def test_credentials_of_the_url_or_the_feed_are_sent(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(body=BODY)
    with_credentials = server.url(host="me:p%40ss@127.0.0.1")
    first = fetched(fetcher, with_credentials)
    fetcher.fetch(FeedRequest(url=with_credentials, username="you", password="ü"))
    assert [request.header("Authorization") for request in server.received] == [
        "Basic bWU6cEBzcw==",
        "Basic eW91OsO8",
    ]
    assert first.url == server.url()


def test_a_feed_costs_one_request(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(body=BODY)
    fetched(fetcher, server.url())
    assert len(server.received) == 1


def test_a_delta_is_asked_for_only_with_a_validator(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(226, body=BODY, im="feed", etag='"2"')
    outcome = fetcher.fetch(FeedRequest(url=server.url(), etag='"1"'))
    assert isinstance(outcome, Fetched)
    assert (outcome.status, outcome.etag, outcome.body) == (226, '"2"', BODY)
    assert failed(fetcher, server.url()).kind == FailureKind.PROTOCOL
    fetcher.fetch(FeedRequest(url=server.url(), last_modified="yesterday"))
    assert [request.header("A-IM") for request in server.received] == ["feed", None, None]


@pytest.mark.parametrize("manipulation", ["gdiff", "feed, gzip", ""])
def test_a_226_by_another_manipulation_is_a_failure(server: FeedServer, fetcher: Fetcher, manipulation: str) -> None:
    server.routes["/feed"] = answer(226, body=BODY, im=manipulation)
    outcome = fetcher.fetch(FeedRequest(url=server.url(), etag='"1"'))
    assert isinstance(outcome, Failed)
    assert outcome.kind == FailureKind.PROTOCOL


# Hints


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Cache-Control": "max-age=3600"}, 3600.0),
        ({"Cache-Control": "public, MAX-AGE=3600, must-revalidate"}, 3600.0),
        ({"Cache-Control": 'max-age="3600"'}, 3600.0),
        ({"Cache-Control": "max-age=3600", "Age": "600"}, 3000.0),
        ({"Cache-Control": "max-age=3600", "Age": "4000"}, None),
        ({"Cache-Control": "max-age=3600", "Age": "-5"}, 3600.0),
        ({"Cache-Control": "max-age=3600", "Age": "old"}, 3600.0),
        ({"Cache-Control": "max-age=0"}, None),
        ({"Cache-Control": "max-age=-1"}, None),
        ({"Cache-Control": "s-maxage=3600"}, None),
        ({"Cache-Control": "max-age=" + "9" * 5000}, 366 * 86400.0),
        ({"Cache-Control": "no-cache, max-age=3600"}, None),
        ({"Cache-Control": "no-store"}, None),
        ({"Cache-Control": 'no-cache="set-cookie", max-age=60'}, 60.0),
        ({"Cache-Control": "max-age=60", "Expires": "Wed, 15 Nov 2023 22:13:20 GMT"}, 60.0),
        ({"Cache-Control": "max-age=0", "Expires": "Wed, 15 Nov 2023 22:13:20 GMT"}, None),
        ({"Expires": "Tue, 14 Nov 2023 23:13:20 GMT"}, 3600.0),
        ({"Expires": "Tue, 14 Nov 2023 23:13:20 GMT", "Date": "Tue, 14 Nov 2023 23:03:20 GMT"}, 600.0),
        ({"Expires": "Tuesday, 14-Nov-23 23:13:20 GMT"}, 3600.0),
        ({"Expires": "Tue Nov 14 23:13:20 2023"}, 3600.0),
        ({"Expires": "Tue, 14 Nov 2023 22:13:19 GMT"}, None),
        ({"Expires": "0"}, None),
        ({"Expires": "-1"}, None),
        ({"Expires": "Thu, 99 Foo 9999 99:99:99 GMT"}, None),
    ],
)
def test_freshness_is_max_age_or_expires_less_the_age(headers: dict[str, str], expected: float | None) -> None:
    assert freshness(HTTPHeaderDict(headers), NOW) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120", 120.0),
        (" 120 ", 120.0),
        ("1.5", 1.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("9" * 5000, 7 * 86400.0),
        ("604801", 7 * 86400.0),
        ("Tue, 14 Nov 2023 22:15:20 GMT", 120.0),
        ("Tuesday, 14-Nov-23 22:15:20 GMT", 120.0),
        ("Tue Nov 14 22:15:20 2023", 120.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("Tue, 14 Nov 2033 22:00:00 GMT", 7 * 86400.0),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_clamped(text: str, expected: float | None) -> None:
    assert retry_after(HTTPHeaderDict({"Retry-After": text}), NOW) == expected


@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_wants_to_be_left_alone_is_told_apart(server: FeedServer, fetcher: Fetcher, status: int) -> None:
    server.routes["/feed"] = answer(status, retry_after="900")
    outcome = fetcher.fetch(FeedRequest(url=server.url()))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.status, outcome.retry_after) == (FailureKind.TOO_MANY, status, 900.0)


def test_retry_after_counts_on_redirects_and_other_failures(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/moved"] = answer(302, location="/feed", retry_after="7200")
    server.routes["/feed"] = answer(body=BODY, cache_control="max-age=60")
    server.routes["/broken"] = answer(500, retry_after="300")
    moved = fetched(fetcher, server.url("/moved"))
    assert (moved.max_age, moved.retry_after) == (60.0, 7200.0)
    assert failed(fetcher, server.url("/broken")).retry_after == 300.0


@pytest.mark.parametrize(
    "end", [answer(410), answer(404), b"no HTTP\r\n\r\n", answer(302), answer(429, retry_after="5")]
)
def test_what_a_redirect_asks_for_counts_whatever_it_leads_to(server: FeedServer, fetcher: Fetcher, end: bytes) -> None:
    server.routes = {"/moved": answer(302, location="/end", retry_after="172800"), "/end": end}
    assert fetcher.fetch(FeedRequest(url=server.url("/moved"))).retry_after == 172800.0


# Ends


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (204, FailureKind.PROTOCOL),
        (206, FailureKind.PROTOCOL),
        (300, FailureKind.REDIRECT),
        (305, FailureKind.REDIRECT),
        (400, FailureKind.CLIENT_ERROR),
        (401, FailureKind.UNAUTHORIZED),
        (403, FailureKind.FORBIDDEN),
        (404, FailureKind.NOT_FOUND),
        (418, FailureKind.CLIENT_ERROR),
        (451, FailureKind.LEGAL),
        (499, FailureKind.CLIENT_ERROR),
        (500, FailureKind.SERVER_ERROR),
        (502, FailureKind.SERVER_ERROR),
        (599, FailureKind.SERVER_ERROR),
        (600, FailureKind.PROTOCOL),
    ],
)
def test_every_status_has_its_kind_of_failure(
    server: FeedServer, fetcher: Fetcher, status: int, kind: FailureKind
) -> None:
    server.routes["/feed"] = answer(status, body=b"" if status == 204 else b"<html>secret</html>")
    outcome = failed(fetcher, server.url())
    assert (outcome.kind, outcome.status) == (kind, status)
    assert f"the server answered {status}" in outcome.text
    assert "Whatever" not in outcome.text


def test_a_410_is_an_end_of_its_own(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(301, location="/gone")
    server.routes["/gone"] = answer(410)
    outcome = fetcher.fetch(FeedRequest(url=server.url()))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.status) == (FailureKind.GONE, 410)
    assert outcome.redirects == (Redirect(status=301, url=server.url("/gone")),)


def test_everything_that_a_parser_needs_is_handed_on(server: FeedServer, fetcher: Fetcher) -> None:
    links = "Link: <https://hub.example/>; rel=hub\r\nLink: <https://example.org/>; rel=self"
    server.routes["/feed"] = answer(
        body=BODY,
        content_type="text/xml; charset=utf-8",
        content_language="en",
    ).replace(b"Content-Length", links.encode() + b"\r\nContent-Length")
    outcome = fetched(fetcher, server.url())
    assert outcome.body == BODY
    assert len(outcome.body_digest) == 16
    assert outcome.content_type == "text/xml; charset=utf-8"
    assert outcome.content_language == "en"
    assert outcome.links == ("<https://hub.example/>; rel=hub", "<https://example.org/>; rel=self")


def test_an_empty_body_is_a_document_for_the_parser_to_judge(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(content_encoding="gzip")
    assert fetched(fetcher, server.url()).body == b""


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_and_reported(server: FeedServer, fetcher: Fetcher, status: int) -> None:
    server.routes["/feed"] = answer(status, body=b"moved", location="next#here")
    server.routes["/next"] = answer(308, location=server.url("/last"))
    server.routes["/last"] = answer(body=BODY)
    outcome = fetched(fetcher, server.url())
    assert outcome.url == server.url("/last")
    assert outcome.redirects == (
        Redirect(status=status, url=server.url("/next")),
        Redirect(status=308, url=server.url("/last")),
    )


def test_at_most_five_hops_are_followed(server: FeedServer, fetcher: Fetcher) -> None:
    for number in range(7):
        server.routes[f"/{number}"] = answer(302, location=f"/{number + 1}")
    server.routes["/7"] = answer(body=BODY)
    assert fetched(fetcher, server.url("/2")).url == server.url("/7")
    outcome = failed(fetcher, server.url("/1"))
    assert (outcome.kind, outcome.text, len(outcome.redirects)) == (FailureKind.REDIRECT, "more than 5 redirects", 5)


def test_loops_end_at_once(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(302, location="/other")
    server.routes["/other"] = answer(301, location="/x/../feed#again")
    outcome = failed(fetcher, server.url())
    assert (outcome.kind, outcome.text) == (FailureKind.REDIRECT, "redirects go in a circle")
    assert len(server.received) == 2


@pytest.mark.parametrize(
    "location",
    ["", "file:///etc/passwd", "gopher://127.0.0.1/", "javascript:1", "http://", "http://[", "//"],
)
def test_redirects_lead_to_http_and_https_only(server: FeedServer, fetcher: Fetcher, location: str) -> None:
    server.routes["/feed"] = answer(302, location=location)
    outcome = failed(fetcher, server.url())
    assert (outcome.kind, outcome.status) == (FailureKind.REDIRECT, 302)
    assert len(server.received) == 1


def test_a_location_beyond_ascii_is_read_as_utf_8(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(302, location="/é".encode().decode("latin-1"))
    server.routes["/%C3%A9"] = answer(body=BODY)
    assert fetched(fetcher, server.url()).url == server.url("/%C3%A9")


def test_credentials_and_own_headers_stay_with_their_origin(server: FeedServer, fetcher: Fetcher) -> None:
    with FeedServer() as other:
        other.routes["/feed"] = answer(302, location=server.url("/back"))
        server.routes["/feed"] = answer(302, location="/same")
        server.routes["/same"] = answer(302, location=other.url())
        server.routes["/back"] = answer(body=BODY)
        request = FeedRequest(url=server.url(host="me:secret@127.0.0.1"), headers=(("X-Key", "1"),), etag='"1"')
        outcome = fetcher.fetch(request)
    secrets = [(sent.header("Authorization"), sent.header("X-Key")) for sent in (*server.received, *other.received)]
    assert secrets == [("Basic bWU6c2VjcmV0", "1")] * 3 + [(None, None)]
    assert "secret" not in repr(outcome)


def test_credentials_in_a_location_are_not_used(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(302, location=server.url("/next", host="you:trap@127.0.0.1"))
    server.routes["/next"] = answer(body=BODY)
    outcome = fetched(fetcher, server.url())
    assert server.received[1].header("Authorization") is None
    assert "trap" not in repr(outcome)


# Encodings


ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZip": gzip.compress,
    "identity, gzip": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
    "": bytes,
}
if "zstd" in transport.KNOWN_ENCODINGS:
    ENCODERS["zstd"] = zstd.compress


@pytest.mark.parametrize("encoding", ENCODERS)
def test_bodies_are_decoded(server: FeedServer, fetcher: Fetcher, encoding: str) -> None:
    document = os.urandom(1000) * 300
    server.routes["/feed"] = answer(body=ENCODERS[encoding](document), content_encoding=encoding)
    assert fetched(fetcher, server.url()).body == document


def test_raw_deflate_is_decoded_too(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(body=zlib.compress(BODY * 50, wbits=-15), content_encoding="deflate")
    assert fetched(fetcher, server.url()).body == BODY * 50


def test_gzip_and_zstandard_are_asked_for(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(body=BODY)
    fetched(fetcher, server.url())
    assert server.received[0].header("Accept-Encoding") == "gzip, zstd"


@pytest.mark.parametrize(
    "encoding", ["br", "compress", "aes128gcm", "gzip, gzip", "br, gzip", "gzip;q=1", "utf-8", "x" * 500]
)
def test_unknown_encodings_and_chains_are_refused(server: FeedServer, fetcher: Fetcher, encoding: str) -> None:
    server.routes["/feed"] = answer(body=gzip.compress(gzip.compress(BODY)), content_encoding=encoding)
    assert failed(fetcher, server.url()).kind == FailureKind.ENCODING


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_body_that_is_not_encoded_as_said_is_refused(server: FeedServer, fetcher: Fetcher, encoding: str) -> None:
    server.routes["/feed"] = answer(body=b"<rss>" * 1000, content_encoding=encoding)
    assert failed(fetcher, server.url()).kind == FailureKind.ENCODING


# Connections


def test_each_request_has_a_connection_of_its_own(server: FeedServer, fetcher: Fetcher) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<rss/\r\n1\r\n>\r\n0\r\n\r\n"
    server.routes = {"/1": answer(body=BODY), "/2": chunked, "/3": answer(304), "/4": answer(404)}
    assert fetched(fetcher, server.url("/1")).body == BODY
    assert fetched(fetcher, server.url("/2")).body == b"<rss/>"
    assert isinstance(fetcher.fetch(FeedRequest(url=server.url("/3"), etag='"1"')), NotModified)
    assert failed(fetcher, server.url("/4")).status == 404
    assert [request.connection for request in server.received] == [1, 2, 3, 4]


@pytest.mark.parametrize("tls", [False, True])
def test_no_connection_is_left_open(fetcher: Fetcher, tls: bool) -> None:
    with FeedServer(tls=tls) as server:
        server.routes = {"/feed": answer(body=BODY), "/gone": answer(410, body=BODY)}
        threads = threading.active_count()  # the server has one for each connection that is open
        for path in ("/feed", "/gone"):
            fetcher.fetch(FeedRequest(url=server.url(path), verify_tls=False))
        eventually(lambda: threading.active_count() == threads, within=20, what="all connections are closed")


def test_a_fetcher_serves_many_threads(server: FeedServer, fetcher: Fetcher) -> None:
    for number in range(8):
        server.routes[f"/{number}"] = answer(body=b"%d" % number * 10_000)

    def work(number: int) -> set[bytes]:
        return {fetched(fetcher, server.url(f"/{number}", host="localhost")).body for _ in range(20)}

    assert at_once(work, range(8)) == [{b"%d" % number * 10_000} for number in range(8)]
    assert len(server.received) == 160


def test_a_fork_fetches_with_its_parents_fetcher(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["/feed"] = answer(body=BODY)
    url = server.url(host="localhost")
    fetched(fetcher, url)
    child = os.fork()
    if child == 0:
        outcome = fetcher.fetch(FeedRequest(url=url, deadline=20.0))
        os._exit(0 if isinstance(outcome, Fetched) else 1)
    assert os.waitpid(child, 0)[1] == 0
    fetched(fetcher, url)


# TLS and proxies


def test_tls_certificates_are_verified(tls_server: FeedServer, fetcher: Fetcher) -> None:
    tls_server.routes["/feed"] = answer(body=BODY)
    outcome = failed(fetcher, tls_server.url())
    assert outcome.kind == FailureKind.TLS
    assert outcome.text.startswith("the certificate is not trusted: self")


def test_a_feed_may_do_without_verification(tls_server: FeedServer, fetcher: Fetcher) -> None:
    tls_server.routes["/feed"] = answer(body=BODY)
    request = FeedRequest(url=tls_server.url(), verify_tls=False)
    assert isinstance(fetcher.fetch(request), Fetched)
    assert failed(fetcher, tls_server.url()).kind == FailureKind.TLS


def test_certificates_that_the_system_trusts_are_trusted_for_their_names_only(
    tls_server: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    tls_server.routes["/feed"] = answer(body=BODY)
    fetcher = Fetcher(FetchSettings(allowed_networks=LOOPBACK), getaddrinfo=name_service("127.0.0.1"))
    fetched(fetcher, tls_server.url())
    fetched(fetcher, tls_server.url(host="feeds.test"))
    outcome = failed(fetcher, tls_server.url(host="other.test"))
    assert outcome.kind == FailureKind.TLS
    assert "certificate is not valid for 'other.test'" in outcome.text


@contextmanager
def tls_only(configure: Callable[[ssl.SSLContext], None], after: bytes = b"") -> Iterator[str]:
    """Answer one connection by a TLS server with other options, and then with some bytes; yield its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    context.set_ciphers("ALL:@SECLEVEL=0")
    configure(context)

    def serve() -> None:
        with suppress(OSError), listener.accept()[0] as plain, context.wrap_socket(plain, server_side=True) as sock:
            sock.recv(65_536)
            sock.sendall(after)
            sock.recv(65_536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/feed"
        thread.join()


def old_protocol(context: ssl.SSLContext) -> None:
    with catch_warnings(action="ignore"):  # deprecated
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1


def old_ciphers(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA:@SECLEVEL=0")


@pytest.mark.parametrize(
    ("configure", "missing"), [(old_protocol, "no TLS 1.2 or later"), (old_ciphers, "no cipher that is safe")]
)
@pytest.mark.parametrize("verify_tls", [False, True])
def test_what_an_old_server_lacks_is_said(
    fetcher: Fetcher, configure: Callable[[ssl.SSLContext], None], missing: str, verify_tls: bool
) -> None:
    with tls_only(configure) as url:
        outcome = fetcher.fetch(FeedRequest(url=url, verify_tls=verify_tls))
    assert isinstance(outcome, Failed)
    assert outcome.kind == FailureKind.TLS
    assert missing in outcome.text
    assert "makes no difference" in outcome.text


SETTINGS = b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"  # RFC 9113 §6.5
GOAWAY = b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(8)


def test_a_server_that_speaks_http_2_only_is_told(server: FeedServer, fetcher: Fetcher) -> None:
    for begin in (SETTINGS, GOAWAY, SETTINGS + GOAWAY):
        server.routes["/feed"] = begin  # and the connection stays open
        outcome = failed(fetcher, server.url())
        assert (outcome.kind, "HTTP/2 only" in outcome.text) == (FailureKind.PROTOCOL, True)
    with tls_only(lambda context: None, after=SETTINGS) as url:
        outcome = fetcher.fetch(FeedRequest(url=url, verify_tls=False))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, "HTTP/2 only" in outcome.text) == (FailureKind.PROTOCOL, True)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")  # Python's own server goes on without
def test_a_tls_server_that_takes_http_2_only_is_told(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        "openssl",
        "s_server",
        "-accept",
        f"127.0.0.1:{port}",
        "-cert",
        str(CERTIFICATE),
        "-alpn",
        "h2",
        "-quiet",
    ]
    null = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=null, stderr=null) as process:
        try:
            eventually(lambda: answers(port), within=10, what="openssl answers")
            outcome = fetcher.fetch(FeedRequest(url=f"https://127.0.0.1:{port}/", verify_tls=False))
        finally:
            process.kill()
    assert isinstance(outcome, Failed)
    assert (outcome.kind, "HTTP/2 only" in outcome.text) == (FailureKind.PROTOCOL, True)


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@pytest.mark.parametrize("reason", ["DH_KEY_TOO_SMALL", "[SSL] dh key too small (_ssl.c:1006)"])
def test_what_is_missing_is_known_by_its_name_or_its_words(reason: str) -> None:
    assert "Diffie-Hellman" in transport._no_tls(reason).text


@pytest.mark.parametrize("status", [426, 505])
def test_a_server_that_wants_another_version_of_http_is_no_fault_of_the_url(
    server: FeedServer, fetcher: Fetcher, status: int
) -> None:
    server.routes["/feed"] = answer(status, upgrade="h2c")
    assert failed(fetcher, server.url()).kind == FailureKind.PROTOCOL


def test_a_server_that_speaks_no_tls_is_a_tls_failure(server: FeedServer, fetcher: Fetcher) -> None:
    outcome = failed(fetcher, server.url().replace("http:", "https:"))
    assert outcome.kind == FailureKind.TLS


def test_proxies_of_the_environment_are_not_used(
    server: FeedServer, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FeedServer() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        server.routes["/feed"] = answer(body=BODY)
        fetched(fetcher, server.url())
        assert proxy.received == []


def test_a_feeds_own_proxy_is_used_for_http(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["http://feeds.test/feed"] = answer(body=BODY)
    proxy = server.url("", host="me:secret@127.0.0.1")
    outcome = fetcher.fetch(FeedRequest(url="http://feeds.test/feed", proxy=proxy))
    assert isinstance(outcome, Fetched)
    assert server.received[0].header("Host") == "feeds.test"
    assert server.received[0].header("Proxy-Authorization") == "Basic bWU6c2VjcmV0"


def test_a_feeds_own_proxy_is_used_as_a_tunnel_for_https(
    server: FeedServer, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    server.routes["feeds.test:443"] = answer(200, transfer_encoding="none").replace(b"Transfer-Encoding: none\r\n", b"")
    server.routes["/feed"] = answer(body=BODY)
    proxy = server.url("", host="me:secret@127.0.0.1")
    outcome = fetcher.fetch(FeedRequest(url="https://feeds.test/feed", proxy=proxy, username="you"))
    assert isinstance(outcome, Fetched)
    connect, get = server.received
    assert (connect.method, connect.header("Proxy-Authorization")) == ("CONNECT", "Basic bWU6c2VjcmV0")
    assert connect.header("Authorization") is None
    assert (get.target, get.over_tls, get.header("Proxy-Authorization")) == ("/feed", True, None)


def test_a_proxy_that_refuses_is_a_failure_without_credentials(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes["feeds.test:443"] = answer(407)
    proxy = server.url("", host="me:secret@127.0.0.1")
    outcome = fetcher.fetch(FeedRequest(url="https://feeds.test/feed", proxy=proxy))
    assert isinstance(outcome, Failed)
    assert outcome.kind == FailureKind.CONNECT
    assert "407" in outcome.text
    assert "secret" not in repr(outcome)


def test_validators_go_to_their_own_url_only(server: FeedServer, fetcher: Fetcher) -> None:
    server.routes = {"/feed": answer(302, location="/there"), "/there": answer(304)}
    request = FeedRequest(url=server.url(), etag='"1"', validators_url=server.url("/there"))
    assert isinstance(fetcher.fetch(request), NotModified)
    assert [received.header("If-None-Match") for received in server.received] == [None, '"1"']
