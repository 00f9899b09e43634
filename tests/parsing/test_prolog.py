"""feedparser gets documents without what stands before their root."""

import pytest

from feeds.outcomes import FailureKind
from feeds.parsing import parser
from feeds.parsing.prolog import MAX_PROLOG, without_prolog
from feeds.parsing.values import ParsedFeed, Unreadable
from tests.rigs.golden import fetched
from tests.rigs.growth import assert_linear

FEED = b'<rss version="2.0"><channel><title>t</title><item><title>&nbsp;x</title></item></channel></rss>'


@pytest.mark.parametrize(
    "prolog",
    [
        b"",
        b"<?xml version='1.0'?>",
        b"<?xml version='1.1' encoding='utf-16'?>\n\n",
        b"\n\n<!-- <a> <rss> --><?xml-stylesheet href='x'?>",
        b"<!DOCTYPE rss><!-- <!DOCTYPE x [ <!ENTITY a 'b'> -->",
        b'<!DOCTYPE rss [<!ELEMENT rss (channel)><!-- "> -->]>',
        b'<!DOCTYPE rss SYSTEM "http://example.com/>">',
        b"Warning: mysql_connect() in x.php\n",
        b"<br />\n<b>Warning</b>: x in <b>y</b>\n<?xml version='1.0'?>",
        b"Warning <b>x</b>: y\n",
        b"-->]]>?>",
        b"<!--<?xml",
        b"<?a encoding='encoding='\n?>" * 1_000,
        b"\n" * 2 * MAX_PROLOG,
        b"<!-- x -->" * MAX_PROLOG,
        "\ufeff\ufeff".encode(),
    ],
)
def test_only_the_root_and_what_follows_is_left(prolog: bytes) -> None:
    assert without_prolog(prolog + FEED) == FEED


@pytest.mark.parametrize(
    "body", [b"", b"text", b"<!-- <", b"<!DOCTYPE rss [", b"<?xml version='1.0'?>", b"<!--<?xml" * 9]
)
def test_of_what_has_no_root_nothing_is_left(body: bytes) -> None:
    assert without_prolog(body) == b""
    result = parser.parse(fetched(body))
    assert isinstance(result, Unreadable)
    assert result.kind is FailureKind.NOT_A_FEED


@pytest.mark.parametrize("start", [b"<!DOCTYPE html>", b"<!doctype html>", b"", b"\n<!-- x -->", b"x <?php y ?>"])
def test_a_page_is_no_feed_though_it_names_one(start: bytes) -> None:
    result = parser.parse(fetched(start + b"<HTML><script>var x = '<rss><channel></channel></rss>'</script></HTML>"))
    assert isinstance(result, Unreadable)
    assert result.kind is FailureKind.NOT_A_FEED


@pytest.mark.parametrize("closing", [b"</channel></rss>", b""])
@pytest.mark.parametrize(
    "doctype",
    [
        b'<!DOCTYPE rss [<!ENTITY co "Co.">]>',
        b"<!-- x --><!DOCTYPE rss [\n<!ENTITY % b 'c'>\n <!ENTITY co 'Co.'\n>\n]>",
    ],
)
def test_entities_of_a_document_are_known(doctype: bytes, closing: bytes) -> None:
    body = b"<?xml version='1.0'?>" + doctype + b"<rss version='2.0'><channel><title>A &co;</title><item/>" + closing
    result = parser.parse(fetched(body))
    assert isinstance(result, ParsedFeed)
    assert result.title == "A Co."


def test_rss_091_is_known_by_its_doctype() -> None:
    doctype = (
        b'<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/rss-0.91.dtd">'
    )
    result = parser.parse(fetched(doctype + b"<rss version='0.91'><channel><item/></channel></rss>"))
    assert isinstance(result, ParsedFeed)
    assert result.format == "rss091n"


@pytest.mark.parametrize("closing", [b"&b;</rss>", b"&b;"])
@pytest.mark.parametrize(
    "declared",
    [
        b'<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">',
        b'<!ENTITY a "aaaa"><!ENTITY b "&#38;a;">',
        '<!ENTITY ä "aaaa"><!ENTITY b "&ä;">'.encode(),
        '<!ENTITY 漢 "aaaa"><!ENTITY b "x &漢;">'.encode(),
        b"".join(b'<!ENTITY a%d "&a%d;">' % (n + 1, n) for n in range(20_000)),
        b'<!ENTITY % p "&#37;q;">',
        b'<!ENTITY b "' + b"a" * 10_000 + b'">',
        b'<!ENTITY b SYSTEM "file:///etc/passwd">',
        b"".join(b'<!ENTITY e%d "x">' % n for n in range(2_000)),
    ],
)
def test_entities_that_multiply_are_refused_whether_or_not_the_rest_is_well_formed(
    declared: bytes, closing: bytes
) -> None:
    result = parser.parse(fetched(b"<!DOCTYPE rss [" + declared + b"]><rss>" + closing))
    assert isinstance(result, Unreadable)
    assert result.kind is FailureKind.HOSTILE


@pytest.mark.parametrize("after", [b"<rss/>", b"", b"<!--", b"<html>"])
def test_a_prolog_costs_no_more_than_it_is_long(after: bytes) -> None:
    pieces = (
        *(
            b"\n",
            b"\n ",
            b"<!-- -->",
            b"<!--<?xml",
            b"<!--",
            b"<?a encoding='",
            b"<?xml ",
            b"<!DOCTYPE",
            b"\n<!DOCTYPE x>",
        ),
        *(
            b"\n<!ENTITY a 'b'>",
            b"<!",
            b"-->",
            b"<",
            b"a:",
            b"<a:",
            b"<rss",
            b"<?x y?>",
            b"encoding='",
            b"\xef\xbb\xbf",
        ),
    )
    for before in (
        b"",
        b"<?a encoding='",
        b"<!DOCTYPE x [",
        b"<?xml version='1.0'?>",
        b"x",
        b"<!DOCTYPE r [<!ATTLIST r a CDATA '",
    ):
        assert_linear(without_prolog, pieces, before=before, after=after)
