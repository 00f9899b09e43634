"""Which entry is which: told apart, kept together, and recognised."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.parsing.values import ParsedEntry, ParsedFeed
from feeds.planning import entry_names, identity, recognition
from feeds.planning.values import DocumentState, PlannedEntry, StoredEntry
from tests.rigs.planning import NOW, feed_state

KNOWN = feed_state(imported_at=NOW)


class Rows:
    """What a database would hold: identities, and what is needed of the rows under them."""

    def __init__(self) -> None:
        self.rows: dict[bytes, StoredEntry] = {}

    def poll(self, *entries: ParsedEntry, form: str = "rss20") -> list[PlannedEntry]:
        """Store a document as an import does, and return its entries."""
        parsed = ParsedFeed(format=form, entries=entries)
        planned = identity.match_entries(KNOWN if self.rows else feed_state(), parsed, self)
        self.store(planned)
        return list(planned)

    def by_identity(self, guid_digests: Iterable[bytes]) -> dict[bytes, StoredEntry]:
        return {name: self.rows[name] for name in guid_digests if name in self.rows}

    def newest(self, count: int) -> list[StoredEntry]:
        return list(self.rows.values())

    def store(self, planned: Sequence[PlannedEntry]) -> None:
        for one in planned:
            if one.stored:
                del self.rows[one.stored.guid_digest]
        for one in planned:
            assert one.guid_digest not in self.rows
            self.rows[one.guid_digest] = StoredEntry(
                guid_digest=one.guid_digest,
                content_digest=one.content_digest,
                url=one.entry.url,
                title=one.entry.title,
                published_at=one.entry.published_at,
            )


def entry(number: int, **values: object) -> ParsedEntry:
    """Return an entry that differs from every other in all it says."""
    said: dict[str, object] = {
        "guid": f"guid {number}",
        "url": f"https://e.org/{number}",
        "title": f"Title {number}",
        "summary": f"Text {number}",
        "published_at": NOW - timedelta(days=number),
        "published_text": f"{number} days ago",
    }
    return ParsedEntry(**(said | values))  # type: ignore[arg-type]


def new(planned: list[PlannedEntry]) -> list[str]:
    return [one.entry.title for one in planned if one.stored is None]


def rewritten(planned: list[PlannedEntry]) -> list[str]:
    return [
        one.entry.title
        for one in planned
        if one.stored and (one.stored.content_digest, one.stored.guid_digest) != (one.content_digest, one.guid_digest)
    ]


# The ladder


def test_a_guid_is_who_an_entry_is_whatever_else_changes():
    rows = Rows()
    rows.poll(entry(1), entry(2))
    planned = rows.poll(replace(entry(1), title="New title", url="https://e.org/new-title"), entry(2))
    assert (new(planned), rewritten(planned)) == ([], ["New title"])


def test_without_a_guid_it_is_the_link():
    rows = Rows()
    rows.poll(entry(1, guid=""), entry(2, guid=""))
    planned = rows.poll(entry(1, guid="", title="New title"), entry(2, guid=""))
    assert (new(planned), rewritten(planned)) == ([], ["New title"])


def test_without_a_link_it_is_title_and_date():
    rows = Rows()
    rows.poll(entry(1, guid="", url=""), entry(2, guid="", url=""))
    planned = rows.poll(entry(1, guid="", url="", summary="New text"), entry(2, guid="", url="", title="Title 1"))
    assert (new(planned), rewritten(planned)) == (["Title 1"], ["Title 1"])


def test_without_any_of_these_it_is_the_content():
    rows = Rows()
    bare = entry(1, guid="", url="", published_at=None, published_text="")
    rows.poll(bare)
    assert new(rows.poll(bare, replace(bare, summary="New text"))) == ["Title 1"]


def test_one_atom_id_twice_is_one_entry_and_the_newest_wins():
    old = entry(1, title="old", updated_at=NOW)
    planned = Rows().poll(old, replace(old, title="new", updated_at=NOW + timedelta(days=1)), form="atom10")
    assert [one.entry.title for one in planned] == ["new"]


def test_one_atom_id_stays_one_entry_though_everything_else_is_new():
    rows = Rows()
    rows.poll(entry(1), form="atom10")
    assert new(rows.poll(entry(2, guid="guid 1"), form="atom10")) == []


def test_entries_that_say_the_same_with_and_without_a_date_are_two_in_any_order():
    for values in ({"guid": ""}, {"guid": "always the same"}):
        bare = entry(1, url="", published_text="", **values)
        items = [bare, replace(bare, published_at=None), entry(2, url="", **values)]
        rows = Rows()
        assert len(new(rows.poll(*items))) == 3
        assert new(rows.poll(*reversed(items))) == []


def test_of_two_entries_with_the_title_and_the_date_of_a_row_it_stays_with_the_one_it_is_like():
    def linked(link: str, text: str) -> ParsedEntry:
        return entry(1, guid="", url=f"https://e.org/{link}", summary=text)

    rows = Rows()
    rows.poll(linked("a", "one"), entry(2, guid="", url="https://e.org/a"))  # under title and date: their link is one
    items = [linked("a", "two"), linked("b", "three")]
    assert len(new(rows.poll(*items))) == 1
    planned = rows.poll(*reversed(items))
    assert (new(planned), rewritten(planned)) == ([], [])


# Guids that are no identities


def test_ten_items_under_one_guid_are_ten_entries_in_any_order():
    rows, items = Rows(), [entry(number, guid="always the same") for number in range(10)]
    assert len(new(rows.poll(*items))) == 10
    assert new(rows.poll(*reversed(items))) == []


def test_the_same_item_twice_is_one_entry():
    assert len(Rows().poll(entry(1), entry(2), entry(1))) == 2


def test_entries_told_apart_stay_so_when_only_one_of_them_is_left():
    rows, first, second = Rows(), entry(1, guid="x"), entry(2, guid="x")
    rows.poll(first, second)
    planned = rows.poll(replace(second, summary="edited"))
    assert (new(planned), rewritten(planned)) == ([], ["Title 2"])


def test_a_guid_that_is_repeated_from_now_on_keeps_its_row_for_its_entry():
    for order in (1, -1):
        rows, old, intruder = Rows(), entry(1, guid="x"), entry(2, guid="x")
        rows.poll(old)
        planned = rows.poll(*[intruder, old][::order])
        assert (new(planned), rewritten(planned)) == (["Title 2"], [])


def test_also_when_the_entry_was_edited_in_the_same_moment():
    rows, old, intruder = Rows(), entry(1, guid="x"), entry(2, guid="x")
    rows.poll(old)
    planned = rows.poll(intruder, replace(old, summary="edited"))
    assert (new(planned), rewritten(planned)) == (["Title 2"], ["Title 1"])


def test_a_guid_used_anew_for_something_else_is_a_new_entry():
    rows = Rows()
    rows.poll(entry(1, guid="x"))
    assert new(rows.poll(entry(2, guid="x"))) == ["Title 2"]
    assert new(rows.poll(entry(3, guid="x"))) == ["Title 3"]
    assert new(rows.poll(entry(2, guid="x"), entry(3, guid="x"))) == []


def test_items_that_all_link_to_the_front_page_are_told_apart():
    rows, items = Rows(), [entry(number, guid="", url="https://e.org/") for number in range(3)]
    assert len(new(rows.poll(*items))) == 3
    assert new(rows.poll(*items[1:])) == []
    assert new(rows.poll(entry(7, guid="", url="https://e.org/"), *items[1:])) == ["Title 7"]


# Links that are no identities


def test_a_token_in_the_link_changes_nothing():
    rows = Rows()
    rows.poll(*(entry(number, guid="", url=f"https://e.org/?p={number}&token=one") for number in range(5)))
    planned = rows.poll(*(entry(number, guid="", url=f"https://e.org/?p={number}&token=two") for number in range(6)))
    assert (new(planned), rewritten(planned)) == (["Title 5"], [])


def test_links_that_are_new_with_each_request_are_no_identities():
    rows = Rows()

    def poll(request: int, first: int = 0) -> list[PlannedEntry]:
        return rows.poll(*(entry(n, guid="", url=f"https://e.org/{request}/{n}") for n in range(first, first + 5)))

    poll(1)
    assert new(poll(2)) == []
    assert new(poll(3, first=1)) == ["Title 5"]
    assert new(poll(4, first=1)) == []
    assert len(rows.rows) == 6


def test_an_entry_takes_no_row_of_one_that_the_document_lists_too_and_that_was_not_parsed():
    rows = Rows()
    old, intruder = entry(1, guid=""), entry(1, guid="", url="https://e.org/other")
    rows.poll(replace(old, url="https://e.org/"), entry(2, guid="", url="https://e.org/"))  # told apart by their dates
    (stored_as,) = {one.guid_digest for one in rows.poll(replace(old, url="https://e.org/"))}
    parsed = ParsedFeed(entries=(replace(intruder, digest=b"new"),), digests=(b"old", b"new"))
    feed = replace(KNOWN, document=DocumentState(listed=((b"old", stored_as), (b"gone", b"x"))))
    (planned,) = identity.match_entries(feed, parsed, rows)
    assert planned.stored is None
    assert planned.guid_digest not in rows.rows


def test_an_entry_with_a_link_takes_no_row_of_one_without():
    rows, bare = Rows(), entry(1, guid="", url="")
    rows.poll(bare)
    assert len(new(rows.poll(entry(1, guid="", summary="other"), bare))) == 1
    assert len(rows.rows) == 2


def test_utm_parameters_are_no_part_of_a_link():
    assert entry_names.steady_url("https://e.org/a?utm_source=rss&id=7&utm_medium=x#f") == "https://e.org/a?id=7#f"
    assert entry_names.steady_url("https://e.org/a?tokens=3") == "https://e.org/a?tokens=3"


# All guids change at once


def test_a_site_that_moved_does_not_double_its_feed():
    rows = Rows()
    rows.poll(*(entry(number) for number in range(10)))
    moved = [
        entry(n, guid=f"https://new.org/?p={n}", url=f"https://new.org/{n}", summary="As the new program writes it")
        for n in range(10)
    ]
    planned = rows.poll(entry(11), *moved)
    assert (new(planned), len(rewritten(planned))) == (["Title 11"], 10)
    planned = rows.poll(entry(11), *moved)
    assert (new(planned), rewritten(planned)) == ([], [])


def test_new_guids_are_recognised_by_title_and_date_where_the_links_are_new_too():
    rows = Rows()
    rows.poll(*(entry(number) for number in range(10)))
    assert new(rows.poll(*(entry(n, guid=f"new {n}", url=f"https://new.org/x/{n}") for n in range(10)))) == []


def test_new_guids_are_recognised_by_link_and_title_where_there_are_no_dates():
    def undated(number: int, **values: object) -> ParsedEntry:
        return entry(number, published_at=None, published_text="", **values)

    rows = Rows()
    rows.poll(*(undated(number) for number in range(10)))
    planned = rows.poll(*(undated(n, guid=f"new {n}", summary="As the new program writes it") for n in range(10)))
    assert new(planned) == []


def test_what_says_the_same_each_day_is_new_each_day():
    rows = Rows()
    weather = entry(1, title="Weather", url="https://e.org/weather")
    rows.poll(weather)
    assert new(rows.poll(replace(weather, guid="2", published_at=NOW))) == ["Weather"]
    undated = replace(weather, published_at=None, published_text="")
    assert new(rows.poll(replace(undated, guid="3"))) == ["Weather"]
    assert new(rows.poll(replace(undated, guid="4"))) == ["Weather"]


def test_a_few_new_entries_are_no_move():
    rows = Rows()
    rows.poll(*(entry(number) for number in range(10)))
    assert new(rows.poll(*(entry(number) for number in range(5)), replace(entry(7), guid="new"))) == ["Title 7"]


def test_a_document_of_which_most_was_seen_before_and_not_parsed_is_no_move():
    parsed = ParsedFeed(entries=(entry(1),), digests=(b"1" * 16, b"2" * 16))
    planned = identity.identify(entry_names.name_entries(parsed), {})
    assert not recognition.seems_moved(KNOWN, parsed, planned)
    assert not recognition.seems_moved(feed_state(), ParsedFeed(entries=(entry(1),)), planned)


# Anything

few = st.sampled_from(["", "a", "b"])
entries = st.lists(
    st.builds(
        ParsedEntry,
        guid=few,
        url=st.sampled_from(["", "https://e.org/", "https://e.org/a", "https://e.org/b?token=1"]),
        title=few,
        summary=few,
        published_at=st.sampled_from([None, NOW, NOW - timedelta(days=1)]),
    ),
    max_size=6,
)
forms = st.sampled_from(["rss20", "atom10"])


@pytest.mark.slow
@given(entries, entries, forms, st.randoms())
def test_the_same_document_again_in_any_order_adds_nothing(before, document, form, random):
    rows = Rows()
    rows.poll(*before, form=form)
    rows.poll(*document, form=form)
    shuffled = random.sample(document, len(document))
    planned = rows.poll(*(document if form == "atom10" else shuffled), form=form)
    assert (new(planned), rewritten(planned)) == ([], [])


# Sessions, stories, and what has no name


def linked(number: int, query: str, **values: object) -> ParsedEntry:
    return entry(number, **({"guid": "", "url": f"https://e.org/article.php?{query}"} | values))


@pytest.mark.parametrize("name", ["sid", "token", "id", "nonce", "sessionid"])
def test_links_that_differ_in_one_parameter_are_two_entries(name):
    undated = {"published_at": None, "published_text": ""}
    for values in ({}, undated):
        rows = Rows()
        rows.poll(linked(1, f"{name}=101", **values))
        assert new(rows.poll(linked(2, f"{name}=102", **values))) == ["Title 2"]
        assert new(rows.poll(linked(3, f"{name}=103", **values), linked(2, f"{name}=102", **values))) == ["Title 3"]
        planned = rows.poll(*(linked(number, f"{name}=10{number}", **values) for number in (3, 2, 1)))
        assert (new(planned), rewritten(planned)) == ([], [])


def test_a_session_in_the_link_of_one_entry_changes_nothing():
    rows = Rows()
    rows.poll(*(linked(number, f"p={number}&sid=one") for number in range(5)))
    for session in ("two", "three"):
        planned = rows.poll(linked(1, f"p=1&sid={session}"), linked(7, f"p=7&sid={session}"))
        assert rewritten(planned) == []
    planned = rows.poll(linked(1, "p=1&sid=four", summary="edited"))
    assert (new(planned), rewritten(planned)) == ([], ["Title 1"])
    assert len(rows.rows) == 6


def test_the_one_undated_item_of_a_feed_is_a_new_entry_each_time_that_it_says_something_else():
    def weather(text: str, title: str = "The weather") -> ParsedEntry:
        return ParsedEntry(url="https://e.org/weather", title=title, summary=text)

    rows = Rows()
    rows.poll(weather("rain"))
    assert new(rows.poll(weather("rain"))) == []
    assert new(rows.poll(weather("sun"))) == ["The weather"]
    assert new(rows.poll(weather("sun", "Fine weather"))) == ["Fine weather"]
    assert new(rows.poll(weather("rain"))) == []
    assert len(rows.rows) == 3


def test_the_one_item_that_has_a_guid_or_a_date_may_be_edited():
    for values in ({"guid": "g", "published_at": None}, {"guid": ""}):
        rows = Rows()
        rows.poll(entry(1, **values))
        planned = rows.poll(entry(1, **values, summary="edited"))
        assert (new(planned), rewritten(planned)) == ([], ["Title 1"])


# A new version reads something otherwise


def read_by_an_older_version(rows: Rows, *entries: ParsedEntry) -> list[PlannedEntry]:
    """Return the entries of a document that a version before this one has read."""
    parsed = ParsedFeed(format="rss20", entries=entries, digests=tuple(bytes([n]) * 16 for n in range(len(entries))))
    feed = replace(KNOWN, document=DocumentState(listed=((b"another digest..", b"x" * 16),)))
    planned = identity.match_entries(feed, parsed, rows)
    rows.store(planned)
    return list(planned)


@pytest.mark.parametrize(
    "values",
    [
        {"guid": "", "url": "https://e.org/1?now=another"},
        {"guid": "", "url": "https://distributed.example/x/1"},
        {"guid": "", "url": "https://site.example/1", "published_at": None, "published_text": ""},
        {"guid": "GUID® 1"},
        {"guid": "", "url": ""},
    ],
    ids=["another link", "another host", "undated", "another guid", "no link"],
)
def test_an_entry_whose_link_or_guid_a_new_version_reads_otherwise_keeps_its_row(values):
    before = {key: value for key, value in values.items() if key.startswith("published")}
    rows, others = Rows(), [entry(number) for number in range(2, 8)]
    rows.poll(entry(1, **before | {"guid": values["guid"] and "guid 1"}), *others)
    planned = read_by_an_older_version(rows, entry(1, **values), *others)
    assert (new(planned), rewritten(planned)) == ([], ["Title 1"])
    assert len(rows.rows) == 7
    assert new(rows.poll(entry(1, **values), *others)) == []


def test_an_entry_that_is_new_stays_new_then():
    rows, others = Rows(), [entry(number) for number in range(2, 8)]
    rows.poll(*others)
    assert new(read_by_an_older_version(rows, entry(1, guid=""), *others)) == ["Title 1"]
