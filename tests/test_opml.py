"""OPML as exporters write it, and as nobody should."""

import tracemalloc
from collections.abc import Iterable, Iterator

import pytest

from feeds import opml
from feeds.exceptions import OPMLError
from feeds.opml import Outline


def read(document: str | bytes, *, chunk: int = 7) -> list[Outline]:
    """Read a document in small pieces, as a slow pipe brings it."""
    body = document if isinstance(document, bytes) else document.encode()
    return list(opml.outlines(body[at : at + chunk] if at else body[:200] for at in _starts(len(body), chunk)))


def _starts(length: int, chunk: int) -> Iterable[int]:
    return [0, *range(200, length, chunk)]


def around(outlines: str) -> str:
    return f'<opml version="2.0"><head><title>Mine</title></head><body>{outlines}</body></opml>'


def feed(outlines: str) -> Outline:
    (found,) = read(around(outlines))
    return found


def test_nested_folders_are_joined_by_slashes() -> None:
    found = read(
        around(
            '<outline text="News"><outline text="World"><outline text="A" xmlUrl="http://a.example/"/></outline>'
            '<outline text="B" xmlUrl="http://b.example/"/></outline><outline text="C" xmlUrl="http://c.example/"/>'
        )
    )
    assert [(each.url, each.folder) for each in found] == [
        ("http://a.example/", "News/World"),
        ("http://b.example/", "News"),
        ("http://c.example/", ""),
    ]


@pytest.mark.parametrize("name", ["xmlUrl", "xmlurl", "XMLURL", "xmlURL"])
def test_the_case_of_xml_url_does_not_matter(name: str) -> None:
    assert feed(f'<outline text="A" {name}="http://a.example/"/>').url == "http://a.example/"


def test_the_type_may_be_missing_or_anything() -> None:
    found = read(around('<outline xmlUrl="http://a.example/"/><outline type="atom" xmlUrl="http://b.example/"/>'))
    assert [each.url for each in found] == ["http://a.example/", "http://b.example/"]


def test_the_text_is_the_title_and_the_attribute_title_stands_in() -> None:
    assert feed('<outline text="Seen" title="Said" xmlUrl="http://a.example/"/>').title == "Seen"
    assert feed('<outline title="Said" xmlUrl="http://a.example/"/>').title == "Said"
    assert feed('<outline title="Folder"><outline xmlUrl="http://a.example/"/></outline>').folder == "Folder"


def test_a_folder_without_a_name_is_no_level() -> None:
    assert feed('<outline text="A"><outline><outline xmlUrl="http://a.example/"/></outline></outline>').folder == "A"


def test_links_and_notes_are_no_feeds() -> None:
    assert read(around('<outline text="note"/><outline type="link" url="http://a.example/"/>')) == []


def test_an_outline_knows_its_line() -> None:
    assert feed('\n\n<outline text="A"\n xmlUrl="http://a.example/"/>').line == 3


def test_the_same_feed_twice_is_told_twice() -> None:
    assert len(read(around('<outline xmlUrl="http://a.example/"/>' * 2))) == 2


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "windows-1252", "utf-16"])
def test_declared_encodings_are_read(encoding: str) -> None:
    document = f'<?xml version="1.0" encoding="{encoding}"?>' + around(
        '<outline text="Café" xmlUrl="http://a.example/"/>'
    )
    assert [each.title for each in read(document.encode(encoding))] == ["Café"]


