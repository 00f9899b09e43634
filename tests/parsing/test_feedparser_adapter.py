"""What the values of a feed and its entries are, and when the next poll may be, by what the document says."""

from datetime import UTC, datetime

import pytest

from feeds.parsing.values import Category, Enclosure, ParsedFeed, Person
from tests.rigs.feeds import atom, atom_entry, item, parsed, rss

# Identity


def test_guids_are_kept_as_given() -> None:
    assert item("<guid> ../1 </guid><link>https://example.com/1</link>").guid == "../1"
    assert item("<guid>HTTP://Example.com:80/%7Ea</guid>").guid == "HTTP://Example.com:80/%7Ea"
    assert atom_entry("<id>tag:a</id>").guid == "tag:a"
    assert item("<title>x</title>").guid == ""


def test_a_guid_is_a_permalink_unless_it_says_otherwise() -> None:
    assert item("<guid>https://example.com/1</guid>").url == "https://example.com/1"
    assert item("<guid>/1</guid>").url == item("<guid>urn:1</guid>").url == item("<guid>1</guid>").url == ""
    assert item('<guid isPermaLink="false">https://example.com/1</guid>').url == ""


def test_a_guid_is_the_same_whether_the_document_is_well_formed_or_not() -> None:
    entry = "<item><guid isPermaLink='false'>a?b&amp;c</guid></item>"
    assert parsed(rss(entry)).entries[0].guid == parsed(rss(f"&nbsp;{entry}")).entries[0].guid == "a?b&c"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("?a=1&copy=2&lang=en&section=3&amp=4", "?a=1&copy=2&lang=en&section=3&amp=4"),
        ("?a=1&amp;copy=2&#38;lang=en&#x26;not=3", "?a=1&copy=2&lang=en&not=3"),
        ("?a=1&copy=2&amp;lang=en&", "?a=1&copy=2&lang=en&"),
        ("<![CDATA[?a=1&copy=2&lang=en]]>", "?a=1&copy=2&lang=en"),
    ],
)
def test_a_bare_ampersand_in_a_url_begins_no_reference(written: str, read: str) -> None:
    """The commonest reason why a feed is not well-formed."""
    said = "".join(f"<{name}>{written}</{name}>" for name in ("link", "guid", "comments"))
    for open_one in ("", "<title>AT&T</title>"):
        entry = item(f"{open_one}{said}<description>&lt;p&gt;R&amp;amp;D</description>")
        assert entry.url == entry.comments_url == f"https://example.com/feed{read}"
        assert (entry.guid, entry.summary) == (read, "<p>R&amp;D</p>")
        assert parsed(rss(f"{open_one}<link>{written}</link>")).site_url == f"https://example.com/feed{read}"


def test_a_url_whose_ampersands_were_escaped_twice_is_as_it_was_meant() -> None:
    for written in ("?a=1&amp;amp;b=2", "?a=1&amp;#038;b=2", "<![CDATA[?a=1&#38;b=2]]>"):
        entry = item(f"<link>{written}</link><comments>{written}</comments><guid>{written}</guid>")
        assert entry.url == entry.comments_url == "https://example.com/feed?a=1&b=2"
    assert item('<enclosure url="?a=1&amp;#038;b=2"/>').enclosures[0].url == "https://example.com/feed?a=1&b=2"


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
def test_dates_are_moments_in_utc_or_nothing(text: str, moment: datetime | None) -> None:
    entry = item(f"<pubDate>{text}</pubDate>")
    assert entry.published_at == moment
    assert entry.published_text == text


# Texts


def test_relative_urls_are_resolved_against_the_nearest_base() -> None:
    body = atom(
        '<entry xml:base="https://b.example/x/"><link href="1"/><link rel="enclosure" href="e.mp3"/>'
        '<content type="html" xml:base="deep/">&lt;img src="i.png"&gt;</content></entry>'
    )
    entry = parsed(body).entries[0]
    assert (entry.url, entry.enclosures[0].url) == ("https://b.example/x/1", "https://b.example/x/e.mp3")
    assert entry.content == '<img src="https://b.example/x/deep/i.png">'


def test_content_encoded_is_the_content_and_the_description_the_summary() -> None:
    for inner in (
        "<description>short</description><content:encoded>&lt;p&gt;long&lt;/p&gt;</content:encoded>",
        "<content:encoded>&lt;p&gt;long&lt;/p&gt;</content:encoded><description>short</description>",
    ):
        assert (item(inner).summary, item(inner).content) == ("short", "<p>long</p>")


