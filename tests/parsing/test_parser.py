import io
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.outcomes import FailureKind
from feeds.parsing import feedparser_parsers, parser
from feeds.parsing.feedparser_adapter import MAX_ENTRIES
from feeds.parsing.values import Category, Enclosure, ParsedEntry, ParsedFeed, Person, Unreadable
from tests.rigs.golden import as_read, documents, expected, fetched

NAMESPACES = (
    'xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/"'
    ' xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
)


def parsed(body: str | bytes, seen: frozenset[bytes] = frozenset(), **values: Any) -> ParsedFeed:
    body = body.encode() if isinstance(body, str) else body
    result = parser.parse(fetched(body, **values), seen)
    assert isinstance(result, ParsedFeed)
    return result


def rss(inner: str) -> str:
    return f'<rss version="2.0" {NAMESPACES}><channel><title>t</title>{inner}</channel></rss>'


def atom(inner: str) -> str:
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{inner}</feed>'


def item(inner: str) -> ParsedEntry:
    (entry,) = parsed(rss(f"<item>{inner}</item>")).entries
    return entry


def atom_entry(inner: str) -> ParsedEntry:
    (entry,) = parsed(atom(f"<entry>{inner}</entry>")).entries
    return entry


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_a_document_is_read_as_expected(document: Path) -> None:
    assert as_read(document) == json.loads(expected(document).read_text())


# Identity


def test_f1_f2_guids_are_kept_as_given() -> None:
    assert item("<guid> ../1 </guid><link>https://example.com/1</link>").guid == "../1"
    assert item("<guid>HTTP://Example.com:80/%7Ea</guid>").guid == "HTTP://Example.com:80/%7Ea"
    assert atom_entry("<id>tag:a</id>").guid == "tag:a"
    assert item("<title>x</title>").guid == ""


def test_f2_a_guid_is_a_permalink_unless_it_says_otherwise() -> None:
    assert item("<guid>/1</guid>").url == "https://example.com/1"
    assert item('<guid isPermaLink="false">https://example.com/1</guid>').url == ""


def test_f2_a_guid_is_the_same_whether_the_document_is_well_formed_or_not() -> None:
    entry = "<item><guid isPermaLink='false'>a?b&amp;c</guid></item>"
    assert parsed(rss(entry)).entries[0].guid == parsed(rss(f"&nbsp;{entry}")).entries[0].guid == "a?b&c"


# Dates


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Wed, 04 Mar 2026 10:11:12 GMT", datetime(2026, 3, 4, 10, 11, 12, tzinfo=UTC)),
        ("Fri, 4 Mar 26 10:11 EST", datetime(2026, 3, 4, 15, 11, tzinfo=UTC)),
        ("4 March 2026", datetime(2026, 3, 4, tzinfo=UTC)),
        ("2026-03-04T10:11:12+05:30", datetime(2026, 3, 4, 4, 41, 12, tzinfo=UTC)),
        ("2026-03-04", datetime(2026, 3, 4, tzinfo=UTC)),
        ("1609837200", datetime(2021, 1, 5, 9, tzinfo=UTC)),
        ("Mon, 01 Jan 2041 00:00:00 +0000", None),
        ("31 Jun 2025 10:00:00 GMT", None),
        ("2025-06-31T10:00:00Z", None),
        ("0000-00-00T00:00:00Z", None),
        ("Thu, 01 Jan 0000 00:00:00 GMT", None),
        ("20260304", datetime(2026, 3, 4, tzinfo=UTC)),
        ("soon", None),
        ("", None),
    ],
)
def test_f5_dates_are_moments_in_utc_or_nothing(text: str, moment: datetime | None) -> None:
    entry = item(f"<pubDate>{text}</pubDate>")
    assert entry.published_at == moment
    assert entry.published_text == text


# Texts


def test_f6_relative_urls_are_resolved_against_the_nearest_base() -> None:
    body = atom(
        '<entry xml:base="https://b.example/x/"><link href="1"/><link rel="enclosure" href="e.mp3"/>'
        '<content type="html" xml:base="deep/">&lt;img src="i.png"&gt;</content></entry>'
    )
    entry = parsed(body).entries[0]
    assert (entry.url, entry.enclosures[0].url) == ("https://b.example/x/1", "https://b.example/x/e.mp3")
    assert entry.content == '<img src="https://b.example/x/deep/i.png">'


