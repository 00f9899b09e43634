"""Rules of what a request says, and what it does not."""

import gzip
import re

from feeds.outcomes import FailureKind
from tests.politeness.answers import document, feed, steady
from tests.politeness.reader import Reader
from tests.politeness.server import PoliteServer
from tests.rigs.servers.feed_server import answer

USER_AGENT = re.compile(r"[\w.-]+/\S+ .*\+?https?://\S+")


def test_a_request_holds_nothing_extra(server: PoliteServer, reader: Reader) -> None:
    """No old cookie, no Referer, no fragment; the URL is asked for as it is (RFC 6265 §5.4, RFC 9110 §7.1, §10.1.3)."""
    cookie = "id=1; Max-Age=99999999"
    target = "/feed?b=2&a=1&utm_source=x"
    served = server.serve(steady(feed(etag='"1"', set_cookie=cookie), '"1"'), target=target, shared=True)
    moved = server.serve(answer(302, location=served.url + "#there", set_cookie=cookie), host="moved.example")
    reader.subscribe(served.url + "#here", moved.url)
    reader.run(days=3)
    assert len(served.log) > 3
    assert {exchange.request.target for exchange in served.log} == {target}
    assert {*served.sent("Cookie"), *served.sent("Referer"), *moved.sent("Cookie")} == {None}


def test_the_user_agent_names_product_version_and_contact(server: PoliteServer, reader: Reader) -> None:
    """User-Agent says who asks and where to complain (RFC 9110 §10.1.5)."""
    served = server.serve(feed())
    reader.check(served.url)
    assert USER_AGENT.fullmatch(served.sent("User-Agent")[0] or "")


def test_accept_names_the_types_of_feeds(server: PoliteServer, reader: Reader) -> None:
    """Accept names the types of feeds, and */* last (RFC 9110 §12.5.1)."""
    served = server.serve(feed())
    reader.check(served.url)
    types = [part.strip() for part in (served.sent("Accept")[0] or "").split(",")]
    assert {"application/atom+xml", "application/rss+xml", "application/feed+json"} <= set(types)
    assert types[-1].startswith("*/*;q=")


def test_compressed_documents_are_asked_for_and_unknown_encodings_refused(server: PoliteServer, reader: Reader) -> None:
    """Gzip is accepted and read, an unknown encoding is refused (RFC 9110 §8.4, §12.5.3)."""
    zipped = server.serve(answer(200, gzip.compress(document("one")), content_encoding="gzip", etag='"1"'))
    unknown = server.serve(answer(200, b"\0\1\2", content_encoding="lzma", etag='"1"'), host="unknown.example")
    reader.follow(zipped, unknown, hours=1)
    assert "gzip" in (zipped.sent("Accept-Encoding")[0] or "").split(", ")
    assert reader.titles(zipped) == {"one"}
    assert reader.row(unknown).error_kind == FailureKind.ENCODING
