"""No text of an entry is lost, and the right one is its summary, its content, or its medium's."""

import json
from dataclasses import asdict
from itertools import permutations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from feeds.parsing.values import ParsedEntry
from tests.rigs.feeds import atom, atom_entry, item, parsed, rss

# Texts that compete: samuelclay/NewsBlur #2127, kurtmckee/feedparser #53, newsboat/newsboat #2305

OWN = "<description>&lt;p&gt;own&lt;/p&gt;</description>"
ENCODED = "<content:encoded>&lt;p&gt;whole&lt;/p&gt;</content:encoded>"
MEDIUM = '<media:content url="/1.png" medium="image"><media:description>seen</media:description></media:content>'
DC = "<dc:description>dublin</dc:description>"
PODCAST = "<itunes:summary>&lt;b&gt;heard&lt;/b&gt;</itunes:summary>"
SHORT = "<itunes:subtitle>short</itunes:subtitle>"


def test_a_description_may_be_declared_xhtml() -> None:
    """cbenard/comicfeeds #1."""
    entry = item("<description xmlns='http://www.w3.org/1999/xhtml'>&lt;b&gt;own&lt;/b&gt;</description>")
    assert entry.summary == "<b>own</b>"


NUMBER = "&#" + "9" * 5_000 + ";"  # more digits than Python converts


@pytest.mark.parametrize("start", ["", "&nbsp;"], ids=["well-formed", "not well-formed"])
def test_a_reference_of_very_many_digits_costs_its_own_text_at_most(start: str) -> None:
    entry = item(
        f"<guid>1</guid>{start}<title><![CDATA[<b>t</b>{NUMBER}]]></title><author><![CDATA[a@b {NUMBER}]]></author>"
    )
    assert (entry.guid, entry.title[:1]) == ("1", "t")


@pytest.mark.parametrize("parts", list(permutations((OWN, ENCODED, MEDIUM, SHORT))))
def test_the_order_of_texts_changes_nothing(parts: tuple[str, ...]) -> None:
    entry = item("".join(parts))
    assert (entry.summary, entry.content) == ("<p>own</p>", "<p>whole</p>")
    assert entry.enclosures[0].description == "seen"
    assert dict(entry.itunes) == {"subtitle": "short"}


@pytest.mark.parametrize(
    ("inner", "summary", "content"),
    [
        (PODCAST + OWN, "<p>own</p>", "<b>heard</b>"),
        (DC + OWN, "<p>own</p>", "dublin"),
        (SHORT + ENCODED, "short", "<p>whole</p>"),
        (MEDIUM + PODCAST, "<b>heard</b>", ""),
        (MEDIUM + ENCODED, "", "<p>whole</p>"),
        (MEDIUM, "seen", ""),
        (f"<media:group>{MEDIUM}<media:description>all</media:description></media:group>{OWN}", "<p>own</p>", ""),
        (OWN + "<description>&lt;p&gt;second&lt;/p&gt;</description>", "<p>own</p>", "<p>second</p>"),
        (OWN + OWN + "<itunes:summary>own</itunes:summary>", "<p>own</p>", ""),
    ],
)
def test_the_entrys_own_text_comes_first(inner: str, summary: str, content: str) -> None:
    entry = item(inner)
    assert (entry.summary, entry.content) == (summary, content)


def test_to_compare_long_texts_is_no_loss() -> None:
    """As one line, which nobody stores, they are longer than is kept of a line: the entry was marked."""
    long = f"<content:encoded>{'&lt;p&gt;word&lt;/p&gt;' * 2_000}</content:encoded>"
    entry = item(OWN + long + DC)
    assert (entry.content.count("word"), entry.capped) == (2_000, False)
    assert item(OWN + long + DC.replace("dublin", "said " * 3_000)).capped


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("&lt;p&gt;one&lt;p&gt;two", "<p>one</p><p>two</p>"),
        ("one&lt;br&gt;two &lt;i&gt;three&lt;/i&gt;", "one<br>two <i>three</i>"),
        ("AT&amp;amp;T", "AT&amp;T"),
        ("write to &lt;me@e.org&gt;", "write to &lt;me@e.org&gt;"),
        ("Vec&lt;T&gt;", "Vec&lt;T&gt;"),
    ],
)
def test_a_second_text_is_html_where_it_looks_so(written: str, stored: str) -> None:
    assert item(f"<description>own</description><itunes:summary>{written}</itunes:summary>").content == stored


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("one\ntwo\n\nthree", "<p>one<br>two</p><p>three</p>"),
        (
            "Hi &amp; bye\n \n https://e.org/1",
            '<p>Hi &amp; bye</p><p><a href="https://e.org/1" rel="noopener noreferrer">https://e.org/1</a></p>',
        ),
        ("wrapped at\n  eighty columns", "wrapped at\n  eighty columns"),
        ("AT&amp;amp;T\n\nx", "AT&amp;T\n\nx"),
        ("one\n\n&lt;section&gt;two&lt;/section&gt;", "one\n\n<section>two</section>"),
    ],
)
def test_a_text_of_rss_that_has_paragraphs_and_no_markup_is_plain(written: str, stored: str) -> None:
    """Bluesky's feeds are so."""
    assert item(f"<description>{written}</description>").summary == stored
    assert item(f"<content:encoded>{written}</content:encoded>").content == stored
    assert "<p>" not in atom_entry(f'<content type="html">{written}</content>').content


