"""What relative references go by, and which of the links of an entry is its page."""

import pytest

from tests.rigs.feeds import atom, atom_entry, item, parsed, rss

IMAGE = "&lt;img src=&quot;i.png&quot;&gt;"


@pytest.mark.parametrize(
    ("channel", "inner", "source"),
    [
        ("", "<link>https://site.example/a/b/</link>", "https://site.example/a/b/i.png"),
        ("<link>https://site.example/</link>", "<link>/a/b</link>", "https://site.example/a/i.png"),
        ("<link>https://site.example/x/</link>", "", "https://site.example/x/i.png"),
        ("<link>/x/</link>", "<guid isPermaLink='false'>1</guid>", "https://example.com/x/i.png"),
        ("", "", "https://example.com/i.png"),
        ("", "<guid>https://site.example/a/b</guid>", "https://site.example/a/i.png"),
        ("<link>https://site.example/</link>", "<link>mailto:a@e.org</link>", "https://site.example/i.png"),
    ],
)
def test_texts_of_rss_go_by_the_items_page_or_the_channels(channel: str, inner: str, source: str) -> None:
    """In RSS no base is defined: feedhq/feedhq #95, FreshRSS/FreshRSS #4562, aaronpk/XRay #98."""
    text = f"<description>{IMAGE}</description>"
    for body in (f"{channel}<item>{inner}{text}</item>", f"<item>{text}{inner}</item>{channel}"):
        assert parsed(rss(body)).entries[0].summary == f'<img src="{source}">'


def test_xml_base_goes_before_any_link() -> None:
    based = f"<description xml:base='https://b.example/y/'>{IMAGE}</description>"
    entry = item(f"<link>https://site.example/a/</link>{based}<content:encoded>{IMAGE}</content:encoded>")
    assert entry.summary == '<img src="https://b.example/y/i.png">'
    assert entry.content == '<img src="https://site.example/a/i.png">'
    inner = f"<link>a/b</link><description>{IMAGE}</description>"
    (entry,) = parsed(rss(f"<item xml:base='https://b.example/'>{inner}</item>")).entries
    assert (entry.url, entry.summary) == ("https://b.example/a/b", '<img src="https://b.example/i.png">')


def test_the_base_of_the_element_that_xhtml_stands_in_counts() -> None:
    div = '<div xmlns="http://www.w3.org/1999/xhtml" xml:base="https://b.example/x/"><img src="i.png"/></div>'
    for broken in ("", "&nbsp;"):
        content = f'<content type="xhtml" xml:base="https://a.example/">{div}</content>{broken}'
        assert 'src="https://b.example/x/i.png"' in atom_entry(content).content
    (entry,) = parsed(atom(f'<entry><content type="xhtml">{div}</content><link href="a"/></entry>')).entries
    assert entry.url == "https://example.com/a"


def test_texts_of_atom_go_by_the_document_and_not_by_the_page() -> None:
    entry = atom_entry(f'<link href="https://site.example/a/b/"/><content type="html">{IMAGE}</content>')
    assert entry.content == '<img src="https://example.com/i.png">'


def test_relative_links_of_rss_go_by_the_channels_link_wherever_that_stands() -> None:
    one = '<item><link>a</link><enclosure url="e.mp3"/><comments>c</comments><itunes:image href="i.jpg"/></item>'
    link = "<link>https://site.example/x/</link>"
    for body in (link + one, one + link, link + '<atom:link rel="self" href="https://other.example/"/>' + one):
        entry = parsed(rss(body)).entries[0]
        said = (entry.url, entry.enclosures[0].url, entry.comments_url, entry.image_url)
        assert said == tuple(f"https://site.example/x/{name}" for name in ("a", "e.mp3", "c", "i.jpg"))


def test_relative_links_of_atom_go_by_the_document() -> None:
    (entry,) = parsed(atom('<link href="https://site.example/x/"/><entry><link href="a"/></entry>')).entries
    assert entry.url == "https://example.com/a"


# Which link


