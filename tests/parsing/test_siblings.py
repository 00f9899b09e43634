import pytest

from feeds.parsing.siblings import name

DATED = "<item><title>{}</title><pubDate>{}</pubDate></item>"
DATE = "1 Jan 2026 10:00:00 GMT"


def other_name(item: str) -> str:
    return name(item.encode(), [])


def test_a_guid_is_the_name_unless_there_are_several_or_feedparser_repairs_it() -> None:
    assert name(b"", ["a"]) == name(b"<item/>", ["a"]) != name(b"", ["b"])
    assert name(b"", ["é"]) != ""
    assert name(b"", ["a", "b"]) == name(b"", ["a", ""]) == name(b"", ["Ã©"]) == ""


def test_items_without_a_guid_are_told_apart_by_a_plain_link() -> None:
    linked = "<item><title>t</title><link>https://example.com/{}</link>{}</item>"
    assert other_name(linked.format(1, "")) == other_name(linked.format(1, "<guid></guid>")) != ""
    assert other_name(linked.format(1, "<x><![CDATA[<link> <!-- ]]></x>")) == other_name(linked.format(1, ""))
    assert other_name(linked.format(1, "")) != other_name(linked.format(2, ""))


def test_else_by_title_and_moment() -> None:
    assert len({other_name(DATED.format(title, DATE)) for title in ("a", "b", "Zoë", "Rock &amp; Roll", "")}) == 5
    assert other_name(DATED.format("a", DATE)) != other_name(DATED.format("a", DATE.replace("10", "11")))


@pytest.mark.parametrize(
    ("title", "other"),
    [
        ("AT&amp;T", "AT&amp;amp;T"),
        ("A", "&#65;"),
        ("A", "&amp;#x41;"),
        ("a b", " a\n b "),
        ("caf&#233;", "cafÃ©"),
        ("caf&amp;eacute;", "café"),
        ("&#150;a", "\x96a"),
    ],
)
def test_titles_that_may_be_read_as_one_give_one_name(title: str, other: str) -> None:
    assert other_name(DATED.format(title, DATE)) == other_name(DATED.format(other, "2026-01-01T12:00:00+0200")) != ""


@pytest.mark.parametrize(
    "item",
    [
        "<item><link>/x</link></item>",
        "<item><link>https://e.org/?a=1</link></item>",
        "<item><link>https://e.org/1</link><atom:link href='https://e.org/2'/></item>",
        "<item><!-- <link>https://e.org/1</link> --></item>",
        "<item><link><![CDATA[https://e.org/1]]></link></item>",
        "<item rdf:about='x'><link>https://e.org/1</link></item>",
        "<entry><link>https://e.org/1</link></entry>",
        DATED.format("&lt;b&gt;a&lt;/b&gt;", DATE),
        DATED.format("<![CDATA[a]]>", DATE),
        DATED.format("&amp;amp;amp;amp;", DATE),
        DATED.format("a", "soon"),
        DATED.format("a", f"{DATE}</pubDate><pubDate>{DATE}"),
    ],
)
def test_all_others_have_no_name(item: str) -> None:
    assert other_name(item) == ""