def test_the_texts_of_media_belong_to_them() -> None:
    said = (
        "<media:title>I</media:title><media:description>one</media:description>",
        "<media:title>II</media:title>",
        "",
    )
    media = (f'<media:content url="/{number}.png">{texts}</media:content>' for number, texts in enumerate(said))
    entry = item(f"<title>t</title>{OWN}{''.join(media)}")
    assert [(one.title, one.description) for one in entry.enclosures] == [("I", "one"), ("II", ""), ("", "")]
    assert entry.title == "t"


def test_the_title_is_the_entrys_own() -> None:
    titles = ("<title>own</title>", "<media:title>m</media:title>", "<dc:title>d</dc:title>")
    assert {item("".join(parts)).title for parts in permutations(titles)} == {"own"}


def test_where_an_entry_has_no_title_another_one_serves() -> None:
    assert item("<media:title>m</media:title>").title == "m"
    assert item("<media:title>m</media:title><title/><dc:title>d</dc:title>").title == "m"
    assert item(MEDIUM.replace("<media:desc", "<media:title>inner</media:title><media:desc")).title == "inner"


def test_what_a_feed_is_about_does_not_depend_on_the_order_either() -> None:
    texts = ("<description>own</description>", SHORT, PODCAST)
    assert {parsed(rss("".join(parts))).description for parts in permutations(texts)} == {"own"}
    assert parsed(rss(SHORT + PODCAST)).description == "heard"


# CDATA that was escaped itself: kurtmckee/feedparser #440, #572


def test_escaped_cdata_is_text() -> None:
    assert item("<description>&lt;![CDATA[a &lt;b&gt;c&lt;/b&gt;]]&gt;</description>").summary == "a <b>c</b>"
    assert item("<description><![CDATA[<![CDATA[x]]]]><![CDATA[>]]></description>").summary == "x"
    assert item("<title>&lt;![CDATA[a title]]&gt;</title>").title == "a title"
    assert atom_entry('<content type="html">&lt;![CDATA[&lt;p&gt;x&lt;/p&gt;]]&gt; y</content>').content == "<p>x</p> y"


# XHTML


DETAILS = "<div>before<details><summary>S</summary>inside</details>after <b>bold</b></div>"


@pytest.mark.parametrize("kind", ["content", "summary"])
@pytest.mark.parametrize("broken", ["", "&nbsp;", "<br>", "<p>open", "a & b"])
def test_details_and_what_follows_survive_in_xhtml_well_formed_or_not(kind: str, broken: str) -> None:
    entry = atom_entry(f'<{kind} type="xhtml">{DETAILS}{broken}</{kind}><title>T</title><category term="c"/>')
    text = entry.content + entry.summary
    for word in ("before", "<summary>S</summary>", "inside", "after", "<b>bold</b>"):
        assert word in text
    assert (entry.title, [one.term for one in entry.categories]) == ("T", ["c"])


def test_elements_of_other_texts_inside_of_a_text_end_nothing() -> None:
    for inside in ("<title>x</title>", "<summary>x</summary>", "<content>x</content>", "<description>x</description>"):
        entry = atom_entry(f'<content type="xhtml"><div>a{inside}b</div></content><summary>s</summary>')
        assert (entry.content[0], entry.content[-1], entry.summary) == ("a", "b", "s")


