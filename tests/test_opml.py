"""OPML as exporters write it, and as nobody should."""

import pytest

from feeds import opml
from feeds.exceptions import OPMLError
from feeds.opml import BadOutline, Outline
from tests.rigs.growth import assert_linear


def everything(document: str | bytes) -> list[Outline | BadOutline]:
    return list(opml.outlines(document if isinstance(document, bytes) else document.encode()))


def read(document: str | bytes) -> list[Outline]:
    """Read a document that has nothing bad in it."""
    found = everything(document)
    assert not [each for each in found if isinstance(each, BadOutline)]
    return [each for each in found if isinstance(each, Outline)]


def read_broken(outlines: str) -> tuple[list[str], list[int]]:
    """Return the URLs that are found, and the lines that are not."""
    found = everything(around(outlines))
    return (
        [each.url for each in found if isinstance(each, Outline)],
        [each.line for each in found if isinstance(each, BadOutline)],
    )


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


@pytest.mark.parametrize("declared", ["idna", "punycode", "unicode_escape", "utf-7"])
def test_an_encoding_that_is_none_of_documents_is_not_believed(declared: str) -> None:
    document = f'<?xml version="1.0" encoding="{declared}"?>' + around('<outline text="é" xmlUrl="http://a.example/"/>')
    assert [each.title for each in read(document)] == ["é"]


def test_a_broken_byte_costs_a_letter_and_not_the_list() -> None:
    document = (
        around('<outline text="Café à la Ñ" xmlUrl="http://a.example/"/>').encode().replace("Ñ".encode(), b"\xff")
    )
    assert [each.title for each in read(document)] == ["Café à la \N{REPLACEMENT CHARACTER}"]


def test_blank_lines_before_the_declaration_are_forgiven() -> None:
    found = read('\n\n<?xml version="1.0"?>\n' + around('<outline xmlUrl="http://a.example/"/>'))
    assert [(each.url, each.line) for each in found] == [("http://a.example/", 4)]


def test_control_characters_are_left_out() -> None:
    assert feed('<outline text="A\x08\x00B" xmlUrl="http://a.example/"/>').title == "AB"


A, B = '<outline text="A" xmlUrl="http://a.example/"/>', '<outline text="B" xmlUrl="http://b.example/"/>'


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("Tom & Jerry", "Tom & Jerry"),
        ("Caf&eacute; &amp; Bar&nbsp;&copy;", "Café & Bar ©"),
        (
            "AT&T; &unknown; &#8212; &#x2014; &#0; &#99999999;",
            "AT&T; &unknown; — — \N{REPLACEMENT CHARACTER} &#99999999;",
        ),
        ("1 < 2 > 0", "1 < 2 > 0"),
        ("<b>bold</b>", "<b>bold</b>"),
        ("&lt;b&gt;", "<b>"),
    ],
)
def test_a_bare_ampersand_an_entity_of_html_and_a_stray_bracket_are_text(written: str, title: str) -> None:
    first, second = read(around(f'<outline text="{written}" xmlUrl="http://x.example/"/>{B}'))
    assert (first.title, second.url) == (title, "http://b.example/")


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("http://x.example/?a=1&b=2", "http://x.example/?a=1&b=2"),
        ("http://x.example/?a=1&copy=2&lt=3", "http://x.example/?a=1&copy=2&lt=3"),
        ("http://x.example/?a=1&amp;copy=2", "http://x.example/?a=1&copy=2"),
    ],
)
def test_an_ampersand_in_a_url_is_an_ampersand(written: str, url: str) -> None:
    assert [each.url for each in read(around(f'<outline xmlUrl="{written}"/>'))] == [url]


@pytest.mark.parametrize(
    "outline",
    [
        "<outline text=A xmlUrl=http://a.example/x/>",
        "<outline xmlUrl=http://a.example/x text=A />",
        "<outline text='A' xmlUrl='http://a.example/x' isComment/>",
        '<outline text="A"xmlUrl="http://a.example/x"/>',
        '<outline text="A" text="B" xmlUrl="http://a.example/x" xmlUrl="http://other.example/"/>',
        '<outline text="The "best" of all" xmlUrl="http://a.example/x"/>',
        '<outline text="A" xmlUrl="http://a.example/x"',
        '<outline & < xmlUrl = "http://a.example/x" />',
        '<outline text="A xmlUrl=http://a.example/x>',
        '<OUTLINE TEXT="A" XMLURL="http://a.example/x"></OUTLINE>',
    ],
)
def test_attributes_are_read_as_browsers_read_them(outline: str) -> None:
    assert read_broken(f"{outline}\n{B}") == (["http://a.example/x", "http://b.example/"], [])


@pytest.mark.parametrize(
    "outline",
    [
        '<outline text="Foo xmlUrl="http://x.example/"/>',
        "<outline text='It's' title='x xmlUrl='http://x.example/'/>",
        '<outline xmlUrl"http://x.example/"/>',
    ],
)
def test_an_outline_that_stays_broken_is_told_with_its_line_and_what_follows_is_read(outline: str) -> None:
    assert read_broken(f"{A}\n\n{outline}\n{B}") == (["http://a.example/", "http://b.example/"], [3])


def test_a_broken_feed_is_no_folder_of_what_follows() -> None:
    found = read(around('<outline text="F"><outline text="A" xmlUrl="http://a.example/">' + B + "</outline>" + B))
    assert [each.folder for each in found] == ["F", "F", "F"]


