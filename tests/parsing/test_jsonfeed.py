"""JSON Feeds as the format asks for them, and as they are."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from feeds.outcomes import FailureKind
from feeds.parsing import caps, jsonfeed, parser
from feeds.parsing.values import Category, Enclosure, ParsedFeed, Person, Unreadable
from tests.rigs.golden import fetched
from tests.rigs.growth import assert_linear

BASE = "https://example.com/feed.json"


def read(body: bytes) -> ParsedFeed:
    result = parser.parse(fetched(body))
    assert isinstance(result, ParsedFeed)
    return result


def parsed(*items: Any, seen: frozenset[bytes] = frozenset(), **values: Any) -> ParsedFeed:
    document = {"version": "https://jsonfeed.org/version/1.1", "items": list(items)} | values
    result = jsonfeed.parse(json.dumps(document).encode(), BASE, seen)
    assert isinstance(result, ParsedFeed)
    return result


def test_a_number_as_id_becomes_text() -> None:
    assert [entry.guid for entry in parsed({"id": 1}, {"id": 2.0}, {"id": "c"}).entries] == ["1", "2", "c"]


def test_an_item_without_a_usable_id_is_dropped() -> None:
    assert parsed({}, {"id": None}, {"id": ""}, {"id": True}, {"id": []}, "x", None).entries == ()


def test_a_title_and_a_name_are_text_in_which_programs_write_references() -> None:
    """Ranchero-Software/NetNewsWire #176, #346."""
    (entry,) = parsed({"id": 1, "title": "Jo&#8217;s <b> &amp; more", "authors": [{"name": "R&amp;D"}]}).entries
    assert (entry.title, entry.authors) == ("Jo’s <b> & more", (Person(name="R&D"),))


def test_authors_win_over_author() -> None:
    item = {"id": "a", "authors": [{"name": "New"}], "author": {"name": "Old"}}
    assert [person.name for person in parsed(item).entries[0].authors] == ["New"]


def test_content_text_is_text() -> None:
    assert parsed({"id": "a", "content_text": "1 < 2 & <b>"}).entries[0].content == "1 &lt; 2 &amp; &lt;b&gt;"


def test_an_expired_feed_says_so() -> None:
    assert parsed(expired=True).expired
    assert not parsed(expired="yes").expired


def test_wrong_types_are_put_up_with() -> None:
    wrong: list[Any] = [None, 1, 1.5, True, "x", [], {}, [[]], [{}], {"name": []}]
    keys = "url title content_html summary image date_published authors author tags attachments language"
    for value in wrong:
        item = dict.fromkeys(keys.split(), value) | {"id": "a"}
        assert len(parsed(item, title=value, authors=value, hubs=value, icon=value).entries) == 1
    assert parsed(items="x").entries == ()


@pytest.mark.parametrize(
    ("item", "field", "expected"),
    [
        ({"authors": {"name": "Jo"}}, "authors", (Person(name="Jo"),)),  # miniflux/v2 #3991
        ({"author": "Jo"}, "authors", (Person(name="Jo"),)),
        ({"authors": ["Jo", {"name": "Bo"}, 3]}, "authors", (Person(name="Jo"), Person(name="Bo"))),
        ({"tags": "boats"}, "categories", (Category(term="boats"),)),
        ({"attachments": {"url": "http://e.org/a.mp3"}}, "enclosures", (Enclosure(url="http://e.org/a.mp3"),)),
        ({"date_published": 1716545472}, "published_at", datetime(2024, 5, 24, 10, 11, 12, tzinfo=UTC)),
        ({"content_html": "", "content_text": "Boats"}, "content", "Boats"),
    ],
)
def test_what_is_meant_is_read(item: dict[str, Any], field: str, expected: Any) -> None:
    assert getattr(parsed({"id": "a"} | item).entries[0], field) == expected


def test_line_feeds_and_tabs_may_stand_in_strings_as_they_are() -> None:
    result = read(b'{"items": [{"id": "a", "title": "One\ttwo", "content_html": "<p>x</p>\n\t<p>y</p>"}]}')
    assert (result.entries[0].title, result.entries[0].content) == ("One two", "<p>x</p>\n\t<p>y</p>")


def test_control_characters_in_strings_are_left_out() -> None:
    assert read(b'{"items": [{"id": "a", "title": "B\x00\x08oats\\u0000"}]}').entries[0].title == "Boats"


def test_of_a_key_that_is_there_twice_the_last_counts() -> None:
    result = read(b'{"items": [{"id": "a", "title": "old", "title": "new"}], "title": "A", "title": "B"}')
    assert (result.title, result.entries[0].title) == ("B", "new")


def test_a_byte_order_mark_is_no_part_of_the_document() -> None:
    assert read(b'\xef\xbb\xbf{"items": [{"id": "a"}]}').entries[0].guid == "a"
    assert read('{"items": [{"id": "é"}]}'.encode("utf-16")).entries[0].guid == "é"


def test_a_list_is_no_feed() -> None:
    result = parser.parse(fetched(b'[{"id": "a", "items": []}]'))
    assert isinstance(result, Unreadable)
    assert result.kind is FailureKind.NOT_A_FEED
    assert isinstance(jsonfeed.parse(b"[]", BASE), Unreadable)


def test_text_stands_in_where_no_html_is_left() -> None:
    item = {"id": "a", "content_html": "<script>1</script>", "content_text": "Boats"}
    assert parsed(item).entries[0].content == "Boats"