def test_f6_content_location_is_the_base_and_may_be_relative() -> None:
    body = rss("<item><link>1</link></item>")
    assert parsed(body, content_location="https://o.example/a/feed").entries[0].url == "https://o.example/a/1"
    assert parsed(body, content_location="/a/feed").entries[0].url == "https://example.com/a/1"
    assert parsed(body, content_location="javascript:x").entries[0].url == "https://example.com/1"


def test_f6_content_encoded_is_the_content_and_the_description_the_summary() -> None:
    for inner in (
        "<description>short</description><content:encoded>&lt;p&gt;long&lt;/p&gt;</content:encoded>",
        "<content:encoded>&lt;p&gt;long&lt;/p&gt;</content:encoded><description>short</description>",
    ):
        assert (item(inner).summary, item(inner).content) == ("short", "<p>long</p>")


def test_f6_the_type_of_atom_texts_is_respected() -> None:
    assert atom_entry('<title type="text">&lt;b&gt; &amp;amp;</title>').title == "<b> &amp;"
    assert atom_entry('<title type="html">&lt;b&gt;x&lt;/b&gt; &amp;amp;</title>').title == "x &"
    assert atom_entry("<summary>&lt;b&gt; &amp;amp;</summary>").summary == "&lt;b&gt; &amp;amp;"
    assert atom_entry('<summary type="html">&lt;b&gt;x&lt;/b&gt;</summary>').summary == "<b>x</b>"
    assert atom_entry('<content type="image/png">aGVsbG8=</content>').content == ""


def test_f6_titles_that_were_escaped_twice_are_read() -> None:
    assert item("<title>AT&amp;amp;T &amp;#8211; &lt;i&gt;x&lt;/i&gt;</title>").title == "AT&T – x"
    assert item("<title></title>").title == ""


# Parts


def test_f7_several_authors() -> None:
    entry = item("<author>ada@example.com (Ada)</author><dc:creator>Grace</dc:creator>")
    assert entry.authors == (Person(name="Ada", email="ada@example.com"), Person(name="Grace"))
    authors = ("<name>A &amp;amp; B</name><uri>javascript:x</uri>", "<email>e@example.com</email>")
    inner = "".join(f"<author>{author}</author>" for author in authors)
    assert atom_entry(inner).authors == (Person(name="A & B"), Person(email="e@example.com"))


def test_f7_categories_with_their_scheme() -> None:
    assert item('<category domain="d">a</category><category>b</category>').categories == (
        Category(term="a", scheme="d"),
        Category(term="b"),
    )


def test_f7_enclosures_with_odd_lengths() -> None:
    inner = "".join(
        f'<enclosure url="/{n}" length="{length}"/>' for n, length in enumerate(["5", "", "-1", "1e3", "0"])
    )
    assert [enclosure.length for enclosure in item(inner).enclosures] == [5, None, None, None, None]


def test_f7_media_rss_in_a_group() -> None:
    entry = item(
        '<media:group><media:content url="/v.mp4" type="video/mp4" fileSize="7" duration="61"/>'
        '<media:thumbnail url="/t.jpg"/><media:description>d</media:description></media:group>'
    )
    assert entry.enclosures == (Enclosure(url="https://example.com/v.mp4", type="video/mp4", length=7, duration=61),)
    assert (entry.image_url, entry.summary) == ("https://example.com/t.jpg", "d")


def test_f7_podcast_fields() -> None:
    entry = item(
        '<itunes:duration>61:01</itunes:duration><itunes:episode>3</itunes:episode><itunes:image href="/i.jpg"/>'
    )
    assert dict(entry.itunes) == {"duration": "61:01", "episode": "3"}
    assert entry.image_url == "https://example.com/i.jpg"


def test_f7_source_comments_and_unknown_extensions() -> None:
    entry = item(
        '<source url="https://o.example/rss">Other</source><comments>/c</comments>'
        '<g:point xmlns:g="http://www.georss.org/georss">1 x</g:point><g:line xmlns:g="http://www.georss.org/georss">1</g:line>'
    )
    assert (entry.source_title, entry.source_url) == ("Other", "https://o.example/rss")
    assert entry.comments_url == "https://example.com/c"