def test_what_is_in_a_comment_is_not_there() -> None:
    assert [each.url for each in read(around(f"<!-- {A} -->{B}<!-- <outline text='x'> -->{B}"))] == [
        "http://b.example/"
    ] * 2
    assert [each.url for each in read(around(f"<!-- {A}"))] == ["http://a.example/"]


def test_end_tags_too_many_do_no_harm() -> None:
    assert [each.folder for each in read(around(f"</outline></outline><outline text='F'>{A}"))] == ["F"]


def test_a_document_that_ends_in_the_middle_says_so() -> None:
    found = everything(f"<opml>\n<body>{A}\n{B[:-20]}")
    assert [each.line for each in found] == [2, 3]
    assert found[-1] == BadOutline(line=3, why="the document ends before </opml>")
    assert everything("<opml>")[0] == BadOutline(line=1, why="the document ends before </opml>")


@pytest.mark.parametrize(
    "end", ['"http://second.example/fe', '"http://second.example/feed"', "http://second.example/fe"]
)
def test_an_outline_that_the_end_cuts_off_gives_no_half_url(end: str) -> None:
    found = everything(f'<opml><body><outline xmlUrl="http://first.example/"/>\n<outline xmlUrl={end}')
    assert [each.url for each in found if isinstance(each, Outline)] == ["http://first.example/"]
    assert found[-1] == BadOutline(line=2, why="the document ends before </opml>")


def test_titles_and_folders_have_a_length() -> None:
    long, deep = "x" * 5_000, '<outline text="y">'
    assert len(feed(f'<outline text="{long}" xmlUrl="http://a.example/"/>').title) == opml.MAX_NAME
    assert feed(f'<outline text="F"><outline text="{long}">{A}').folder == "F"
    assert feed(deep * 10_000 + A).folder == "/".join("y" * opml.MAX_DEPTH)
    assert len(feed('<outline text="yyyyyyyyyy">' * 10_000 + A).folder) <= opml.MAX_NAME


def test_what_php_prints_in_front_of_a_document_is_passed_over() -> None:
    printed = "<br />\n<b>Warning</b>:  Undefined array key in <b>/srv/export.php</b> on line <b>3</b><br />\n"
    (found,) = opml.outlines(f"{printed}<opml><body>{A}</body></opml>".encode())
    assert isinstance(found, Outline)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("", "there is no element in it"),
        ("http://a.example/", "there is no element in it"),
        ("\n<html><body/></html>", "line 2: the document is <html>, not <opml>"),
        ("<!-- <opml> --><rss/>", "line 1: the document is <rss>, not <opml>"),
    ],
)
def test_what_is_no_opml_is_refused_in_words(document: str, why: str) -> None:
    with pytest.raises(OPMLError, match=why):
        everything(document)


def test_a_document_has_a_largest_size() -> None:
    with pytest.raises(OPMLError, match="more than 32 MB"):
        everything(b"<opml>" + b" " * opml.MAX_BYTES)


def test_ten_thousand_outlines_are_read() -> None:
    outlines = "".join(
        f'<outline text="Feed {number}" xmlUrl="http://f.example/{number}"/>\n' for number in range(10_000)
    )
    found = read(around(outlines))
    assert (len(found), found[-1].line) == (10_000, 10_000)


def test_a_document_costs_no_more_than_it_is_long() -> None:
    pieces = [
        *(A.encode(), b"<outline>", b"<outline ", b"</outline>", b"<outline text='a'>", b'<outline "', b"<outline a='"),
        *(
            b"<!--",
            b"<!-- -->",
            b"<",
            b"\n",
            b"&amp;",
            b'<outline a="&',
            b"<outline xmlurl ",
            b"<outline/",
            b"<outline\n",
        ),
    ]
    assert_linear(lambda body: list(opml.outlines(body)), pieces, before=b"<opml>")
    assert_linear(
        lambda body: list(opml.outlines(body)), [b"<!--", b"<!-- -->\n", b"<!", b"<?x "], after=b"<opml></opml>"
    )
    assert_linear(
        lambda body: list(opml.outlines(body)), [b"a", b" ", b"a=", b'"', b"&", b"/"], before=b"<opml><outline "
    )


FEEDS = [
    Outline(url="http://a.example/feed?x=1&y=2", title='Tom & "Jerry" <3', site_url="http://a.example/"),
    Outline(url="http://b.example/", folder="News", title="B"),
    Outline(url="http://c.example/", folder="News/World", title="日本"),
    Outline(url="http://d.example/", folder="News/World/Asia", title="D"),
    Outline(url="http://e.example/", folder="Sport", title="E"),
]


def without_lines(outlines: list[Outline]) -> list[tuple[str, str, str, str]]:
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


def test_an_entity_that_a_document_declares_stays_as_it_stands() -> None:
    bomb = '<!DOCTYPE opml [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY gt "&b;">]>'
    found = read(bomb + around('<outline text="&b; &gt;" xmlUrl="http://a.example/"/>'))
    assert [(each.url, each.title) for each in found] == [("http://a.example/", "&b; >")]


def test_characters_that_xml_forbids_are_not_written() -> None:
    assert [
        each.title
        for each in read("".join(opml.document([Outline(url="http://a.example/", title="A\x01B")], title="")))
    ] == ["AB"]
