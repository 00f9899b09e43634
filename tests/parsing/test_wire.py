"""Documents as they come: packed although nobody says so, and with characters in two halves."""

import gzip

import pytest

from feeds.parsing.parser import MAX_UNPACKED
from tests.rigs.feeds import atom, parsed, rss

PARTY = rss("<item><guid>1</guid><title>Caf\u00e9 \U0001f389</title></item>").encode()


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(PARTY),
        gzip.compress(PARTY[:90]) + gzip.compress(PARTY[90:]),
        gzip.compress(b"\xef\xbb\xbf" + PARTY),
        gzip.compress(PARTY.decode().encode("utf-16")),
    ],
    ids=["one member", "two members", "a mark", "utf-16"],
)
def test_a_gzip_file_that_no_header_calls_so_is_read(body: bytes) -> None:
    assert parsed(body, content_type="application/octet-stream").entries[0].title == "Caf\u00e9 \U0001f389"


def test_a_json_feed_may_be_packed_too() -> None:
    body = b'{"version": "https://jsonfeed.org/version/1.1", "title": "t", "items": [{"id": 1, "title": "x"}]}'
    assert parsed(gzip.compress(body)).entries[0].guid == "1"


def test_a_packed_document_is_unpacked_so_far() -> None:
    read = parsed(gzip.compress(PARTY.replace(b"</channel>", b"\n" * MAX_UNPACKED + b"</channel>")))
    assert ([entry.guid for entry in read.entries], read.cut_short) == (["1"], True)


@pytest.mark.parametrize(
    "written",
    ["&#55356;&#57225;", "&#xD83C;&#xDF89;", "&#xd83c;&#57225;", "&amp;#55356;&amp;#57225;", "&#x0D83C;&#x0DF89;"],
)
def test_two_references_to_the_halves_of_a_character_are_that_character(written: str) -> None:
    assert parsed(rss(f"<item><title>a {written} b</title></item>")).entries[0].title == "a \U0001f389 b"
    assert parsed(rss(f"<item><title>a&nbsp;{written}</title></item>")).entries[0].title == "a \U0001f389"
    entry = f'<entry><content type="html">&lt;p&gt;{written}&lt;/p&gt;</content></entry>'
    assert parsed(atom(entry)).entries[0].content == "<p>\U0001f389</p>"


def test_a_half_by_itself_is_left_out() -> None:
    assert parsed(rss("<item><title>a&#55356; b</title></item>")).entries[0].title == "a b"