def test_a_text_that_is_not_closed_ends_with_its_item() -> None:
    read = parsed(rss("<item><guid>1</guid><description>one</item><item><guid>2</guid><title>two</title></item>"))
    assert [(entry.guid, entry.summary, entry.title) for entry in read.entries] == [("1", "one", ""), ("2", "", "two")]


@pytest.mark.parametrize("line", ["<br/>", "<br />", "<br></br>", '<br clear="all"/>'])
def test_a_line_break_of_xhtml_is_one(line: str) -> None:
    inside = f'one{line}two<hr/><img src="/i.png"/>'
    stored = 'one<br>two<hr><img src="https://example.com/i.png">'
    for before in ("", "&nbsp;"):  # well-formed, or not
        assert atom_entry(f'<content type="xhtml"><div>{before}{inside}</div></content>').content.strip() == stored
    prefixed = inside.replace("<", "<h:").replace("<h:/", "</h:")
    namespace = 'xmlns:h="http://www.w3.org/1999/xhtml"'
    assert stored in atom_entry(f'<content type="xhtml"><h:div {namespace}>{prefixed}</h:div></content>').content


def test_elements_in_a_description_that_should_have_been_escaped() -> None:
    assert item("<description>one<br/>two <b>x</b></description>").summary == "one<br>two <b>x</b>"


# Nothing is lost


def _words(entry: ParsedEntry) -> str:
    return json.dumps(asdict(entry), default=str)


PLACES = {
    "title": [
        "<title>{}</title>",
        "<dc:title>{}</dc:title>",
        "<media:title>{}</media:title>",
        "<itunes:title>{}</itunes:title>",
    ],
    "text": [
        "<description>{}</description>",
        "<description>&lt;p&gt;{}&lt;/p&gt;</description>",
        "<description><![CDATA[<ul><li>{}</li></ul>]]></description>",
        "<description>&lt;![CDATA[{}]]&gt;</description>",
        "<content:encoded><![CDATA[<table><tr><td>{}</td></tr></table>]]></content:encoded>",
        "<content:encoded>&lt;unknown-element&gt;{}&lt;/unknown-element&gt;</content:encoded>",
        "<content:encoded>&lt;details&gt;&lt;summary&gt;s&lt;/summary&gt;{}&lt;/details&gt;</content:encoded>",
        "<atom:summary>{}</atom:summary>",
        '<atom:content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><dl><dt>{}</dt></dl></div></atom:content>',
        "<dc:description>{}</dc:description>",
        "<itunes:summary>{}</itunes:summary>",
        "<itunes:subtitle>{}</itunes:subtitle>",
        "<media:description>{}</media:description>",
        '<media:content url="/x"><media:title>a</media:title><media:description>{}</media:description></media:content>',
        "<media:group><media:title>{}</media:title></media:group>",
        "<media:text>{}</media:text>",
        "<media:credit>{}</media:credit>",
        "<media:copyright>{}</media:copyright>",
        "<media:keywords>{}</media:keywords>",
    ],
    "people": [
        "<author>{}</author>",
        "<dc:creator>{}</dc:creator>",
        "<itunes:author>{}</itunes:author>",
        "<dc:contributor>{}</dc:contributor>",
        "<dc:publisher>{}</dc:publisher>",
    ],
    "others": [
        "<category>{}</category>",
        "<dc:subject>{}</dc:subject>",
        "<itunes:keywords>{}</itunes:keywords>",
        "<dc:rights>{}</dc:rights>",
        "<dc:coverage>{}</dc:coverage>",
        "<dc:source>{}</dc:source>",
        "<source url='https://o.example/'>{}</source>",
    ],
}
places = st.sampled_from([one for place in PLACES.values() for one in place])
elements = st.lists(places, min_size=1, max_size=8, unique=True)


@settings(max_examples=100, phases=[Phase.explicit, Phase.generate])
@given(elements, st.sampled_from([rss, atom]), st.sampled_from(["", "&nbsp;"]))
def test_every_word_of_an_entry_is_stored(parts, form, broken):
    written = "".join(part.replace("{}", f"word{number}word") for number, part in enumerate(parts))
    entry = "entry" if form is atom else "item"
    namespaces = "" if form is rss else rss("").partition("<channel")[0].partition('2.0"')[2].rstrip(">")
    (read,) = parsed(form(f"<{entry} {namespaces}>{written}{broken}</{entry}>")).entries
    lost = [part for number, part in enumerate(parts) if f"word{number}word" not in _words(read)]
    assert lost == []
