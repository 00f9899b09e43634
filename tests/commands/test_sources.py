"""What people name on the command line, and what comes of it."""

import io
from pathlib import Path

import pytest

from feeds import opml
from feeds.management import sources
from feeds.management.sources import BadLine
from feeds.storage import Subscription

OPML = b"""<opml><outline text="News"><outline text="A" xmlUrl="http://a.example/"/>
<outline xmlUrl="nowhere"/></outline></opml>"""


def read(source: str, *, given: bytes = b"") -> list[sources.Item]:
    return list(sources.read(source, io.BytesIO(given)))


def good(items: list[sources.Item]) -> list[str]:
    return [item.url for item in items if isinstance(item, Subscription)]


def bad(items: list[sources.Item]) -> list[BadLine]:
    return [item for item in items if isinstance(item, BadLine)]


def file(folder: Path, content: bytes) -> str:
    path = folder / "feeds.txt"
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("http://A.example:80/feed", "http://a.example/feed"),
        ("HTTPS://a.example", "https://a.example/"),
        ("feed://a.example/feed", "http://a.example/feed"),
        ("feed:https://a.example/feed", "https://a.example/feed"),
    ],
)
def test_a_url_is_made_canonical(source: str, url: str) -> None:
    assert read(source) == [Subscription(url=url)]


def test_a_url_without_a_host_is_a_bad_line() -> None:
    (line,) = bad(read("http:///feed"))
    assert (line.source, line.line, line.text) == ("http:///feed", 0, "http:///feed")
    assert "no host" in line.why


def test_a_list_has_one_url_a_line_and_comments(tmp_path: Path) -> None:
    content = b"# mine\nhttp://a.example/#top\n\n  http://b.example/  # b\r\nhttp://c.example/\rhttp://d.example/"
    assert good(read(file(tmp_path, content))) == [
        "http://a.example/",
        "http://b.example/",
        "http://c.example/",
        "http://d.example/",
    ]


def test_a_bad_line_is_told_with_its_number_and_stops_nothing(tmp_path: Path) -> None:
    path = file(tmp_path, b"http://a.example/\n# comment\nno url\nftp://b.example/\nhttp://c.example/\n")
    items = read(path)
    assert good(items) == ["http://a.example/", "http://c.example/"]
    assert [(line.source, line.line, line.text) for line in bad(items)] == [
        (path, 3, "no url"),
        (path, 4, "ftp://b.example/"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_may_have_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    assert good(read(file(tmp_path, "http://a.example/é\n".encode(encoding)))) == ["http://a.example/%C3%A9"]


def test_an_opml_file_is_known_by_its_content(tmp_path: Path) -> None:
    path = file(tmp_path, b"\xef\xbb\xbf\n" + OPML)
    items = read(path)
    assert items[0] == Subscription(url="http://a.example/", folder="News", title="A")
    assert [(line.line, line.text) for line in bad(items)] == [(3, "nowhere")]


def test_a_title_that_is_the_url_tells_no_login(tmp_path: Path) -> None:
    (item,) = read(
        file(tmp_path, b'<opml><outline text="http://a:b@c.example/" xmlUrl="http://a:b@c.example/"/></opml>')
    )
    assert item == Subscription(url="http://a:b@c.example/", title="http://c.example/")


def test_a_bare_ampersand_in_opml_stops_nothing(tmp_path: Path) -> None:
    path = file(tmp_path, OPML.replace(b'"nowhere"', b'"http://b.example/?a&b"'))
    assert good(read(path)) == ["http://a.example/", "http://b.example/?a&b"]


def test_a_broken_outline_is_told_with_its_line_and_stops_nothing(tmp_path: Path) -> None:
    broken = b'\n<outline text="x xmlUrl="http://b.example/"/>\n<outline xmlUrl="http://c.example/"/></outline></opml>'
    items = read(file(tmp_path, OPML.removesuffix(b"</outline></opml>") + broken))
    assert good(items) == ["http://a.example/", "http://c.example/"]
    assert [(line.line, line.text) for line in bad(items)] == [(2, "nowhere"), (3, "")]


def test_opml_that_is_too_long_is_refused(tmp_path: Path) -> None:
    (line,) = bad(read(file(tmp_path, b"<opml>" + b" " * opml.MAX_BYTES)))
    assert line.why == "more than 32 MB"


def test_a_page_is_no_list(tmp_path: Path) -> None:
    (line,) = bad(read(file(tmp_path, b"<!DOCTYPE html><html></html>")))
    assert line.why == "line 1: the document is <html>, not <opml>"


@pytest.mark.parametrize("content", [b"http://a.example/\n", OPML])
def test_standard_input_may_be_a_list_or_opml(content: bytes) -> None:
    assert good(read("-", given=content)) == ["http://a.example/"]


def test_a_bad_line_on_standard_input_says_so() -> None:
    (line,) = bad(read("-", given=b"nothing\n"))
    assert (line.source, line.line) == ("standard input", 1)


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    assert read(file(tmp_path, b"")) == []


def test_every_kind_of_line_end_is_counted(tmp_path: Path) -> None:
    items = read(file(tmp_path, b"http://a.example/\r\n\r\nbad\rworse\nhttp://b.example/\r\n"))
    assert good(items) == ["http://a.example/", "http://b.example/"]
    assert [line.line for line in bad(items)] == [3, 4]


def test_a_list_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_BYTES", 10)
    assert good(read(file(tmp_path, b"http://a.example/"))) == []
    assert len(bad(read("-", given=b"http://a.example/"))) == 1


def test_of_a_line_without_end_the_beginning_is_told(tmp_path: Path) -> None:
    items = read(file(tmp_path, b"http://a.example/\n" + b"x" * 1_000_000 + b"\nhttp://b.example/\n"))
    assert good(items) == ["http://a.example/", "http://b.example/"]
    (line,) = bad(items)
    assert line.why == "the URL is longer than 8,000 characters"
    assert line.text == "x" * sources.SHOWN


def test_what_can_be_read_has_no_problem(tmp_path: Path) -> None:
    assert sources.problem("-") == ""
    assert sources.problem("http://a.example/") == ""
    assert sources.problem(file(tmp_path, b"")) == ""


def test_what_cannot_be_read_is_said_in_words(tmp_path: Path) -> None:
    assert sources.problem(str(tmp_path)) == "a folder"
    assert sources.problem("a.example/feed") == "neither a feed's URL nor a file"


def test_a_file_that_is_gone_is_one_bad_line(tmp_path: Path) -> None:
    assert bad(read(str(tmp_path / "gone"))) == [
        BadLine(source=str(tmp_path / "gone"), why="No such file or directory")
    ]
