"""Pictures stay, whatever scripts and commas were to do with them."""

import pytest

from feeds.parsing.html.pictures import MAX_CANDIDATES, MAX_DATA, candidates, data_picture
from feeds.parsing.sanitizer import clean_html
from tests.rigs.growth import assert_linear

BASE = "https://example.com/blog/post"


def html(value: str) -> str:
    return clean_html(value, BASE).text


@pytest.mark.parametrize(
    ("srcset", "expected"),
    [
        ("a.png 1x, b.png 2x", [("a.png", "1x"), ("b.png", "2x")]),
        ("a.png 1x,b.png 2x", [("a.png", "1x"), ("b.png", "2x")]),
        ("a.png, b.png 2x", [("a.png", ""), ("b.png", "2x")]),
        ("a.png,b.png 2x", [("a.png,b.png", "2x")]),
        ("\n  /w_424,c_limit,q_auto:good/a.png   424w,\n  /w_848,c_limit/a.png 848w", [
            ("/w_424,c_limit,q_auto:good/a.png", "424w"),
            ("/w_848,c_limit/a.png", "848w"),
        ]),
        ("a.png?crop=0,0,50,50 1x, a.png?crop=0,0,9,9 2x", [
            ("a.png?crop=0,0,50,50", "1x"),
            ("a.png?crop=0,0,9,9", "2x"),
        ]),
        (",, a.png,, ,b.png 2x,,", [("a.png", ""), ("b.png", "2x")]),
        ("a.png (x, y) 1x, b.png", [("a.png", "(x, y) 1x"), ("b.png", "")]),
        ("a.png (x, y", [("a.png", "(x, y")]),
        ("data:image/gif;base64,AAAA 1x, b.png 2x", [("data:image/gif;base64,AAAA", "1x"), ("b.png", "2x")]),
        ("", []),
        (" , ,", []),
    ],
)  # fmt: skip
def test_a_srcset_is_split_as_browsers_do(srcset: str, expected: list[tuple[str, str]]) -> None:
    """miniflux/v2 #1442, RomanSixty/Feed-on-Feeds #54, sindresorhus/srcset #5."""
    assert list(candidates(srcset)) == expected


def test_only_candidates_that_are_safe_and_valid_stay() -> None:
    assert html('<img srcset="a.png 1x, javascript:x 2x, b.png 2y, data:image/gif;base64,AA 3x, c.png 50w">') == (
        '<img srcset="https://example.com/blog/a.png 1x, https://example.com/blog/c.png 50w">'
    )
    assert html('<img srcset="/a.png 100w 50h,/b.png 200w 100h">') == (  # as HTML may once have it
        '<img srcset="https://example.com/a.png 100w 50h, https://example.com/b.png 200w 100h">'
    )
    assert html('<img srcset="' + "a 1x," * 1_000 + '">').count("1x") == MAX_CANDIDATES


@pytest.mark.parametrize(
    "written",
    [
        '<img data-src="/1.jpg" src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
        '<img class="lazy" src="/blank.gif" data-src="/1.jpg">',
        '<img src="" data-lazy-src="/1.jpg">',
        '<img data-original="1.jpg" data-src="pending">'.replace("1.jpg", "/1.jpg"),
        '<img DATA-X="" data-src=\'/1.jpg\' src="about:blank">',
        '<noscript><img src="/1.jpg"></noscript>',
        '<img src="data:image/svg+xml,%3Csvg%3E"><noscript><img src="/1.jpg"></noscript>',
        '<img data-src="/1.jpg" src="data:image/gif;base64,AA=="><noscript><img src="/1.jpg"></noscript>',
        '<noscript><img src="/1.jpg"></noscript> <img src="data:image/gif;base64,AA==">',
        '<noscript><img src="/1.jpg"></noscript><img data-src="/1.jpg">',
    ],
)
def test_the_picture_stays_that_a_script_would_load_and_nothing_stays_beside_it(written: str) -> None:
    """miniflux/v2 #1230, FreshRSS/FreshRSS #3823, feediron/ttrss_plugin-feediron #43."""
    assert html(written).replace("</img>", "").strip() == '<img src="https://example.com/1.jpg">'


def test_sets_that_a_script_would_load_stay() -> None:
    assert html('<img src="data:image/gif;base64,AA==" data-srcset="/1.jpg 1x, /2.jpg 2x">') == (
        '<img src="https://example.com/1.jpg" srcset="https://example.com/1.jpg 1x, https://example.com/2.jpg 2x">'
    )
    assert 'srcset="https://example.com/1.webp"' in html('<picture><source data-srcset="/1.webp"><img src="/1.jpg">')


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('a<img src="data:image/svg+xml;base64,AAAA">b', "ab"),
        ("a<img src><img src=' '>b", "ab"),
        ('<img alt="A boat" src="">', '<img alt="A boat">'),
        ('<img src="" data-src="/a boat.jpg">', '<img src="https://example.com/a%20boat.jpg">'),
        ('<img data-src="{{ url }}" src="/real.png">', '<img src="https://example.com/real.png">'),
    ],
)
def test_a_picture_that_shows_nothing_and_says_nothing_goes(value: str, expected: str) -> None:
    assert html(value) == expected


def test_two_different_pictures_stay_both() -> None:
    value = '<img src="/1.jpg"><noscript><img src="/2.jpg"></noscript><img src="/1.jpg"><img src="/1.jpg">'
    assert html(value).count("<img") == 4


def test_small_pictures_in_data_urls_stay() -> None:
    for kind in ("png", "gif", "jpeg", "webp", "avif"):
        url = f"data:image/{kind};base64,{'A' * 4}"
        assert html(f'<img src="{url}" alt="x">') == f'<img src="{url}" alt="x">'
    most = "A" * (MAX_DATA // 3 * 4)
    assert data_picture(f"data:image/png;base64,{most}")
    for url in (
        f"data:image/png;base64,{most}AAAA",
        "data:image/svg+xml;base64,AAAA",
        "data:image/svg+xml,<svg onload=alert(1)>",
        "data:text/html;base64,AAAA",
        "data:image/png,x",
        "data:image/png;base64,AA&quot;onerror=x",
    ):
        assert html(f'<img src="{url}" alt="x">') == '<img alt="x">'
    assert "data:" not in html('<a href="data:image/png;base64,AAAA">x</a><video src="data:image/png;base64,AAAA">')


def test_pictures_cost_no_more_than_their_text_is_long() -> None:
    pieces = ["a 1x,", ",", "(", "(a,", " ", "a ", "a,"]
    assert_linear(lambda srcset: list(candidates(srcset)), pieces)
    assert_linear(
        html, ["<img data-src=", "<img data-src=a.b>", "<noscript><img src=/a>", "data-src=", "<svg>", "<svg "]
    )
