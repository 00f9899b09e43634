"""A document makes us store no more than its limits, and what fits is kept."""

from dataclasses import replace

import pytest

from feeds.outcomes import FailureKind
from feeds.parsing import caps, parser
from feeds.parsing.caps import MAX_DOCUMENT_BYTES, MAX_ENTRY_BYTES, bytes_of, entries_that_fit, fitted
from feeds.parsing.html.plain_text import HTML_LIMIT
from feeds.parsing.rss_atom.elements import MAX_ELEMENTS
from feeds.parsing.rss_atom.parsers import MAX_MARKS
from feeds.parsing.values import Category, Enclosure, ParsedEntry, ParsedFeed, Person, Unreadable
from tests.rigs.feeds import parsed
from tests.rigs.feeds import rss as rss_of
from tests.rigs.golden import fetched
from tests.rigs.parsing_children import OPEN, Family, rss

SMALL = ParsedEntry(guid="a", url="https://example.com/", title="T", content="<p>x</p>", authors=(Person(name="n"),))


def read(body: bytes) -> ParsedFeed:
    parsed = parser.parse(fetched(body))
    assert isinstance(parsed, ParsedFeed)
    return parsed


def test_what_is_within_the_limits_stays_as_it_is() -> None:
    assert fitted(SMALL) is SMALL
    assert entries_that_fit([SMALL, SMALL]) == (SMALL, SMALL)


@pytest.mark.parametrize("base", [b"https://example.com/" + b"a" * length + b"/" for length in (7_900, 110_000)])
@pytest.mark.parametrize("piece", [b"&lt;img src=x>", b"&lt;img srcset='x 1x,y 2x,z 3x'>", b"&lt;a href='x'>x&lt;/a>"])
def test_relative_references_in_texts_are_not_multiplied_by_their_base(base: bytes, piece: bytes) -> None:
    text = b"<description>" + piece * 11_000 + b"</description>"
    feed = read(b'<rss version="2.0" xml:base="' + base + b'"><channel><item>' + text + b"</item></channel></rss>")
    (entry,) = feed.entries
    assert 0 < len(entry.summary) <= MAX_ENTRY_BYTES
    assert feed.complete


@pytest.mark.parametrize(
    "piece",
    [
        b'<enclosure url="%d"/>',
        b'<media:content url="%d"/>',
        b"<category>%d</category>",
        b"<author>%d@example.com</author>",
        b"<dc:creator>%d</dc:creator>",
        b'<atom:link rel="hub" href="%d"/>',
        b"<itunes:keywords>%d</itunes:keywords>",
    ],
)
def test_of_long_lists_the_first_are_kept(piece: bytes) -> None:
    values = b"".join(piece % number for number in range(3_000))
    names = (
        b'xmlns:media="http://search.yahoo.com/mrss/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        b'xmlns:atom="http://www.w3.org/2005/Atom" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
    )
    base = b"https://example.com/" + b"a" * 7_900 + b"/"
    feed = read(b"<rss %s xml:base='%s'><channel><item>%s</item></channel></rss>" % (names, base, values))
    (entry,) = feed.entries
    assert bytes_of(entry) <= MAX_ENTRY_BYTES
    assert len(entry.authors) <= caps.MAX_PEOPLE
    assert len(feed.hubs) <= caps.MAX_HUBS


def test_an_entry_keeps_what_fits_and_is_marked() -> None:
    enclosures = tuple(Enclosure(url=f"https://example.com/{number}/{'a' * 7_900}") for number in range(999))
    (entry,) = entries_that_fit([replace(SMALL, enclosures=enclosures, summary="s" * 400_000)])
    assert (entry.content, len(entry.summary), entry.capped) == ("<p>x</p>", 400_000, True)
    assert entry.enclosures == enclosures[:499]
    categories = fitted(replace(SMALL, categories=tuple(Category(term=str(number)) for number in range(1_001))))
    assert (len(categories.categories), categories.capped) == (1_000, True)


def test_a_text_within_its_limit_fits_in_any_script() -> None:
    entry = replace(SMALL, content="漢" * (HTML_LIMIT - 1_000))
    assert fitted(entry) == entry


@pytest.mark.parametrize("url", ["https://example.com/" + "a" * 8_000, "https://example.com/" + "a b" * 2_600])
def test_a_url_longer_than_anybody_supports_is_left_out(url: str) -> None:
    inner = f"<link>{url}</link><comments>{url}</comments><source url='{url}'>s</source><enclosure url='{url}'/>"
    hubs = f"<atom:link rel='hub' href='{url}'/><atom:link rel='hub' href='https://example.com/'/>"
    feed = parsed(rss_of(f"<link>{url}</link>{hubs}<item>{inner}<media:thumbnail url='{url}'/></item>"))
    (entry,) = feed.entries
    assert (feed.site_url, entry.url, entry.comments_url, entry.source_url, entry.image_url) == ("",) * 5
    assert (feed.hubs, entry.enclosures) == (("https://example.com/",), ())