def test_the_full_text_of_yandex_is_the_content() -> None:
    """Russian newspapers write it for Yandex News, plain or escaped."""
    said = (
        '<description>short</description><yandex:full-text xmlns:yandex="http://news.yandex.ru">{}</yandex:full-text>'
    )
    for written, stored in (
        ("whole", "whole"),
        ("&lt;p&gt;whole&lt;/p&gt;", "<p>whole</p>"),
        ("1\n\n2", "<p>1</p><p>2</p>"),
    ):
        entry = item(said.format(written))
        assert (entry.summary, entry.content) == ("short", stored)


def test_an_empty_value_takes_no_other_away() -> None:
    date = "<pubDate>Fri, 24 May 2024 10:00:00 GMT</pubDate>"
    for twice in (f"{date}<pubDate/>", f"<pubDate> </pubDate>{date}"):
        assert item(f"{twice}<guid>a</guid><guid/>").published_at == datetime(2024, 5, 24, 10, tzinfo=UTC)
    assert item("<guid>a</guid><guid/><language>ru</language><language/>").guid == "a"


def test_the_type_of_atom_texts_is_respected() -> None:
    assert atom_entry('<title type="text">&lt;b&gt; &amp;amp;</title>').title == "<b> &amp;"
    assert atom_entry('<title type="html">&lt;b&gt;x&lt;/b&gt; &amp;amp;</title>').title == "x &"
    assert atom_entry("<summary>&lt;b&gt; &amp;amp;</summary>").summary == "&lt;b&gt; &amp;amp;"
    assert atom_entry('<summary type="html">&lt;b&gt;x&lt;/b&gt;</summary>').summary == "<b>x</b>"
    assert atom_entry('<content type="image/png">aGVsbG8=</content>').content == ""


def test_titles_that_were_escaped_twice_are_read() -> None:
    assert item("<title>AT&amp;amp;T &amp;#8211; &lt;i&gt;x&lt;/i&gt;</title>").title == "AT&T – x"
    assert item("<title></title>").title == ""


# Parts


def test_several_authors() -> None:
    entry = item("<author>ada@example.com (Ada)</author><dc:creator>Grace</dc:creator>")
    assert entry.authors == (Person(name="Ada", email="ada@example.com"), Person(name="Grace"))
    authors = ("<name>A &amp;amp; B</name><uri>javascript:x</uri>", "<email>e@example.com</email>")
    inner = "".join(f"<author>{author}</author>" for author in authors)
    assert atom_entry(inner).authors == (Person(name="A & B"), Person(email="e@example.com"))


@pytest.mark.parametrize(
    ("elements", "categories"),
    [
        (
            '<category domain="d">a</category><category domain="d">b</category><category domain="d">a</category>',
            (Category(term="a", scheme="d"), Category(term="b", scheme="d")),
        ),
        ('<category domain="d"/><category>News</category>', (Category(term="News"),)),
        (
            '<media:category scheme="s" label="L"/><category>News</category>',
            (Category(term="L", scheme="s", label="L"), Category(term="News")),
        ),
        (
            "".join(f'<media:category scheme="s" label="L">{text}</media:category>' for text in "xy"),
            (Category(term="x", scheme="s", label="L"), Category(term="y", scheme="s", label="L")),
        ),
    ],
)
def test_each_category_has_its_own_scheme_and_text(elements: str, categories: tuple[Category, ...]) -> None:
    assert item(elements).categories == categories


def test_categories_with_their_scheme() -> None:
    assert item('<category domain="d">a</category><category>b</category>').categories == (
        Category(term="a", scheme="d"),
        Category(term="b"),
    )


def test_enclosures_with_odd_lengths() -> None:
    inner = "".join(
        f'<enclosure url="/{n}" length="{length}"/>' for n, length in enumerate(["5", "", "-1", "1e3", "0"])
    )
    assert [enclosure.length for enclosure in item(inner).enclosures] == [5, None, None, None, None]


def test_media_rss_in_a_group() -> None:
    entry = item(
        '<media:group><media:content url="/v.mp4" type="video/mp4" fileSize="7" duration="61"/>'
        '<media:thumbnail url="/t.jpg"/><media:description>d</media:description></media:group>'
    )
    assert entry.enclosures == (Enclosure(url="https://example.com/v.mp4", type="video/mp4", length=7, duration=61),)
    assert (entry.image_url, entry.summary) == ("https://example.com/t.jpg", "d")


def test_podcast_fields() -> None:
    entry = item(
        '<itunes:duration>61:01</itunes:duration><itunes:episode>3</itunes:episode><itunes:image href="/i.jpg"/>'
    )
    assert dict(entry.itunes) == {"duration": "61:01", "episode": "3"}
    assert entry.image_url == "https://example.com/i.jpg"