# Encodings


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("é–".encode("utf-8-sig"), ""),
        ("é–".encode("utf-8-sig"), "text/xml; charset=iso-8859-1"),
        ("é–".encode("utf-16"), ""),
        ("é–".encode("utf-16-le"), ""),
        ("é–".encode("utf-16-be"), "text/xml"),
        ("é–".encode("utf-32"), ""),
        ("é–".encode("cp1252"), "text/xml; charset=ISO-8859-1"),
        ("é–".encode("cp1252"), 'application/rss+xml; charset="windows-1252"'),
        ("é–".encode("cp1252"), ""),
        ("é–".encode("cp1252"), "text/xml; charset=utf-8"),
        ("é–".encode(), "text/xml"),
        ("é–".encode(), "text/xml; charset=no-such"),
        ("é–".encode(), "text/xml; charset=punycode"),
        ("é–".encode("gb18030"), "text/xml; charset=gb2312"),
    ],
)
def test_f8_encodings(body: bytes, content_type: str) -> None:
    text = body  # the body names the encoding of its only text
    encoding = next(
        name
        for name in ("utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "cp1252", "gb18030", "utf-8")
        if "é–".encode(name) == text
    )
    document = rss("<item><guid>a</guid><title>é–</title></item>").encode(encoding)
    feed = parsed(document, content_type=content_type)
    assert feed.entries[0].title == "é–"
    assert len(feed.digests) == 1


def test_f8_the_declaration_counts_when_nothing_else_does() -> None:
    for encoding in ("koi8-r", "windows-1251"):
        document = f'<?xml version="1.0" encoding="{encoding}"?>' + rss("<item><title>мир</title></item>")
        assert parsed(document.encode(encoding)).entries[0].title == "мир"


@pytest.mark.parametrize(
    "before", ["\n\n", "<!-- comment --> \n", "<br />\n<b>Warning</b>: mysql\n", "\ufeff\ufeff", "\x00"]
)
def test_f8_what_stands_before_the_declaration_does_no_harm(before: str) -> None:
    feed = parsed(before + '<?xml version="1.0"?>' + rss("<item><guid>a</guid></item>"))
    assert len(feed.digests) == 1


def test_f8_a_declaration_inside_of_the_document_is_text() -> None:
    feed = parsed(rss("<description><![CDATA[<?xml version='1.0'?>]]></description><item><guid>a</guid></item>"))
    assert (feed.title, len(feed.digests)) == ("t", 1)


def test_f8_control_characters_undefined_entities_and_undeclared_prefixes() -> None:
    assert parsed(rss("<item><title>a\x00\x0bb</title></item>")).entries[0].title == "ab"
    assert parsed(rss("<item><title>caf&eacute; &nbsp;&copy;</title></item>")).entries[0].title == "café ©"
    assert parsed(rss("<item><x:y>z</x:y><title>a</title></item>")).entries[0].title == "a"
    broken = parsed(
        rss("<item><title>a&#0;&#x1;&#xD800;&#99999999999;b</title><description>&#1;c</description></item>")
    )
    assert (broken.entries[0].title, broken.entries[0].summary) == ("ab", "c")


def test_f8_html_entities_of_a_doctype() -> None:
    doctype = '<!DOCTYPE rss [<!ENTITY nbsp "&#160;"><!ENTITY eacute "&#233;">]>'
    assert parsed(doctype + rss("<item><title>caf&eacute;</title></item>")).entries[0].title == "café"


# Hints


def hours(*texts: str) -> int:
    return parsed(rss(f"<skipHours>{''.join(f'<hour>{text}</hour>' for text in texts)}</skipHours>")).skip_hours


def test_f9_skip_hours() -> None:
    assert hours("0", "5", " 23 ") == 1 | 1 << 5 | 1 << 23
    assert hours("24") == 1
    assert hours("25", "-1", "x", "") == 0
    assert hours(*map(str, range(24))) == 0


def test_f9_skip_days() -> None:
    def days(*names: str) -> int:
        return parsed(rss(f"<skipDays>{''.join(f'<day>{name}</day>' for name in names)}</skipDays>")).skip_days

    week = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    assert days("Monday", "SUNDAY", "Montag") == 1 | 1 << 6
    assert days(*week) == 0


def test_f9_ttl_and_the_syndication_module() -> None:
    def feed(inner: str) -> ParsedFeed:
        return parsed(rss(inner).replace("<rss", '<rss xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"', 1))

    assert feed("<ttl>90</ttl>").ttl == 5_400
    assert [feed(f"<ttl>{text}</ttl>").ttl for text in ("", "soon", "-5", "0", "9" * 50)] == [None] * 5
    assert feed("<sy:updatePeriod>daily</sy:updatePeriod>").update_period == 86_400
    inner = "<sy:updatePeriod> hourly </sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>"
    assert feed(inner).update_period == 1_800
    assert feed("<sy:updatePeriod>often</sy:updatePeriod>").update_period is None


def test_f12_hubs_of_headers_come_before_those_of_the_document() -> None:
    body = rss('<atom:link rel="hub" href="https://h1.example/"/><atom:link rel="self" href="/s1"/>')
    links = ('<https://h2.example/>; rel="hub self", </s2>; rel=self', '<javascript:x>; rel="hub"')
    assert parsed(body).hubs == ("https://h1.example/",)
    assert parsed(body, links=links).hubs == ("https://h2.example/", "https://h1.example/")


# What is no feed, and what is only a part of one


@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        "hello",
        "<!DOCTYPE html><html><body><p>Log in</p></body></html>",
        "<html><entry>x</entry></html>",
        "<opml><body/></opml>",
        "PK\x03\x04",
    ],
)
def test_other_documents_are_no_feeds(body: str) -> None:
    result = parser.parse(fetched(body.encode()))
    assert isinstance(result, Unreadable)
    assert result.kind is FailureKind.NOT_A_FEED


