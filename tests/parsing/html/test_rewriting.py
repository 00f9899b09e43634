"""HTML that was slow to parse, or would become much more than it is, costs what it is long."""

from html.parser import HTMLParser
from itertools import product

import pytest

from feeds.parsing.html.links import MAX_URL_GROWTH, Links
from feeds.parsing.html.plain_text import HTML_LIMIT
from feeds.parsing.html.rewriting import MAX_DEPTH, rewritten
from feeds.parsing.html.tokens import tokens
from feeds.parsing.sanitizer import clean_html
from tests.rigs.growth import EIGHTFOLD, LIMIT, growth_of
from tests.rigs.html_growth import PIECES

BASE = "https://example.com/"


class Depth(HTMLParser):
    """Counts how deep elements nest in what was cleaned."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.depth = self.most = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.depth += tag not in ("img", "br", "hr", "wbr", "col", "source", "track")
        self.most = max(self.most, self.depth)

    def handle_endtag(self, tag: str) -> None:
        self.depth -= 1


@pytest.mark.parametrize("name", PIECES)
def test_html_becomes_no_more_than_it_is(name: str) -> None:
    """What it costs is for `python -m tests.rigs.html_growth`."""
    value = "".join(map(PIECES[name], range(20_000)))[:60_000]
    cleaned = clean_html(value, BASE)
    assert len(cleaned.text) <= 9 * len(value)  # of links: with the rel that they get
    assert Depth(cleaned.text).most <= MAX_DEPTH
    assert len(clean_html(value[:4_000], BASE).text) < 50_000


def test_openers_that_open_nothing_are_text() -> None:
    """Each was a piece of its own, and 500,000 took 2 s."""
    cleaned = clean_html("<p>" + "< " * 1_000 + "<" * 1_000 + "<3<b>x", BASE)
    assert cleaned == ("<p>" + "&lt; " * 1_000 + "&lt;" * 1_001 + "3<b>x</b></p>", False)
    assert list(tokens("a<<<1 <b>")) == [("a<<<1 ", "", "", False), ("", "b", "", False)]


@pytest.mark.parametrize("name", ["lists in terms", "paragraphs in formatting", "text in tables", "references"])
def test_html_costs_no_more_than_it_is_long(name: str) -> None:
    numbered = "".join(map(PIECES[name], range(20_000)))
    few = lambda size: numbered[: size // 8]  # noqa: E731
    assert growth_of(lambda value: clean_html(value, BASE), few) < LIMIT * EIGHTFOLD


def test_formatting_that_nobody_ends_is_not_written_again_for_each_paragraph() -> None:
    """12 million elements, of which 2.9 GB were needed, came of 56 kB."""
    value = "".join(f"<i a={number}>" for number in range(990)) + "<p>x" * 12_000
    cleaned = clean_html(value, BASE)
    assert len(cleaned.text) < 2 * len(value)
    assert cleaned.text.count("x") == 12_000


def test_pairs_of_tags_become_no_more_than_they_are() -> None:
    """All of them: `python -m tests.rigs.html_growth`."""
    for one, other in product(("<b title=1>", "<table>", "<a>", "<p>", "<li>", "</b>", "<td>"), repeat=2):
        few, many = (len(clean_html((one + other) * count, BASE).text) for count in (300, 900))
        assert many <= 3.5 * few + 20 * MAX_DEPTH, (one, other)


@pytest.mark.parametrize("piece", ["<p>A word.</p>", "<p title='x' class='y'>A word.<br>"])
def test_an_article_of_hundreds_of_pages_is_kept_whole(piece: str) -> None:
    """A real one of 762,498 characters, most of them attributes, was cut."""
    cleaned = clean_html(piece * (1_500_000 // len(piece)), BASE)
    assert (cleaned.text.count("A word."), cleaned.capped) == (1_500_000 // len(piece), False)


def test_no_text_is_lost_at_the_limits() -> None:
    deep = "<div>" * 2_000 + "here" + "</div>" * 2_000 + "there"
    assert clean_html(deep, BASE) == ("<div>" * MAX_DEPTH + "here" + "</div>" * MAX_DEPTH + "there", True)
    cleaned = clean_html("<p>x</p>" * (HTML_LIMIT // 4), BASE)
    assert cleaned.capped
    assert cleaned.text.count("<p>x</p>") > HTML_LIMIT // 9


def test_urls_grow_by_so_much_and_no_more() -> None:
    base = "https://example.com/" + "b" * 7_000 + "/"
    cleaned = clean_html("<img src=a alt=t>" * 11_000, base)
    assert cleaned.capped
    assert len(cleaned.text) <= MAX_URL_GROWTH + len("<img src=a alt=t>") * 12_000
    assert cleaned.text.count('alt="t"') == 11_000
    assert not clean_html('<a href="https://example.com/x">x</a>' * 10_000, base).capped


@pytest.mark.parametrize(
    ("value", "html"),
    [
        ("<p>one<p>two<ul><li>a<li>b</ul>", "<p>one</p><p>two</p><ul><li>a</li><li>b</li></ul>"),
        ("<p><b>one<p>two</b>", "<p><b>one</b></p><p>two</p>"),
        ("<dl><dt>a<dd>b<dt>c</dl>", "<dl><dt>a</dt><dd>b</dd><dt>c</dt></dl>"),
        (
            "<table><tr><td>a<td>b<tr><td>c</table>d",
            "<table><tbody><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></tbody></table>d",
        ),
        ("<table><b>x</b></table>", "<table><tbody><tr><td><b>x</b></td></tr></tbody></table>"),
        ("<div><table><td></div>x</table>", "<div><table><tbody><tr><td>x</td></tr></tbody></table></div>"),
        ("<a href='/x'>a<a>b", '<a href="https://example.com/x">a</a><a>b</a>'),
        ("<br/>x</br>y</p>", "<br>x<br>y"),
        ("<u>a<o:p>b</o:p></U><custom-x>c</custom-x>", "<u>ab</u>c"),
        ("<select><option>a<option>b</select><textarea>c</textarea>", "abc"),
        ("<details open><summary>a</summary>b</details>c", '<details open=""><summary>a</summary>b</details>c'),
        ('<p title="a&quot;<&copy=1&copy;" title="b">x', '<p title="a&quot;&lt;&amp;copy=1©">x</p>'),
        ("<td>a</td>", "a"),
        ("a <b", "a "),
        ("a < b &lt; c", "a &lt; b &lt; c"),
    ],
)
def test_html_is_written_as_it_was_meant(value: str, html: str) -> None:
    assert rewritten(value, Links(BASE), HTML_LIMIT)[0] == html


@pytest.mark.parametrize(
    ("value", "html"),
    [
        ("<math display=block><mi>x</mi><mo>=</mo><mspace width=1em /><mn>1</mn></math>y", None),
        ("<svg><title>Chart</title><style>x</style><text>42 boats</text></svg>", "Chart 42 boats"),
        ("<svg viewBox='0 0 1 1'><path d='M0'/><g></g></svg>x", "x"),
        ("<math><semantics><mi>a</mi><annotation encoding='x'>a</annotation></semantics></math>", None),
        (
            "<math><annotation-xml><p>x</p></annotation-xml><mi href='/x' style=a>y</mi></math>",
            "<math><mi>y</mi></math>",
        ),
        ("<math><mi>x</mi><p>y</p>", "<math><mi>x</mi></math><p>y</p>"),
        ("<object>a</object><canvas>b</canvas><noscript>c</noscript><video>d</video>", None),
        ("a<template>b</template><title>c</title><script>d</script>", "a"),
    ],
)
def test_text_goes_with_no_element_but_scripts_and_the_like(value: str, html: str | None) -> None:
    """kagisearch/smallweb #10, FreshRSS/FreshRSS #2139."""
    expected = {
        "<math d": '<math display="block"><mi>x</mi><mo>=</mo><mspace width="1em"></mspace><mn>1</mn></math>y',
        "<math><": '<math><semantics><mi>a</mi><annotation encoding="x">a</annotation></semantics></math>',
        "<object": 'abc<video controls="">d</video>',
    }
    assert clean_html(value, BASE).text.strip() == (html or expected[value[:7]])


def test_fragments_lead_to_the_page_of_the_entry() -> None:
    link = '<a href="#fn:1">1</a><p id="fn:1">note</p>'
    page = "https://example.com/post#top"
    assert 'href="https://example.com/post#fn:1"' in clean_html(link, "https://cdn.example/feed.xml", page).text
    assert "href" not in clean_html(link, "https://cdn.example/feed.xml").text
    assert "href" not in clean_html('<a href="#">top</a><a href="">x</a><a href=" ">y</a>', BASE, page).text
    assert "src" not in clean_html('<img src="" alt="x"><img src=" " alt="y">', BASE, page).text


def test_void_elements_are_void_whoever_wrote_them() -> None:
    """fazalmajid/temboz #10."""
    for value in ("one<br></br>two", "one<BR />two", "one<br class=x></BR>two", "one</br>two"):
        assert clean_html(value, BASE).text == "one<br>two"
    assert clean_html("<img src=/a></img><hr></hr>", BASE).text == '<img src="https://example.com/a"><hr>'