def test_long_guids_that_differ_in_their_ends_stay_two() -> None:
    guids = {fitted(replace(SMALL, guid="g" * 100_000 + end)).guid for end in "ab"}
    assert len(guids) == 2
    assert max(map(len, guids)) < 5_000


def test_of_a_document_that_says_too_much_the_first_entries_are_read_and_the_others_another_time() -> None:
    base = b"https://example.com/" + b"a" * 7_900 + b"/"
    text = b"&lt;img src=x>" * 100
    items = b"".join(b"<item><guid>%d</guid><description>%s</description></item>" % (n, text) for n in range(40))
    body = b'<rss version="2.0" xml:base="%s"><channel>%s</channel></rss>' % (base, items)
    first = read(body)
    assert sum(map(bytes_of, first.entries)) <= MAX_DOCUMENT_BYTES
    assert 0 < len(first.entries) == len(first.digests) < 40
    assert not first.complete
    second = parser.parse(fetched(body), frozenset(first.digests))
    assert isinstance(second, ParsedFeed)
    assert [entry.guid for entry in second.entries] == [str(n) for n in range(len(first.entries), 40)]
    assert (second.complete, len(second.digests)) == (True, 40)
    assert not read(body.replace(b"</rss>", b"")).complete  # as it is read where it cannot be split


ATOM = b'<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://example.com/%s/">' % (b"a" * 7_900)
LINK = b'<link rel="enclosure" href="%d"/>'


@pytest.mark.parametrize("start", [b"", b"&nbsp;"], ids=["well-formed", "not well-formed"])
@pytest.mark.parametrize("piece", [b'<link href="%d"/>' * 5, b"<author><uri>%d</uri></author>" * 5])
def test_of_urls_that_take_all_memory_made_absolute_the_first_entries_are_kept(
    family: Family, start: bytes, piece: bytes
) -> None:
    entries = b"".join(b"<entry>%s</entry>" % piece.replace(b"%d", b"%d" % n) for n in range(9_000))
    feed = family.parse(ATOM + start + entries + b"</feed>")
    assert isinstance(feed, ParsedFeed)
    assert 100 < len(feed.entries) < 9_000
    assert not feed.complete


def test_an_entry_of_very_many_links_under_a_long_base_keeps_the_first(family: Family) -> None:
    entry = b"<entry>" + b"".join(LINK % n for n in range(30_000)) + b"</entry>"
    feed = family.parse(ATOM + entry + b"<entry><title>next</title></entry></feed>")
    assert isinstance(feed, ParsedFeed)
    first, second = feed.entries
    assert 100 < len(first.enclosures) < caps.MAX_ENCLOSURES
    assert (first.capped, second.title, feed.complete) == (True, "next", True)


def test_nothing_behind_the_limit_is_made() -> None:
    def endless() -> object:
        while True:
            yield replace(SMALL, content="x" * 1_000_000)

    assert len(entries_that_fit(endless())) == MAX_DOCUMENT_BYTES // 1_000_000 - 1  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("start", [b"", b"&nbsp;"], ids=["well-formed", "not well-formed"])
def test_entries_behind_the_limit_are_not_read(start: bytes) -> None:
    feed = read(rss(start + b"<item><title>t</title></item>" * 12_000))
    assert (len(feed.entries), feed.complete) == (caps.MAX_ENTRIES, False)


FIRST = b"<item><title>t</title></item>"
# The rest of each took half a minute.
TOO_MUCH = {
    "elements": b"&nbsp;" + FIRST + b"<item>" + b"<a>" * 10 * MAX_ELEMENTS,
    "openers": FIRST + b"<item>" + b"<" * 10 * MAX_MARKS,
    "references": b"&nbsp;" + FIRST + b"<item><title>" + b"&" * 10 * MAX_MARKS,
}


@pytest.mark.slow
@pytest.mark.parametrize("items", TOO_MUCH.values(), ids=TOO_MUCH)
def test_of_a_document_of_too_many_elements_the_entries_before_that_are_kept(items: bytes) -> None:
    feed = read(rss(items))
    assert ([entry.title for entry in feed.entries], feed.complete) == (["t"], False)


@pytest.mark.slow
def test_a_document_of_too_many_elements_for_one_entry_is_hostile() -> None:
    said = parser.parse(fetched(rss(b"<item>" + b"<a>" * 10 * MAX_ELEMENTS)))
    assert isinstance(said, Unreadable)
    assert said.kind is FailureKind.HOSTILE


def test_a_text_beyond_ascii_counts_as_it_is_stored() -> None:
    assert bytes_of(ParsedEntry(title="漢" * 100)) - bytes_of(ParsedEntry()) == 300
    assert bytes_of(ParsedEntry(categories=(Category(term="漢" * 100),))) - bytes_of(ParsedEntry()) > 600


def test_small_documents_are_complete_and_unmarked() -> None:
    feed = read(rss(b"<item><title>x</title><enclosure url='a' length='1' type='audio/mpeg'/></item>"))
    assert feed.complete
    assert not feed.entries[0].capped
    assert read(OPEN + b"<item/></channel></rss>").complete