def test_f3_a_document_that_was_cut_off_is_not_complete() -> None:
    body = rss("<item><guid>a</guid><title>x</title></item><item><guid>b</guid><title>y</title></item>")
    cut = parsed(body[: body.index("<guid>b")])
    assert cut.entries[0].guid == "a"
    assert not cut.complete
    assert cut.digests == ()
    assert parsed(body).complete


def test_h23_a_delta_is_not_complete() -> None:
    assert not parsed(rss(""), is_delta=True).complete


# Safety


def test_s10_titles_and_authors_are_text() -> None:
    entry = item("<title>&lt;b&gt;x&lt;/b&gt;</title><dc:creator>&lt;script&gt;1&lt;/script&gt;y</dc:creator>")
    assert (entry.title, entry.authors) == ("x", (Person(name="y"),))


def test_s9_every_url_is_http() -> None:
    bad = "javascript:alert(1)"
    entry = item(
        f'<link>{bad}</link><comments>{bad}</comments><enclosure url="{bad}"/><itunes:image href="{bad}"/>'
        f'<source url="{bad}">s</source><media:content url="data:x"/><media:thumbnail url="file:///x"/>'
    )
    assert (entry.url, entry.comments_url, entry.source_url, entry.image_url) == ("", "", "", "")
    assert entry.enclosures == ()


def test_s12_a_body_that_names_a_file_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_text(rss("<item><title>secret</title></item>"))
    assert isinstance(parser.parse(fetched(str(path).encode())), Unreadable)


def test_s7_entries_after_the_first_so_many_are_left_out() -> None:
    feed = parsed(rss("".join(f"<item><guid>{number}</guid></item>" for number in range(MAX_ENTRIES + 1))))
    assert len(feed.entries) == MAX_ENTRIES
    assert not feed.complete


def test_s7_a_long_value_is_cut_and_the_entry_marked() -> None:
    assert item(f"<title>{'x' * 20_000}</title>").capped
    assert not item("<title>x</title>").capped


def test_the_namespaces_of_an_entry_are_its_own() -> None:
    first = '<item xmlns:itunes="http://purl.org/dc/elements/1.1/"><dc:title xmlns:dc="urn:x">no</dc:title></item>'
    entry = parsed(rss(f"{first}<item><dc:title>t</dc:title><itunes:episode>3</itunes:episode></item>")).entries[1]
    assert (entry.title, entry.itunes) == ("t", (("episode", "3"),))