def test_the_digest_of_an_item_is_the_same_however_it_is_written() -> None:
    one = read(b'{"items": [{"id": 1, "title": "\\u00e9"}]}')
    other = read('{"items":[{"title":"é","id":1}]}'.encode())
    assert one.digests == other.digests


def test_items_that_were_seen_are_left_out_of_the_entries_only() -> None:
    before = parsed({"id": "a"}, {"id": "b"})
    after = parsed({"id": "c"}, {"id": "a"}, {"id": "b", "title": "new"}, seen=frozenset(before.digests))
    assert [entry.guid for entry in after.entries] == ["c", "b"]
    assert len(after.digests) == 3
    assert after.digests[1] == before.digests[0]


def test_items_that_share_an_id_are_always_read() -> None:
    before = parsed({"id": "a"}, {"id": "a", "title": "x"})
    assert len(parsed({"id": "a"}, {"id": "a", "title": "x"}, seen=frozenset(before.digests)).entries) == 2


@pytest.mark.parametrize("body", [b"{", b'{"a": 1}', b"{}", b'{"items": 3}', b"{" * 100_000, b"{'a': 1}"])
def test_other_json_is_no_feed(body: bytes) -> None:
    result = parser.parse(fetched(body))
    assert isinstance(result, Unreadable)
    assert result.kind is FailureKind.NOT_A_FEED


@pytest.mark.parametrize("body", [b'{"items": ' + b"[" * 100_000, b'{"version":' + b'{"a":' * 100_000])
def test_json_that_nests_too_deeply_is_hostile(body: bytes) -> None:
    result = parser.parse(fetched(body))
    assert isinstance(result, Unreadable)
    assert result.kind is FailureKind.HOSTILE


@pytest.mark.parametrize("value", ['{"id":1}', "[]"])
def test_more_objects_and_lists_than_fit_into_memory_are_hostile_before_they_are_made(value: str) -> None:
    body = f'{{"items":[{",".join([value] * jsonfeed.MAX_OBJECTS)}]}}'
    refused = Unreadable(kind=FailureKind.HOSTILE, text="too many objects and lists")
    assert jsonfeed.parse(body.encode(), BASE) == refused


def test_a_number_of_a_million_digits_is_no_trap() -> None:
    assert parser.parse(fetched(b'{"items": [{"id": ' + b"9" * 1_000_000 + b"}]}")).entries[0].guid.startswith("9999")  # type: ignore[union-attr]


def test_items_after_the_first_so_many_are_left_out() -> None:
    result = parsed(*({"id": number} for number in range(caps.MAX_ENTRIES + 1)))
    assert len(result.entries) == caps.MAX_ENTRIES
    assert not result.complete


# Limits


def test_of_long_lists_the_first_are_kept_and_the_entry_is_marked() -> None:
    many = range(caps.MAX_CATEGORIES + 1)
    tagged = parsed({"id": "a", "tags": [f"t{number}" for number in many]}).entries[0]
    attached = parsed({"id": "a", "attachments": [{"url": f"/{number}"} for number in many]}).entries[0]
    written = parsed({"id": "a", "authors": [{"name": f"n{number}"} for number in many]}).entries[0]
    assert (len(tagged.categories), tagged.capped) == (caps.MAX_CATEGORIES, True)
    assert (len(attached.enclosures), attached.capped) == (caps.MAX_ENCLOSURES, True)
    assert len(written.authors) == caps.MAX_PEOPLE


def test_a_feed_names_a_few_hubs_at_most() -> None:
    hubs = [{"type": "WebSub", "url": f"https://hub.example/{number}"} for number in range(1_000)]
    assert len(read(json.dumps({"hubs": hubs, "items": []}).encode()).hubs) == caps.MAX_HUBS


@pytest.mark.parametrize("key", ["url", "external_url", "image", "banner_image"])
def test_a_url_longer_than_anybody_supports_is_none(key: str) -> None:
    entry = parsed({"id": "a", key: "https://example.com/" + "a" * 8_000}).entries[0]
    assert entry.url == entry.source_url == entry.image_url == ""
    assert parsed(icon="/" + "a" * 7_990).image_url == ""


def test_a_long_base_is_not_multiplied_without_end() -> None:
    items = [
        {"id": number, "url": f"https://example.com/{'a' * 7_900}/{number}", "content_html": "<img src=x>" * 50}
        for number in range(200)
    ]
    first = parsed(*items)
    assert sum(len(entry.content) for entry in first.entries) < caps.MAX_DOCUMENT_BYTES
    assert len(first.digests) == len(first.entries) < 200
    assert not first.complete
    second = parsed(*items, seen=frozenset(first.digests))
    assert second.entries[0].guid == str(len(first.entries))


@pytest.mark.parametrize("number", ["9" * 100_000, "1." + "9" * 100_000, "1e999999999", "-1e-999999999", "1e308"])
def test_a_number_of_any_size_is_read(number: str) -> None:
    attachment = f'{{"url": "/a", "size_in_bytes": {number}}}'
    result = read(f'{{"items": [{{"id": "a", "x": {number}, "attachments": [{attachment}]}}]}}'.encode())
    assert result.entries[0].enclosures[0].length in (None, 2)


def test_a_document_costs_no_more_than_it_is_long() -> None:
    pieces = [b'{"id": 1}, ', b"[], ", b"9", b'"a", ', b"1e9, ", b'{"tags": ["a"]}, ', b"\n", b'"\\u00e9", ']
    assert_linear(lambda body: jsonfeed.parse(body, BASE), pieces, before=b'{"items": [', after=b"1]}")
