import json
from typing import Any

import pytest

from feeds.outcomes import FailureKind
from feeds.parsing import jsonfeed, parser
from feeds.parsing.values import ParsedFeed, Unreadable
from tests.rigs.golden import fetched

BASE = "https://example.com/feed.json"


def parsed(*items: Any, seen: frozenset[bytes] = frozenset(), **values: Any) -> ParsedFeed:
    document = {"version": "https://jsonfeed.org/version/1.1", "items": list(items)} | values
    result = jsonfeed.parse(json.dumps(document).encode(), BASE, seen)
    assert isinstance(result, ParsedFeed)
    return result


def test_f10_a_number_as_id_becomes_text() -> None:
    assert [entry.guid for entry in parsed({"id": 1}, {"id": 2.0}, {"id": "c"}).entries] == ["1", "2", "c"]


def test_f10_an_item_without_a_usable_id_is_dropped() -> None:
    assert parsed({}, {"id": None}, {"id": ""}, {"id": True}, {"id": []}, "x", None).entries == ()


def test_f10_authors_win_over_author() -> None:
    item = {"id": "a", "authors": [{"name": "New"}], "author": {"name": "Old"}}
    assert [person.name for person in parsed(item).entries[0].authors] == ["New"]


def test_f10_content_text_is_text() -> None:
    assert parsed({"id": "a", "content_text": "1 < 2 & <b>"}).entries[0].content == "1 &lt; 2 &amp; &lt;b&gt;"


def test_f10_an_expired_feed_says_so() -> None:
    assert parsed(expired=True).expired
    assert not parsed(expired="yes").expired


def test_f10_wrong_types_are_put_up_with() -> None:
    wrong: list[Any] = [None, 1, 1.5, True, "x", [], {}, [[]], [{}], {"name": []}]
    keys = "url title content_html summary image date_published authors author tags attachments language"
    for value in wrong:
        item = dict.fromkeys(keys.split(), value) | {"id": "a"}
        assert len(parsed(item, title=value, authors=value, hubs=value, icon=value).entries) == 1
    assert parsed(items="x").entries == ()


def test_items_that_were_seen_are_left_out_of_the_entries_only() -> None:
    before = parsed({"id": "a"}, {"id": "b"})
    after = parsed({"id": "c"}, {"id": "a"}, {"id": "b", "title": "new"}, seen=frozenset(before.digests))
    assert [entry.guid for entry in after.entries] == ["c", "b"]
    assert len(after.digests) == 3
    assert after.digests[1] == before.digests[0]


def test_f2_items_that_share_an_id_are_always_read() -> None:
    before = parsed({"id": "a"}, {"id": "a", "title": "x"})
    assert len(parsed({"id": "a"}, {"id": "a", "title": "x"}, seen=frozenset(before.digests)).entries) == 2


@pytest.mark.parametrize("body", [b"{", b'{"a": 1}', b"{}", b'{"items": 3}', b"{" * 100_000, b"{'a': 1}"])
def test_other_json_is_no_feed(body: bytes) -> None:
    result = parser.parse(fetched(body))
    assert isinstance(result, Unreadable)
    assert result.kind is FailureKind.NOT_A_FEED


@pytest.mark.parametrize("body", [b'{"items": ' + b"[" * 100_000, b'{"version":' + b'{"a":' * 100_000])
def test_s7_json_that_nests_too_deeply_is_hostile(body: bytes) -> None:
    result = parser.parse(fetched(body))
    assert isinstance(result, Unreadable)
    assert result.kind is FailureKind.HOSTILE


def test_s8_a_number_of_a_million_digits_is_no_trap() -> None:
    assert len(parser.parse(fetched(b'{"items": [{"id": ' + b"9" * 1_000_000 + b"}]}")).entries[0].guid) == 1_000_000  # type: ignore[union-attr]


def test_s7_items_after_the_first_so_many_are_left_out() -> None:
    result = parsed(*({"id": number} for number in range(jsonfeed.MAX_ITEMS + 1)))
    assert len(result.entries) == jsonfeed.MAX_ITEMS
    assert not result.complete
