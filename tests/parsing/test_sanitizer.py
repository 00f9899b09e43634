import pytest

from feeds.parsing.html.frames import SANDBOX
from feeds.parsing.html.plain_text import HTML_LIMIT, TEXT_LIMIT, plain_text, text_as_html, text_of_html
from feeds.parsing.html.urls import safe_url
from feeds.parsing.sanitizer import clean_html

BASE = "https://example.com/blog/post"


def html(value: str) -> str:
    return clean_html(value, BASE).text


@pytest.mark.parametrize(
    "value",
    [
        "<script>alert(1)</script>",
        '<a href="javascript:alert(1)">x</a>',
        '<a href="java\tscript:alert(1)">x</a>',
        '<a href="&#1;javascript:alert(1)">x</a>',
        '<a href="vbscript:x">x</a>',
        '<a href="data:text/html,<script>alert(1)</script>">x</a>',
        '<img src=x onerror="alert(1)">',
        '<video poster="javascript:alert(1)"></video>',
        '<form action="javascript:alert(1)"><button formaction="javascript:alert(1)">x</button></form>',
        '<svg><a xlink:href="javascript:alert(1)"><animate values="javascript:alert(1)"/></a></svg>',
        '<math href="javascript:alert(1)">x</math>',
        '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
        '<IFRAME SRC="javascript:alert(1)"></IFRAME>',
        '<p style="background:url(javascript:alert(1))" class="x" id="y">x</p>',
        '<object data="javascript:alert(1)"></object><embed src="javascript:alert(1)">',
        '<link rel="stylesheet" href="https://evil.example/"><base href="//evil.example">',
        '<img srcset="javascript:alert(1) 1x">',
        "<!--[if IE]><script>alert(1)</script><![endif]-->",
    ],
)
def test_nothing_that_runs_survives(value: str) -> None:
    safe = html(value).lower()
    for bad in ("script", "alert", "evil", "onerror", "style=", "class=", "<svg", "<form", "srcdoc"):
        assert bad not in safe


def test_urls_become_absolute_by_the_base_of_the_value() -> None:
    assert html('<img src="a.png"><a href="/b">b</a><a href="//c.example/">c</a>') == (
        '<img src="https://example.com/blog/a.png"><a href="https://example.com/b" rel="noopener noreferrer">b</a>'
        '<a href="https://c.example/" rel="noopener noreferrer">c</a>'
    )
    assert 'poster="https://example.com/p.jpg"' in html('<video poster="/p.jpg" src="v.mp4"></video>')


def test_each_candidate_of_a_srcset_becomes_absolute() -> None:
    assert html('<img srcset="a.png 1x, /b,1.png 2x,javascript:x 3x">') == (
        '<img srcset="https://example.com/blog/a.png 1x, https://example.com/b,1.png 2x">'
    )


def test_without_a_base_relative_urls_are_dropped() -> None:
    for base in ("", "nonsense", "javascript:x", "https://<host>/", "https://a b/"):
        assert clean_html('<a href="x">x</a>', base).text == '<a rel="noopener noreferrer">x</a>'


def test_what_articles_need_survives() -> None:
    article = (
        '<figure><picture><source srcset="https://e.example/a.webp" type="image/webp"><img src="https://e.example/a.png"'
        ' alt="a"></picture><figcaption>f</figcaption></figure><table><thead><tr><th colspan="2">h</th></tr></thead>'
        "<tbody><tr><td>1</td></tr></tbody></table><pre><code>x &lt; y</code></pre>"
        '<audio src="https://e.example/a.mp3" controls=""></audio><ol start="3"><li>l</li></ol>'
        '<details><summary>s</summary>d</details><a href="mailto:a@example.com" rel="noopener noreferrer">m</a>'
    )
    assert html(article) == article


def test_frames_of_known_hosts_survive() -> None:
    frame = '<iframe src="https://www.youtube-nocookie.com/embed/x" width="560"></iframe>'
    assert html(frame) == frame.replace("></", f' sandbox="{SANDBOX}"></')


