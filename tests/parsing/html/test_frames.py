"""Frames of players stay, in a sandbox; of others a link stays."""

import pytest

from feeds.parsing.html.frames import SANDBOX, frame_url
from feeds.parsing.sanitizer import clean_html


def html(value: str, base: str = "https://example.com/post") -> str:
    return clean_html(value, base).text


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/embed/x",
        "https://youtube.com/embed/x",
        "https://youtube-nocookie.com/embed/x",
        "https://www.youtube-nocookie.com/embed/x?a=1",
        "https://player.vimeo.com/video/1",
        "https://archive.org/embed/x",
    ],
)
def test_players_stay_in_a_sandbox(url: str) -> None:
    assert html(f'<iframe src="{url}"><p>x</p></iframe>') == f'<iframe src="{url}" sandbox="{SANDBOX}"></iframe>'
    assert html(f"<p><IFRAME SRC='{url}' SANDBOX='' srcdoc='<b>'>x</IFRAME></p>").startswith(f'<p><iframe src="{url}" ')


def test_a_player_inherits_no_scheme() -> None:
    for base in ("http://example.com/", "https://example.com/"):
        assert 'src="https://www.youtube.com/embed/x"' in html('<iframe src="//www.youtube.com/embed/x">', base)


@pytest.mark.parametrize(
    "url",
    [
        "http://www.youtube.com/embed/x",
        r"https://evil.example\@www.youtube.com/",
        r"https:\\www.youtube.com\embed",
        r"/\evil.example/x",
        "https://evil@www.youtube.com/",
        "https://www.youtube.com:8443/",
        "https://www.youtube.com./",
        "https://www.youtube.com.evil.example/",
        "https://m.youtube.com/embed/x",
        "https://archive.org/download/uploaded/page.html",
        "https://archive.org/embed/%2E%2e/download/uploaded/page.html",
        "https://archive.org//embed/x",
        "https://evil.example/www.youtube.com",
        "/embed/x",
        "javascript:alert(1)",
        "data:text/html,x",
        "about:blank",
        "",
    ],
)
def test_no_other_frame_stays(url: str) -> None:
    assert frame_url(url, "https://www.youtube.com.evil.example/") == ""
    assert "<iframe" not in html(f'<iframe src="{url}"></iframe>')
    assert "<iframe" not in html(f'<noscript><iframe src="{url}"><p></iframe></noscript>')


def test_a_base_of_the_feeds_choosing_makes_no_player() -> None:
    assert 'src="https://www.youtube.com/x"' in html('<iframe src="/x"></iframe>', "https://www.youtube.com/")
    for base in ("https://a@www.youtube.com/", "http://www.youtube.com/", "https://www.youtube.com:81/"):
        assert "<iframe" not in html('<iframe src="/x"></iframe>', base)


def test_a_frame_that_may_not_stay_leaves_a_link() -> None:
    """slurdge/goeland #43, passiomatic/coldsweat #75."""
    assert html('<p>a</p><iframe src="https://video.example/x?a=1&amp;b" title="Boats &amp; more"></iframe>b') == (
        '<p>a</p><a href="https://video.example/x?a=1&amp;b" rel="noopener noreferrer">Boats &amp; more</a>b'
    )
    assert html("<iframe data-src=/player src=about:blank></iframe>") == (
        '<a href="https://example.com/player" rel="noopener noreferrer">https://example.com/player</a>'
    )


@pytest.mark.parametrize("url", ["x:y", "https://www.youtube.com:8443/", "//", ""])
def test_of_a_frame_in_a_frame_nothing_stays(url: str) -> None:
    """The inner one was taken out, and the outer one, without its URL, stayed as an empty box."""
    assert "<iframe" not in html(f'<iframe src="{url}"><iframe src="{url}"></iframe></iframe>')


def test_what_a_script_would_load_into_a_frame_stays() -> None:
    assert 'src="https://www.youtube.com/embed/x"' in html(
        '<iframe data-src="https://www.youtube.com/embed/x"></iframe>'
    )


def test_films_and_sounds_have_controls() -> None:
    assert html('<video src="/v" autoplay></video><audio src="/a"></audio>') == (
        '<video src="https://example.com/v" controls=""></video><audio src="https://example.com/a" controls=""></audio>'
    )
