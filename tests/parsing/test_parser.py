import io
import json
from dataclasses import replace
from pathlib import Path

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.outcomes import FailureKind
from feeds.parsing import author_guard_installed, parser
from feeds.parsing.caps import MAX_ENTRIES
from feeds.parsing.values import ParsedEntry, ParsedFeed, Person, Unreadable
from tests.rigs.feeds import item, parsed, rss
from tests.rigs.golden import as_read, documents, expected, fetched


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_a_document_is_read_as_expected(document: Path) -> None:
    assert as_read(document) == json.loads(expected(document).read_text())


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
def test_encodings(body: bytes, content_type: str) -> None:
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


def test_the_declaration_counts_when_nothing_else_does() -> None:
    for encoding in ("koi8-r", "windows-1251"):
        document = f'<?xml version="1.0" encoding="{encoding}"?>' + rss("<item><title>мир</title></item>")
        assert parsed(document.encode(encoding)).entries[0].title == "мир"


@pytest.mark.parametrize(
    "before", ["\n\n", "<!-- comment --> \n", "<br />\n<b>Warning</b>: mysql\n", "\ufeff\ufeff", "\x00"]
)
def test_what_stands_before_the_declaration_does_no_harm(before: str) -> None:
    feed = parsed(before + '<?xml version="1.0"?>' + rss("<item><guid>a</guid></item>"))
    assert len(feed.digests) == 1


def test_a_declaration_inside_of_the_document_is_text() -> None:
    feed = parsed(rss("<description><![CDATA[<?xml version='1.0'?>]]></description><item><guid>a</guid></item>"))
    assert (feed.title, len(feed.digests)) == ("t", 1)


def test_control_characters_undefined_entities_and_undeclared_prefixes() -> None:
    assert parsed(rss("<item><title>a\x00\x0bb</title></item>")).entries[0].title == "ab"
    assert parsed(rss("<item><title>caf&eacute; &nbsp;&copy;</title></item>")).entries[0].title == "café ©"
    assert parsed(rss("<item><x:y>z</x:y><title>a</title></item>")).entries[0].title == "a"
    broken = parsed(
        rss("<item><title>a&#0;&#x1;&#xD800;&#99999999999;b</title><description>&#1;c</description></item>")
    )
    assert (broken.entries[0].title, broken.entries[0].summary) == ("ab", "c")


def test_html_entities_of_a_doctype() -> None:
    doctype = '<!DOCTYPE rss [<!ENTITY nbsp "&#160;"><!ENTITY eacute "&#233;">]>'
    assert parsed(doctype + rss("<item><title>caf&eacute;</title></item>")).entries[0].title == "café"


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


def test_a_document_that_was_cut_off_is_not_complete() -> None:
    body = rss("<item><guid>a</guid><title>x</title></item><item><guid>b</guid><title>y</title></item>")
    cut = parsed(body[: body.index("<guid>b")])
    assert cut.entries[0].guid == "a"
    assert not cut.complete
    assert cut.digests == ()
    assert parsed(body).complete


def test_a_delta_is_not_complete() -> None:
    assert not parsed(rss(""), is_delta=True).complete


# Safety


def test_titles_and_authors_are_text() -> None:
    entry = item("<title>&lt;b&gt;x&lt;/b&gt;</title><dc:creator>&lt;script&gt;1&lt;/script&gt;y</dc:creator>")
    assert (entry.title, entry.authors) == ("x", (Person(name="y"),))


def test_every_url_is_http() -> None:
    bad = "javascript:alert(1)"
    entry = item(
        f'<link>{bad}</link><comments>{bad}</comments><enclosure url="{bad}"/><itunes:image href="{bad}"/>'
        f'<source url="{bad}">s</source><media:content url="data:x"/><media:thumbnail url="file:///x"/>'
    )
    assert (entry.url, entry.comments_url, entry.source_url, entry.image_url) == ("", "", "", "")
    assert entry.enclosures == ()


def test_a_body_that_names_a_file_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_text(rss("<item><title>secret</title></item>"))
    assert isinstance(parser.parse(fetched(str(path).encode())), Unreadable)


@pytest.mark.slow
def test_entries_after_the_first_so_many_are_left_out() -> None:
    feed = parsed(rss("".join(f"<item><guid>{number}</guid></item>" for number in range(MAX_ENTRIES + 1))))
    assert len(feed.entries) == MAX_ENTRIES
    assert not feed.complete


def test_a_long_value_is_cut_and_the_entry_marked() -> None:
    assert item(f"<title>{'x' * 20_000}</title>").capped
    assert not item("<title>x</title>").capped


def test_the_namespaces_of_an_entry_are_its_own() -> None:
    first = '<item xmlns:itunes="http://purl.org/dc/elements/1.1/"><dc:title xmlns:dc="urn:x">no</dc:title></item>'
    entry = parsed(rss(f"{first}<item><dc:title>t</dc:title><itunes:episode>3</itunes:episode></item>")).entries[1]
    assert (entry.title, entry.itunes) == ("t", (("episode", "3"),))


@pytest.mark.parametrize("title", ["a b", "a&nbsp;b"], ids=["well-formed", "not well-formed"])
def test_an_element_may_declare_the_namespace_that_it_is_of(title: str) -> None:
    names = "http://www.itunes.com/dtds/podcast-1.0.dtd", "http://purl.org/dc/elements/1.1/"
    elements = '<i:episode xmlns:i="{}">3</i:episode><x:creator xmlns:x="{}">Ann</x:creator>'.format(*names)
    entry = item(f"<title>{title}</title>{elements}")
    assert (entry.itunes, entry.authors) == ((("episode", "3"),), (Person(name="Ann"),))


def test_a_namespace_may_be_written_with_https() -> None:
    """simplepie/simplepie #552, #746; macieklamberski/feedsmith #133."""
    inner = (
        "<item><content:encoded>&lt;p&gt;x&lt;/p&gt;</content:encoded><dc:creator>Ann</dc:creator>"
        "<itunes:duration>60</itunes:duration><media:thumbnail url='/1.jpg'/></item>"
    )
    (entry,) = parsed(rss(inner).replace("http:", "https:")).entries
    assert (entry.content, entry.authors) == ("<p>x</p>", (Person(name="Ann"),))
    assert (entry.itunes, entry.image_url) == ((("duration", "60"),), "https://example.com/1.jpg")


def test_the_author_guard_is_installed() -> None:
    assert author_guard_installed()


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


@pytest.mark.slow
@settings(max_examples=200)
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


def test_a_feed_with_a_deep_text_is_a_feed() -> None:
    markup = b"<blockquote>" * 100 + b"x" + b"</blockquote>" * 100
    text = b'<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">%s</div></content>' % markup
    feed = parsed(b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id>%s</entry></feed>' % text)
    assert feed.entries[0].content == markup.decode()