def test_a_long_value_is_cut_and_marked() -> None:
    assert clean_html("x" * (HTML_LIMIT + 1), BASE).capped
    assert clean_html("<p>" + "x" * HTML_LIMIT, BASE).capped
    assert text_as_html("x" * (HTML_LIMIT + 1)).capped
    assert plain_text("x" * (TEXT_LIMIT + 1)) == ("x" * TEXT_LIMIT, True)
    assert not clean_html("<p>x</p>", BASE).capped


@pytest.mark.slow
@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "value",
    ["<div>" * 100_000, "<b><p>" * 50_000, "<a " + " ".join(f"a{n}" for n in range(50_000)), "&" * 300_000],
)
def test_values_built_to_be_slow_are_not(value: str) -> None:
    assert clean_html(value, BASE).capped or len(value) <= HTML_LIMIT


def test_values_of_many_elements_that_do_not_nest_are_kept() -> None:
    value = "<p>x<br>" * 5_000
    assert not clean_html(value, BASE).capped
    assert clean_html(value, BASE).text.count("<p>") == 5_000


def test_text_of_html_is_text() -> None:
    assert text_of_html("<b>Tom</b> &amp;\n <i>Jerry</i><script>x</script>").text == "Tom & Jerry"
    assert text_of_html("A &amp;amp; B").text == "A &amp; B"
    assert text_of_html("R&D").text == "R&D"


def test_controls_and_surrogates_are_removed() -> None:
    assert plain_text("a\x00b\x1bc\ud800d\ufffe").text == "abcd"
    assert html("a&#1;b&#0;") == "ab\ufffd"
    assert safe_url("https://exa\x00mple.com/\ud800") == "https://example.com/"


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("a", "https://example.com/blog/a"),
        (" https://e.example/a b ", "https://e.example/a%20b"),
        ("https://e.example/a?b#c", "https://e.example/a?b#c"),
        ("HTTPS://e.example/", "https://e.example/"),
        ("//e.example/", "https://e.example/"),
        ("java\nscript:alert(1)", ""),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("file:///etc/passwd", ""),
        ("mailto:a@example.com", ""),
        (r"/\evil.example/x", "https://evil.example/x"),
        (r"https://evil.example\@example.com/", "https://evil.example/@example.com/"),
        ('https://e.example/a"<b>`\\', "https://e.example/a%22%3Cb%3E%60/"),
        ("https://E.example/%E4?ä=1", "https://E.example/%E4?ä=1"),
        ("https://xn--a.example:443/", "https://xn--a.example/"),
        ("https://e.example/" + "a" * 8_000, ""),
        (f"https://{'字' * 254}/", ""),
        (f"https://{'a' * 64}.example/", ""),
        ("http://", ""),
        ("http://[::1", ""),
        ("", ""),
    ],
)
def test_links_are_absolute_http_or_nothing(value: str, url: str) -> None:
    assert safe_url(value, BASE) == url


def test_mail_addresses_are_links_where_they_are_wanted() -> None:
    assert safe_url("mailto:a@example.com", BASE, mail=True) == "mailto:a@example.com"


def test_a_host_name_longer_than_any_makes_no_url() -> None:
    """Labels of the right length were enough, nine of them."""
    for last, is_kept in (("com", True), ("info", False)):
        url = f"https://{'a' * 49}.{'b' * 49}.{'c' * 49}.{'d' * 49}.{'e' * 49}.{last}/feed"
        assert bool(safe_url(url)) == is_kept
        assert ("href" in clean_html(f'<a href="{url}">x</a>', BASE).text) == is_kept


def test_a_host_that_is_none_makes_no_url() -> None:
    assert safe_url("http://ex℀mple.com/?a=1") == ""


def test_text_without_markup_keeps_no_nul_either() -> None:
    assert clean_html("he\0llo", "").text == "hello"
