"""Rules of safety: what a server, or somebody who names a URL, cannot make us do."""

import gzip
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from feeds import opml
from feeds.fetching import Failed, FeedRequest, FetchOutcome
from feeds.models import Entry, Feed
from feeds.opml import Outline
from feeds.outcomes import FailureKind
from tests.politeness import publisher
from tests.politeness.publisher import feed
from tests.politeness.rules import Rule
from tests.politeness.scenery import environment
from tests.politeness.server import Pieces, Received, answer
from tests.politeness.stage import DEADLINE, Stage

HANG = 20 * DEADLINE  # seconds: so long lasts what the deadline does not end, however busy this machine is
MEBIBYTE = 1024 * 1024
SECRET = "hunter2"  # of nobody
LITERALS = ("127.1", "0x7f.1", "2130706433", "１２７.0.0.2", "[::1]", "[::ffff:127.0.0.2]", "[64:ff9b::a00:1]")
INNER = ("127.0.0.2", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "fd00::1", "fe80::1")


def s1_http_only(stage: Stage) -> str:
    for url in ("file:///etc/passwd", "ftp://h.example/feed", "gopher://h.example/", "data:text/xml,<rss/>"):
        if _end(stage.check(url).failure) != FailureKind.INVALID_URL:
            return f"{url} was fetched"
    one = stage.publish("s1", answer(302, location="file:///etc/passwd"))
    return "" if _end(stage.check(one.url).failure) == FailureKind.REDIRECT else "a redirect led to a file"


def s2_public_addresses(stage: Stage) -> str:
    port = stage.server.port
    for literal in LITERALS:
        # 127.0.0.1 is where we are and allowed here; all its other spellings must lead to the same decision.
        fetcher = stage.fetcher(allowed_networks=())
        if fault := _refused(fetcher.fetch(FeedRequest(url=f"http://{literal}:{port}/feed")), literal):
            return fault
    for address in INNER:
        stage.names["s2.example"] = [address]
        if fault := _refused(stage.fetcher().fetch(FeedRequest(url=f"http://s2.example:{port}/feed")), address):
            return fault
    stage.names["s2-mixed.example"] = ["93.184.216.34", "10.0.0.1"]
    if fault := _refused(stage.fetcher().fetch(FeedRequest(url=f"http://s2-mixed.example:{port}/")), "one of two"):
        return fault
    hop = stage.publish("s2-hop", answer(302, location="http://127.0.0.2/"))
    return _refused(stage.fetcher().fetch(FeedRequest(url=hop.url)), "a redirect")


def _refused(outcome: FetchOutcome, what: str) -> str:
    if _end(outcome) == FailureKind.REFUSED_ADDRESS:
        return ""
    return f"{what} was connected to, or failed for another reason"


def s3_no_proxy_from_outside(stage: Stage) -> str:
    one = stage.publish("s3", feed())
    dead = "http://127.0.0.1:9"
    with environment({"http_proxy": dead, "HTTP_PROXY": dead, "all_proxy": dead, "no_proxy": ""}):
        stage.check(one.url)
    return "" if one.visits else "a proxy from the environment was used"


def s4_decoded_size(stage: Stage) -> str:
    bomb = gzip.compress(bytes(30 * MEBIBYTE))
    stage.publish("s4", answer(200, bomb, content_encoding="gzip"))
    stage.publish("s4", lambda _: stage.server.endless(b"HTTP/1.1 200 OK\r\n\r\n", bytes(65536)), target="/endless")
    for target in ("/feed", "/endless"):
        outcome = stage.fetcher(max_body_bytes=MEBIBYTE).fetch(FeedRequest(url=stage.url("s4", target), deadline=10.0))
        if _end(outcome) != FailureKind.TOO_LARGE:
            return f"{target} was read to its end, or failed for another reason"
    return ""