@pytest.mark.parametrize("encoding", ["shift_jis", "euc-jp", "gb18030"])
def test_encodings_that_expat_does_not_know_are_read(encoding: str) -> None:
    document = f"<?xml version='1.0' encoding='{encoding}'?>" + around(
        '<outline text="日本" xmlUrl="http://a.example/"/>'
    )
    assert [each.title for each in read(document.encode(encoding))] == ["日本"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be"])
def test_marks_and_shapes_tell_the_encoding(encoding: str) -> None:
    assert [each.title for each in read(around('<outline text="é" xmlUrl="http://a.example/"/>').encode(encoding))] == [
        "é"
    ]


@pytest.mark.parametrize("declared", ["utf-16", "no-such-encoding", "rot13", "base64"])
def test_a_declaration_that_cannot_be_true_is_not_believed(declared: str) -> None:
    document = f'<?xml version="1.0" encoding="{declared}"?>' + around('<outline text="é" xmlUrl="http://a.example/"/>')
    assert [each.title for each in read(document)] == ["é"]


def test_bytes_that_do_not_fit_cost_a_letter_and_not_the_list() -> None:
    document = around('<outline text="Caf\xe9" xmlUrl="http://a.example/"/>').encode("latin-1")
    assert [each.title for each in read(document)] == ["Caf�"]


def test_blank_lines_before_the_declaration_are_forgiven() -> None:
    found = read('\n\n<?xml version="1.0"?>\n' + around('<outline xmlUrl="http://a.example/"/>'))
    assert [(each.url, each.line) for each in found] == [("http://a.example/", 4)]


def test_control_characters_are_left_out() -> None:
    assert feed('<outline text="A\x08\x00B" xmlUrl="http://a.example/"/>').title == "AB"


@pytest.mark.parametrize("chunk", [1, 7, 10_000])
def test_malformed_xml_names_its_line_and_what_came_before_is_kept(chunk: int) -> None:
    document = b'<opml><outline xmlUrl="http://a.example/"/>\n\n<outline & />'
    reading = opml.outlines(document[at : at + chunk] for at in range(0, len(document), chunk))
    assert next(reading).url == "http://a.example/"
    with pytest.raises(OPMLError, match="line 3: not well-formed"):
        next(reading)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("", "line 1: no element found"),
        ("<html><body/></html>", "line 1: the document is <html>, not <opml>"),
        ('<!DOCTYPE opml [<!ENTITY a "a">]><opml>&a;</opml>', "line 1: entity declarations are refused"),
        ("<opml>" + "<outline>" * 101, "line 1: outlines nested more than 100 deep"),
        ("<opml><body>", "line 1: no element found"),
    ],
)
def test_what_is_no_opml_is_refused_in_words(document: str, why: str) -> None:
    with pytest.raises(OPMLError, match=why):
        read(document)


def test_an_endless_document_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opml, "MAX_BYTES", 1000)
    with pytest.raises(OPMLError, match="more than 1,000 bytes"):
        list(opml.outlines(b"<opml>" if not number else b" " * 100 for number in range(1_000_000)))


def many_outlines(count: int) -> Iterator[bytes]:
    yield b"<opml><body>"
    for number in range(0, count, 1000):
        yield b"".join(
            b'<outline text="Feed %d" xmlUrl="http://feeds.example/%d"/>' % (number + at, number + at)
            for at in range(1000)
        )
    yield b"</body></opml>"


def test_a_hundred_thousand_outlines_are_read_in_flat_memory() -> None:
    tracemalloc.start()
    try:
        assert sum(1 for _ in opml.outlines(many_outlines(100_000))) == 100_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000  # bytes; the document has 6.5 million


FEEDS = [
    Outline(url="http://a.example/feed?x=1&y=2", title='Tom & "Jerry" <3', site_url="http://a.example/"),
    Outline(url="http://b.example/", folder="News", title="B"),
    Outline(url="http://c.example/", folder="News/World", title="日本"),
    Outline(url="http://d.example/", folder="News/World/Asia", title="D"),
    Outline(url="http://e.example/", folder="Sport", title="E"),
]


def without_lines(outlines: Iterable[Outline]) -> list[tuple[str, str, str, str]]:
    return [(each.url, each.folder, each.title, each.site_url) for each in outlines]


def test_what_is_written_is_read_back() -> None:
    written = "".join(opml.document(FEEDS, title="Mine & yours"))
    assert without_lines(read(written)) == without_lines(FEEDS)
    assert written.count('<outline text="News">') == 1
    assert "".join(opml.document(read(written), title="Mine & yours")) == written


def test_no_feeds_make_a_document_too() -> None:
    assert read("".join(opml.document([], title="Nothing"))) == []


def test_credentials_are_never_written() -> None:
    feeds = [Outline(url="https://user:secret@a.example/feed", title="A", site_url="https://user:secret@a.example/")]
    written = "".join(opml.document(feeds, title="Mine"))
    assert "secret" not in written
    assert "user" not in written
    assert [each.url for each in read(written)] == ["https://a.example/feed"]


def test_characters_that_xml_forbids_are_not_written() -> None:
    assert [
        each.title
        for each in read("".join(opml.document([Outline(url="http://a.example/", title="A\x01B")], title="")))
    ] == ["AB"]