@pytest.mark.parametrize(
    "inner",
    [
        '<enclosure url="/i.jpg" type="image/jpeg"/>',
        '<enclosure url="/a.mp3" type="audio/mpeg"/><enclosure url="/i.jpg" type="image/jpeg"/>',
        "<image><url>/i.jpg</url></image>",
        "<image><url>/i.jpg</url><title>I</title><link>/elsewhere</link></image>",
        "<image>https://example.com/i.jpg</image>",
        '<image>/i.jpg</image><enclosure url="/other.jpg" type="image/jpeg"/>',
    ],
)
def test_the_picture_of_an_item_is_its_own_or_an_enclosure(inner: str) -> None:
    entry = item(f"<title>x</title><link>https://example.com/1</link>{inner}<description>d</description>")
    assert (entry.image_url, entry.title, entry.url) == ("https://example.com/i.jpg", "x", "https://example.com/1")
    assert entry.summary == "d"


def test_source_comments_and_unknown_extensions() -> None:
    entry = item(
        '<source url="https://o.example/rss">Other</source><comments>/c</comments>'
        '<g:point xmlns:g="http://www.georss.org/georss">1 x</g:point><g:line xmlns:g="http://www.georss.org/georss">1</g:line>'
    )
    assert (entry.source_title, entry.source_url) == ("Other", "https://o.example/rss")
    assert entry.comments_url == "https://example.com/c"


# Hints


@pytest.mark.parametrize("element", ["gml:pos", "gml:posList", "psc:chapter"])
@pytest.mark.parametrize("broken", ["", "&nbsp;"])
def test_an_element_where_feedparser_expects_none_costs_no_entry(element: str, broken: str) -> None:
    uris = 'xmlns:gml="http://www.opengis.net/gml" xmlns:psc="http://podlove.org/simple-chapters"'
    inner = f"<{element}>1 2</{element}>{broken}"
    (entry,) = parsed(
        rss(f"<a {uris}>{inner}</a><item {uris}><title>Boats</title>{inner}<guid>1</guid></item>")
    ).entries
    assert (entry.title, entry.guid) == ("Boats", "1")


def hours(*texts: str) -> int:
    return parsed(rss(f"<skipHours>{''.join(f'<hour>{text}</hour>' for text in texts)}</skipHours>")).skip_hours


def test_skip_hours() -> None:
    assert hours("0", "5", " 23 ") == 1 | 1 << 5 | 1 << 23
    assert hours("24") == 1
    assert hours("25", "-1", "x", "") == 0
    assert hours(*map(str, range(24))) == 0


def test_skip_days() -> None:
    def days(*names: str) -> int:
        return parsed(rss(f"<skipDays>{''.join(f'<day>{name}</day>' for name in names)}</skipDays>")).skip_days

    week = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    assert days("Monday", "SUNDAY", "Montag") == 1 | 1 << 6
    assert days(*week) == 0


def test_ttl_and_the_syndication_module() -> None:
    def feed(inner: str) -> ParsedFeed:
        return parsed(rss(inner).replace("<rss", '<rss xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"', 1))

    assert feed("<ttl>90</ttl>").ttl == 5_400
    assert [feed(f"<ttl>{text}</ttl>").ttl for text in ("", "soon", "-5", "0", "9" * 50)] == [None] * 5
    assert feed("<sy:updatePeriod>daily</sy:updatePeriod>").update_period == 86_400
    inner = "<sy:updatePeriod> hourly </sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>"
    assert feed(inner).update_period == 1_800
    assert feed("<sy:updatePeriod>often</sy:updatePeriod>").update_period is None


def test_hubs_of_headers_come_before_those_of_the_document() -> None:
    body = rss('<atom:link rel="hub" href="https://h1.example/"/><atom:link rel="self" href="/s1"/>')
    links = ('<https://h2.example/>; rel="hub self", </s2>; rel=self', '<javascript:x>; rel="hub"')
    assert parsed(body).hubs == ("https://h1.example/",)
    assert parsed(body, links=links).hubs == ("https://h2.example/", "https://h1.example/")


@pytest.mark.parametrize("stray", ["</title>", "</description>", "</content:encoded>", "</item></title>"])
def test_an_end_without_a_beginning_takes_nothing_from_what_follows(stray: str) -> None:
    items = "".join(f"<item><title>T{n}</title><guid>{n}</guid></item>" for n in range(3))
    entries = parsed(f"<rss><channel>{stray}{items}</channel></rss>".encode()).entries
    assert [(entry.title, entry.guid) for entry in entries] == [("T0", "0"), ("T1", "1"), ("T2", "2")]