@pytest.mark.parametrize(
    ("inner", "url"),
    [
        ('<atom:link rel="alternate" href="/atom"/><link>/own</link>', "/own"),
        ('<link>/own</link><atom:link href="/atom"/>', "/own"),
        ('<link></link><atom:link href="/atom"/>', "/atom"),
        ("<link/><guid>https://example.com/guid</guid>", "/guid"),
        ("<guid>https://example.com/guid</guid><link></link>", "/guid"),
        ('<guid isPermaLink="True">https://example.com/guid</guid>', "/guid"),
        ('<guid isPermaLink="False">https://example.com/guid</guid>', ""),
        ("<guid>//example.com/guid</guid>", ""),
        ("<guid>tag:example.com,2026:1</guid>", ""),
        ('<atom:link rel="enclosure" type="text/html" href="/e"/>', ""),
        ('<enclosure url="/e.mp3"/><guid isPermaLink="true">17</guid>', ""),
        ("<link>/proxy</link><fb:origLink>https://example.com/page</fb:origLink>", "/page"),
        ("<fb:origLink></fb:origLink><link>/own</link>", "/own"),
        ("<image><link>/image</link></image><link>/own</link>", "/own"),
        ("<link>/own</link><source url='/s'><link>/source</link></source>", "/own"),
    ],
)
def test_the_page_of_an_item(inner: str, url: str) -> None:
    """NetNewsWire #4625, RssBandit/RssBandit #399, passiomatic/coldsweat #7."""
    namespace = 'xmlns:fb="http://rssnamespace.org/feedburner/ext/1.0"'
    (entry,) = parsed(rss(f"<item {namespace}>{inner}</item>")).entries
    assert entry.url == (url and f"https://example.com{url}")


@pytest.mark.parametrize(
    ("links", "url"),
    [
        (['rel="alternate" href="/1"', 'href="/2"'], "/1"),
        (['type="application/pdf" href="/1.pdf"', 'type="text/html" href="/2"'], "/2"),
        (['type="application/pdf" href="/1.pdf"', 'type="text/plain" href="/2"'], "/1.pdf"),
        (['type="application/pdf" href="/1.pdf"', 'type="Text/HTML; charset=utf-8" href="/2"'], "/2"),
        (['rel="self" href="/1"', 'rel="related" href="/2"', 'type="application/xhtml+xml" href="/3"'], "/3"),
        (['rel="http://www.iana.org/assignments/relation/alternate" href="/1"', 'rel="edit" href="/2"'], "/1"),
        (['href="nostr:x"', 'type="text/plain" href="/2"'], "/2"),
        (['rel="enclosure" type="text/html" href="/1"', 'rel="via" href="/2"'], ""),
    ],
)
def test_the_page_of_an_atom_entry_is_the_first_alternate_that_is_html(links: list[str], url: str) -> None:
    """feedbin/feedbin #747, lwindolf/liferea #442, arminreiter/FeedReader #47."""
    entry = atom_entry("".join(f"<link {link}/>" for link in links))
    assert entry.url == (url and f"https://example.com{url}")


def test_a_feed_in_rdf_is_rss_whatever_namespace_it_declares_first() -> None:
    body = (
        '<rdf:RDF xmlns:atom="http://www.w3.org/2005/Atom" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
        ' xmlns="http://purl.org/rss/1.0/"><channel><link>https://site.example/</link></channel>'
        "<item rdf:about='urn:1'><link>a</link></item></rdf:RDF>"
    )
    read = parsed(body)
    assert (read.format, read.entries[0].url) == ("rss10", "https://site.example/a")


# Guids


@pytest.mark.parametrize(
    "guid", ["NESCAF\u00c9\u00ae", "\u00c3\u00a9", "\u0092", "%7Ea/../b", "A?x=1&amp;y=2", "HTTP://E.org:80/"]
)
def test_a_guid_stays_as_it_is_written(guid: str) -> None:
    """What looks like UTF-8 that was read as Latin-1 may stand for itself (kurtmckee/feedparser #36)."""
    written = guid.replace("&amp;", "&")
    for body in (rss(f"<item><guid>{guid}</guid></item>"), rss(f"&nbsp;<item><guid>{guid}</guid></item>")):
        assert parsed(body).entries[0].guid == written
    assert atom_entry(f"<id>{guid}</id><title>{guid}</title>").guid == written


def test_letters_that_stand_for_themselves_are_not_joined_to_another() -> None:
    for text in ("NESCAF\u00c9\u00ae", "\u00c3\u00a9", "\u00c2\u00ab"):
        entry = item(f"<title>{text}</title><description>{text}</description><category>{text}</category>")
        assert (entry.title, entry.summary, entry.categories[0].term) == (text, text, text)