def test_the_author_guard_is_installed() -> None:
    assert feedparser_parsers.author_guard_installed()


HOSTILE = {
    "author": rss(f"<item><author>{'a' * 60_000}@example.com</author></item>"),
    "author, not well-formed": rss(f"&nbsp;<item><author>{'a.' * 30_000}@example.com</author></item>"),
    "attributes": rss("<item><x " + " ".join(f'a{n}=""' for n in range(100_000)) + "/></item>"),
    "attributes, not well-formed": rss("&nbsp;<item><x " + " ".join(f'a{n}=""' for n in range(100_000)) + "/></item>"),
    "nested": rss("<item>" + "<x>" * 100_000 + "</x>" * 100_000 + "</item>"),
    "nested, not well-formed": rss("&nbsp;<item>" + "<x>" * 100_000),
    "nested HTML": rss(f"<item><description>{'&lt;div&gt;' * 100_000}</description></item>"),
    "items": rss("<item><title>x</title></item>" * 100_000),
    "laughs": '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>' + rss("<item><title>&b;</title></item>"),
    "long entity": f'<!DOCTYPE r [<!ENTITY a "{"a" * 999}">]>' + rss(f"<item><title>{'&a;' * 300_000}</title></item>"),
    "blank lines": '<?xml version="1.0"?>' + "\n" * 1_000_000 + rss(""),
    "categories": rss(f"<item>{''.join(f'<category>{n}</category>' for n in range(50_000))}</item>"),
    "openers": rss("&nbsp;<item><title>" + "<!--" * 20_000 + "<![CDATA[" * 20_000),
    "openers in a comment": rss("<item><!--" + "<![CDATA[" * 100_000 + "--></item>"),
    "names": rss("<item>" + "<a:b:c" * 50_000 + "</item>"),
    "quotes": rss("&nbsp;<item><title>" + '<a b="' * 20_000),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_s8_no_document_holds_the_processor(body: str) -> None:
    started = time.process_time()
    result = parser.parse(fetched(body.encode()))
    assert isinstance(result, ParsedFeed | Unreadable)
    assert time.process_time() - started < 20  # of the processor; the worst takes 1.2


def test_feedparser_itself_reads_the_same_dates_titles_and_links() -> None:
    """What speeds feedparser up here does not change what it says."""
    for document in documents():
        if document.suffix == ".xml" and "broken" not in document.name:
            for entry, read in zip(
                feedparser.parse(io.BytesIO(document.read_bytes())).entries, as_read(document)["entries"], strict=True
            ):
                assert read["published_text"] == entry.get("published", "")
                assert [tag["term"] for tag in entry.get("tags", [])] == [tag["term"] for tag in read["categories"]]


# Only what is new is read, and it is read as if the whole document were


ODDITIES = [
    "<title>plain</title>",
    "<title>a &amp;lt;b&amp;gt; &amp;amp; c</title>",
    "<description><![CDATA[</item><item><guid>z</guid>]]></description>",
    "<!-- <item> --><link>/relative</link>",
    '<description xml:base="https://deep.example/">&lt;img src="x"&gt;</description>',
    '<x:y xmlns:x="urn:x" xmlns="urn:z">z</x:y>',
    '<dc:title xmlns:dc="urn:not-dc">z</dc:title>',
    '<media:title xmlns:media="http://search.yahoo.com/mrss/">m</media:title>',
    "<description><div>bad</div></description>",
    "<description><p>bad</p></description>",
    "<source url='/s'>s</source>",
    "<source><title>t</title><entry/></source>",
    "<item><guid>inner</guid></item>",
    "<image><url>/i.png</url><title>it</title><link>/il</link></image>",
    "<category>c</category>",
    "<author>a@example.com (A)</author>",
    "<pubDate>Wed, 04 Mar 2026 10:11:12 GMT</pubDate>",
    "<textInput><title>t</title></textInput>",
    "<summary>s</summary><description>d</description>",
    "<content><summary>s</summary></content>",
    '<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><details><summary>s</summary></details></div></content>',
    '<content type="xhtml" xml:lang="fr"><div xmlns="http://www.w3.org/1999/xhtml"><p>x</p><title>t</title></div></content>',
    '<content type="html">&lt;p&gt;x</content>',
    "<language>fr</language>",
    "<guid>second</guid>",
    "<itunes:owner xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd'><itunes:name>n</itunes:name></itunes:owner>",
    "<body>b</body>",
    "<channel>c</channel>",
    "<rss/>",
    "<description><![CDATA[<item><guid>1</guid></item>]]></description>",
    "<!-- <item><guid>2</guid></item> -->",
]
FRAMES = {
    "item": [
        "<rss version='2.0'><channel><title>t</title>{}</channel></rss>",
        "<rss xml:base='https://b.example/'><channel xml:lang='en'>{}<title>late</title></channel></rss>",
        "<rss version='2.0'><channel><image><title>x</title></image>{}</channel><!-- </rss> --></rss>\n\n<script/>",
        "<!DOCTYPE rss SYSTEM 'x'><rss><channel><category>c</category>{}<category term='>'/></channel></rss>",
        "<r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/'><channel/>{}</r:RDF>",
        "<rss version='2.0'><!-- <item><guid>1</guid></item> --><channel>{}<item><guid>2</guid></item></channel></rss>",
        "<rss><channel><title><![CDATA[<item><guid>1</guid></item>]]></title>{}</channel></rss><item><guid>2</guid></item>",
        "<rss><channel>{}",
    ],
    "entry": [
        "<feed xmlns='http://www.w3.org/2005/Atom'><title>t</title>{}</feed>",
        "<feed xmlns='http://www.w3.org/2005/Atom' xml:base='https://b.example/'><category term='t'/>{}</feed>",
        "<feed version='0.3' xmlns='http://purl.org/atom/ns#'>{}</feed>",
    ],
}


@st.composite
def entries(draw: st.DrawFn, name: str) -> str:
    guid = draw(st.sampled_from([f"<guid>{n}</guid>" for n in range(6)] + ["", "<guid/>", "<guid>é</guid>"]))
    odd = draw(st.lists(st.sampled_from(ODDITIES), max_size=3, unique=True))
    start = draw(st.sampled_from([f"<{name}>", f"<{name} xml:base='https://e.example/'>", f"<{name} xml:lang='de'>"]))
    return (start + guid + "".join(odd) + f"</{name}>").replace("guid>", "id>" if name == "entry" else "guid>")


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str, str]:
    """Return two documents of one feed, and the encoding of the second."""
    name = draw(st.sampled_from(["item", "entry"]))
    frame = draw(st.sampled_from(FRAMES[name]))
    pool = draw(st.lists(entries(name), min_size=1, max_size=5))
    first, second = (draw(st.lists(st.sampled_from(pool), max_size=5, unique=True)) for _ in range(2))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    return frame.replace("{}", " ".join(first)), frame.replace("{}", "\n".join(second)), encoding


def by_digest(feed: ParsedFeed) -> dict[bytes, ParsedEntry]:
    return {entry.digest: entry for entry in feed.entries}


@settings(max_examples=200, deadline=None)
@given(pairs())
def test_to_read_only_what_is_new_says_the_same_as_to_read_everything(pair: tuple[str, str, str]) -> None:
    before, after, encoding = pair
    first = parser.parse(fetched(before.encode()))
    whole = parser.parse(fetched(after.encode(encoding)))
    seen = frozenset(first.digests) if isinstance(first, ParsedFeed) else frozenset()
    part = parser.parse(fetched(after.encode(encoding)), seen)
    if isinstance(whole, Unreadable) or not whole.digests:
        assert part == whole
        return
    assert isinstance(part, ParsedFeed)
    assert replace(part, entries=()) == replace(whole, entries=())
    assert [by_digest(whole).get(entry.digest, entry) for entry in part.entries] == list(part.entries)
    missing = set(by_digest(whole)) - set(by_digest(part))
    assert missing <= seen
    if isinstance(first, ParsedFeed):
        for digest in missing:
            assert by_digest(first)[digest] == by_digest(whole)[digest]