def s5_total_deadline(stage: Stage) -> str:
    head = b"HTTP/1.1 200 OK\r\n"
    drips: dict[str, Callable[[Received], Pieces]] = {
        "/status": lambda _: stage.server.drip(b"HTTP/1.1 ", b"2"),
        "/headers": lambda _: stage.server.drip(head, b"X: a\r\n"),
        "/body": lambda _: stage.server.drip(head + b"\r\n", b"<"),
        "/hang": lambda _: (piece for piece in [b"", b""] if not stage.server.stopping.wait(HANG)),
    }
    for target, drip in drips.items():
        stage.publish("s5", drip, target=target)
        if fault := _timed_out(stage, stage.url("s5", target)):
            return fault
    endless = count()
    stage.server.routes["s5-loop.example/"] = answer(302, location="/0")
    for number in range(50):
        stage.publish("s5-loop", lambda _: answer(302, location=f"/{next(endless)}"), target=f"/{number}")
    report = stage.check(stage.url("s5-loop", "/"))
    return "" if _end(report.failure) == FailureKind.REDIRECT else "redirects did not end"


def _timed_out(stage: Stage, url: str) -> str:
    begun = time.monotonic()
    end = _end(stage.check(url).failure)
    seconds = time.monotonic() - begun
    if end != FailureKind.TIMEOUT:
        return f"{url} ended as {end}"
    return "" if seconds < HANG else f"{url} held a thread for {seconds:.1f} s"


def s6_headers(stage: Stage) -> str:
    head, interim = b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"
    endless = {"/many": (head, b"X: a\r\n" * 50), "/long": (head, b"X" * 65536), "/interim": (interim, interim)}
    for target, (first, rest) in endless.items():
        stage.publish("s6", _endless(stage, first, rest), target=target)
        end = _end(stage.check(stage.url("s6", target)).failure)
        if end != FailureKind.PROTOCOL:
            return f"{target} ended as {end}"
    return ""


def _endless(stage: Stage, first: bytes, rest: bytes) -> Callable[[Received], Pieces]:
    return lambda _: stage.server.endless(first, rest)


def s11_credentials(stage: Stage) -> str:
    login = f"ann:{SECRET}"
    one = stage.publish("s11", feed(etag='"1"'), answer(302, location="/moved"), answer(500), shared=True)
    stage.publish("s11", feed("two"), target="/moved")
    url = stage.url("s11", userinfo=login)
    before = len(stage.records.lines)
    for _ in range(3):
        stage.check(url)
    stage.check(stage.url("s11", "/none", login))
    if not all(one.sent("Authorization")):
        return "the login was not used"
    if any(SECRET in line for line in stage.records.lines[before:]):
        return "the password was logged"
    outlines = (Outline(url=row.url, title=row.title) for row in Feed.objects.all())
    if SECRET in "".join(opml.document(outlines, title="Feeds")):
        return "the password was exported"
    texts = (f"{row} {row.error_text} {row.status_reason} {row.next_check_reason}" for row in Feed.objects.all())
    return "the password was shown" if SECRET in " ".join(texts) else ""


def s12_no_paths(stage: Stage) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "feed.xml"
        path.write_bytes(publisher.document("secret"))
        one = stage.publish("s12", answer(200, str(path).encode(), content_type="application/xml"))
        end = _end(stage.check(one.url).failure)
    return (
        ""
        if end == FailureKind.NOT_A_FEED and not Entry.objects.exists()
        else "a file was read because a server named it"
    )


def _end(outcome: FetchOutcome | None) -> str:
    """Say how a fetch or, by its failure, a check ended."""
    return outcome.kind if isinstance(outcome, Failed) else "a success"


RULES = (
    Rule(number="S1", text="nothing but http and https is fetched", source="RFC 9110 §4.2", trial=s1_http_only),
    Rule(
        number="S2",
        text="every address that is connected to is checked, however it is written",
        source="IANA special-purpose registries, RFC 6890",
        trial=s2_public_addresses,
    ),
    Rule(
        number="S3",
        text="the environment names no proxy",
        source="CVE-2016-5385 (httpoxy)",
        trial=s3_no_proxy_from_outside,
    ),
    Rule(number="S4", text="a body is capped as it is decoded", source="CWE-409", trial=s4_decoded_size),
    Rule(
        number="S5",
        text="one deadline ends drips, silence and redirects",
        source="CWE-400",
        trial=s5_total_deadline,
    ),
    Rule(number="S6", text="headers are capped in number and size", source="RFC 9112 §2.3, CWE-770", trial=s6_headers),
    Rule(
        number="S11",
        text="a login in a URL is used, and never logged, shown or exported",
        source="RFC 3986 §7.5",
        trial=s11_credentials,
    ),
    Rule(number="S12", text="no text of a server is taken for a path", source="CWE-73", trial=s12_no_paths),
)
