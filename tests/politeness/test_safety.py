"""Rules of safety: what a server, or whatever names a URL, cannot make the reader do."""

import gzip
from itertools import count
from pathlib import Path

import pytest

from feeds import opml
from feeds.fetching import Failed, FeedRequest, FetchOutcome
from feeds.models import Entry, Feed
from feeds.opml import Outline
from feeds.outcomes import FailureKind
from tests.politeness.answers import document, feed
from tests.politeness.reader import Reader
from tests.politeness.server import PoliteServer
from tests.rigs.servers.feed_server import answer

MEBIBYTE = 1024 * 1024
OK = b"HTTP/1.1 200 OK\r\n"
PASSWORD = "hunter2"
LITERALS = ("127.1", "0x7f.1", "2130706433", "１２７.0.0.2", "[::1]", "[::ffff:127.0.0.2]", "[64:ff9b::a00:1]")
PRIVATE = ("127.0.0.2", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "fd00::1", "fe80::1")


def end(outcome: FetchOutcome | None) -> str:
    """Return how a fetch or, by its failure, a check ended."""
    return outcome.kind if isinstance(outcome, Failed) else "a success"


def test_nothing_but_http_and_https_is_fetched(server: PoliteServer, reader: Reader) -> None:
    """Nothing but http and https is fetched (RFC 9110 §4.2)."""
    urls = ("file:///etc/passwd", "ftp://h.example/feed", "gopher://h.example/", "data:text/xml,<rss/>")
    assert {end(reader.check(url).failure) for url in urls} == {FailureKind.INVALID_URL}
    served = server.serve(answer(302, location="file:///etc/passwd"))
    assert end(reader.check(served.url).failure) == FailureKind.REDIRECT


def test_every_address_is_checked_however_it_is_written(server: PoliteServer, reader: Reader) -> None:
    """Every address is checked, however it is written (IANA special-purpose registries, RFC 6890)."""
    for literal in LITERALS:  # the server's own address is allowed; its other spellings must get the same answer
        request = FeedRequest(url=server.url(host=literal))
        assert end(reader.fetch(request, allowed_networks=())) == FailureKind.REFUSED_ADDRESS, literal
    server.addresses = {f"inner-{number}.example": [address] for number, address in enumerate(PRIVATE)}
    server.addresses["mixed.example"] = ["93.184.216.34", "10.0.0.1"]
    for host, addresses in server.addresses.items():
        outcome = reader.fetch(FeedRequest(url=server.url(host=host)))
        assert end(outcome) == FailureKind.REFUSED_ADDRESS, addresses
    served = server.serve(answer(302, location="http://127.0.0.2/"))
    assert end(reader.fetch(FeedRequest(url=served.url))) == FailureKind.REFUSED_ADDRESS


def test_the_environment_names_no_proxy(server: PoliteServer, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names no proxy (CVE-2016-5385, httpoxy)."""
    served = server.serve(feed())
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    reader.restart()
    reader.check(served.url)
    assert len(served.log) == 1


def test_a_body_is_capped_as_it_is_decoded(server: PoliteServer, reader: Reader) -> None:
    """A body is capped as it is decoded (CWE-409)."""
    bomb = server.serve(answer(200, gzip.compress(bytes(30 * MEBIBYTE)), content_encoding="gzip"))
    endless = server.serve(lambda _: server.endless(OK + b"\r\n", bytes(65536)), host="endless.example")
    for served in (bomb, endless):
        outcome = reader.fetch(FeedRequest(url=served.url), max_body_bytes=MEBIBYTE)
        assert end(outcome) == FailureKind.TOO_LARGE, served.url


@pytest.mark.slow
def test_one_deadline_ends_drips_silence_and_redirects(server: PoliteServer, reader: Reader) -> None:
    """One deadline ends drips, silence and redirects (CWE-400)."""
    drips = {
        "/status": (b"HTTP/1.1 ", b"2"),
        "/headers": (OK, b"X: a\r\n"),
        "/body": (OK + b"\r\n", b"<"),
        "/silence": (b"",),
    }
    reader.restart(fetch_deadline=0.5)
    for target, pieces in drips.items():
        served = server.serve(lambda _, pieces=pieces: server.drip(*pieces), target=target)
        assert end(reader.check(served.url).failure) == FailureKind.TIMEOUT, target
    numbers = count()
    for target in ("/", *(f"/{number}" for number in range(50))):
        server.serve(lambda _: answer(302, location=f"/{next(numbers)}"), host="loop.example", target=target)
    reader.restart()
    assert end(reader.check(server.url("/", "loop.example")).failure) == FailureKind.REDIRECT


def test_headers_are_capped_in_number_and_size(server: PoliteServer, reader: Reader) -> None:
    """Headers are capped in number and size (RFC 9112 §2.3, CWE-770)."""
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    endless = {"/many": (OK, b"X: a\r\n" * 50), "/long": (OK, b"X" * 65536), "/interim": (interim, interim)}
    for target, pieces in endless.items():
        served = server.serve(lambda _, pieces=pieces: server.endless(*pieces), target=target)
        assert end(reader.check(served.url).failure) == FailureKind.PROTOCOL, target


def test_a_login_in_a_url_is_used_and_never_told(
    server: PoliteServer, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    """A login in a URL is used, and never logged, shown or exported (RFC 3986 §7.5)."""
    caplog.set_level("DEBUG")
    host = f"ann:{PASSWORD}@feed.example"
    served = server.serve(feed(etag='"1"'), answer(302, location="/moved"), answer(500), shared=True)
    server.serve(feed("two"), target="/moved")
    for _ in range(3):
        reader.check(server.url(host=host))
    reader.check(server.url("/none", host))
    assert all(served.sent("Authorization"))
    assert "feed.example" in caplog.text
    assert PASSWORD not in caplog.text
    rows = list(Feed.objects.all())
    assert PASSWORD not in "".join(
        opml.document((Outline(url=row.url, title=row.title) for row in rows), title="Feeds")
    )
    shown = (f"{row} {row.error_text} {row.status_reason} {row.next_check_reason}" for row in rows)
    assert PASSWORD not in " ".join(shown)


def test_no_text_of_a_server_is_taken_for_a_path(server: PoliteServer, reader: Reader, tmp_path: Path) -> None:
    """No text of a server is taken for a path (CWE-73)."""
    path = tmp_path / "feed.xml"
    path.write_bytes(document("secret"))
    served = server.serve(answer(200, str(path).encode(), content_type="application/xml"))
    assert end(reader.check(served.url).failure) == FailureKind.NOT_A_FEED
    assert not Entry.objects.exists()
