"""What is read in this process, and what by a child."""

import time

import pytest

from feeds.outcomes import FailureKind
from feeds.parsing import parser
from feeds.parsing.values import ParsedFeed, Unreadable
from tests.rigs.golden import fetched
from tests.rigs.parsing_children import NOT_WELL_FORMED, SMALL, Family, item, rss


def test_what_is_large_when_it_is_cut_is_read_by_a_child_and_says_the_same(own_family: Family) -> None:
    text = b"Many words. " * 100
    body = rss(b"".join(b"<item><guid>%d</guid><description>%s</description></item>" % (n, text) for n in range(1000)))
    whole = own_family.parse(body)
    assert whole == parser.parse(fetched(body))
    assert len(own_family.at_work()) == 1
    assert isinstance(whole, ParsedFeed)
    again = own_family.parse(body, frozenset(whole.digests[:900]))
    assert isinstance(again, ParsedFeed)
    assert (again.entries, again.digests) == (whole.entries[900:], whole.digests)


def test_of_a_large_document_with_one_new_entry_only_this_is_read_and_without_a_child(own_family: Family) -> None:
    body = rss(b"".join(b"<item><guid>%d</guid><title>%s</title></item>" % (n, b"t" * 900) for n in range(1000)))
    whole = parser.parse(fetched(body))
    assert isinstance(whole, ParsedFeed)
    again = own_family.parse(body, frozenset(whole.digests[1:]))
    assert isinstance(again, ParsedFeed)
    assert again.entries == whole.entries[:1]
    assert own_family.children() == set()


def test_what_is_not_well_formed_is_read_by_a_child_and_says_the_same(family: Family) -> None:
    assert family.parse(NOT_WELL_FORMED) == parser.parse(fetched(NOT_WELL_FORMED))
    assert family.at_work()


def test_small_plain_and_well_formed_documents_start_no_child(own_family: Family) -> None:
    own_family.parse(SMALL)
    own_family.parse(b'{"version": "https://jsonfeed.org/version/1.1", "items": []}')
    assert own_family.children() == set()


@pytest.mark.parametrize(
    "body",
    [
        item(b"<x/>" * 3_000),
        item(b"<title>" + b"&lt;b&gt;" * 3_001 + b"</title>"),
        item(b"<title>" + b"&#x3c;b&#62;" * 1_501 + b"</title>"),
        item(b"<title>" + b"&amp;lt;b&amp;gt;" * 3_001 + b"</title>"),
        item(b"<title><![CDATA[" + b"<b>" * 3_001 + b"]]></title>"),
        item(b"<title>" + b"&amp;" * 20_001 + b"</title>"),
        item(b"<title><![CDATA[" + b"&" * 20_001 + b"]]></title>"),
        item(b"".join(b'<x xmlns:a="urn:%d"/>' % n for n in range(100))),
        b'<!DOCTYPE rss [<!ENTITY a "b">]>' + item(b""),
        item(b"<title>" + b"x" * 256 * 1024 + b"</title>"),
        NOT_WELL_FORMED,
        b'{"items": [{"id": 1, "content_html": "' + b"<b>" * 3_001 + b'"}]}',
        b'{"items": [{"id": 1, "content_html": "' + rb"\u003Cb>" * 3_001 + b'"}]}',
        b'{"items": [{"id": 1, "content_html": "' + b"&" * 20_001 + b'"}]}',
        b'{"items": [{"id": 1, "content_html": "' + rb"\u0026" * 20_001 + b'"}]}',
        b'{"items": [{"id": 1, "content_html": "' + b"x" * 256 * 1024 + b'"}]}',
    ],
)
def test_what_may_take_long_is_not_plain(body: bytes) -> None:
    assert not parser.is_plain(fetched(body))


HONEST = rss(b"<item><title>t</title><link>https://example.com/</link><guid>g</guid></item>" * 370)  # 2,970 tags
ATTRIBUTES = b" ".join(b"a%d='b'" % n for n in range(250))


@pytest.mark.parametrize(
    "body",
    [
        rss(b"<item/>" * 2_990),
        item(b"<enclosure url='a'/>" * 2_990),
        item(b"<x %s/>" % ATTRIBUTES * 100),
        item(b"".join(b"<x%d/>" % min(n, 999) for n in range(2_990))),
        item(
            b"<x %s>%s</x>" % (b" ".join(b"xmlns:a%d='urn:%d'" % (n, n) for n in range(60)), b"<b xmlns='urn:9'/>" * 3)
        ),
        item(b"<x xml:base='a/'>" * 1_490 + b"</x>" * 1_490),
        item(b"<author>" + b"a@b " * 60_000 + b"</author>"),
        item(b"<pubDate>" + b"1:" * 120_000 + b"</pubDate>"),
        item(b"<description><![CDATA[" + b"&" * 19_990 + b"]]></description>"),
        item(b"<description><![CDATA[<a " + b"b " * 120_000 + b"]]></description>"),
        item(b"<description><![CDATA[" + b"<a b=1>" * 2_980 + b"]]></description>"),
        item(b"<description><![CDATA[" + b"<dd><li>" * 1_490 + b"]]></description>"),
        item(
            b"<description><![CDATA["
            + b"".join(b"<i a=%d>" % n for n in range(990))
            + b"<p>x" * 1_990
            + b"]]></description>"
        ),
    ],
)
def test_what_is_plain_costs_little_more_than_an_honest_document(body: bytes) -> None:
    assert parser.is_plain(fetched(body))
    assert seconds(body) < 20 * seconds(HONEST)


def seconds(body: bytes) -> float:
    """Return what it takes of the processor: how busy the machine is counts for little."""
    begun = time.thread_time()
    parser.parse(fetched(body))
    return time.thread_time() - begun


def test_a_feed_that_was_hostile_before_is_read_by_a_child(own_family: Family) -> None:
    assert isinstance(own_family.parser.parse(fetched(SMALL), suspicious=True), ParsedFeed)
    assert own_family.at_work()


def test_a_fault_of_the_parser_is_an_outcome_too(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "is_plain", lambda document: 1 / 0)
    assert family.parse(SMALL) == Unreadable(kind=FailureKind.HOSTILE, text="the parser failed: ZeroDivisionError")
