"""Documents one after the other into rows: nothing twice, nothing lost, and nothing written that was written before."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.models import Entry, Feed
from feeds.outcomes import FailureKind, Outcome
from feeds.planning.entry_names import digest
from feeds.storage import EntryRows, load
from tests.rigs.documents import URL, import_document, item, items, rss

pytestmark = pytest.mark.django_db


def titles() -> list[str]:
    return sorted(Entry.objects.values_list("title", flat=True))


def test_a_second_import_of_the_same_document_adds_and_changes_nothing():
    import_document(rss(*items(range(10))))
    report = import_document(rss(*items(range(10)), title="The feed's own title is another now"))
    assert (report.outcome, report.new, report.changed) == (Outcome.IMPORTED, 0, 0)
    assert Entry.objects.count() == 10


def test_a_moved_site_keeps_its_rows_under_new_guids():
    import_document(rss(*items(range(5))))
    rows = dict(Entry.objects.values_list("title", "pk"))
    moved = [item(n, "As the new program writes it", guid=f"https://new.org/?p={n}") for n in range(5)]
    report = import_document(rss(item(7), *moved))
    assert (report.new, report.changed) == (1, 5)
    assert rows.items() <= dict(Entry.objects.values_list("title", "pk")).items()
    assert Entry.objects.get(title="Title 3").guid == "https://new.org/?p=3"
    edited = [item(0, "Edited", guid="https://new.org/?p=0"), *moved[1:]]
    report = import_document(rss(*edited))
    assert (report.new, report.changed, Entry.objects.count()) == (0, 1, 6)


def test_links_with_a_token_per_request_double_nothing_and_are_soon_left_alone():
    def document(request: int, numbers: range) -> bytes:
        return rss(*(item(n, guid="", link=f"http://example.org/{n}?t0k={request}") for n in numbers))

    import_document(document(1, range(5)))
    reports = [import_document(document(request, range(1, 6))) for request in range(2, 40)]
    assert [report.new for report in reports] == [1] + [0] * 37
    assert reports[-1].changed == 0
    assert Entry.objects.count() == 6


def test_what_the_feed_lists_is_known_though_only_new_entries_are_parsed():
    import_document(rss(*items(range(5))))
    import_document(rss(item(5), *items(range(1, 5))))
    feed = Feed.objects.get()
    listed = bytes(feed.listed_digests)
    names = {listed[at : at + 16] for at in range(0, len(listed) - 16, 16)}  # the last one stands for who read them
    rows = Entry.objects.exclude(title="Title 0").values_list("guid_digest", flat=True)
    assert names == {bytes(digest) for digest in rows}
    assert len(feed.seen_digests) == len(listed)


def test_a_value_that_nobody_foresaw_is_a_failure_that_the_schedule_tries_again():
    import_document(rss(item(1)))
    Entry.objects.update(url="http://[no address/?x")
    report = import_document(rss(item(1, link="http://example.org/another", title="Another", pubDate="3 Mar 2026")))
    assert (report.outcome, report.failure.kind) == (Outcome.FAILED, FailureKind.HOSTILE)
    assert report.failure.text == "the document could not be stored: ValueError"
    assert report.next_check.at is not None
    assert Entry.objects.get().title == "Title 1"


values = st.sampled_from(["", "a", "b"])
documents = st.lists(
    st.lists(
        st.builds(
            lambda number, **elements: item(number, **elements),
            st.integers(0, 3),
            guid=values,
            link=st.sampled_from(["", "http://e.org/a", "http://e.org/b"]),
            title=values,
            pubDate=st.sampled_from(["", "Mon, 02 Mar 2026 10:00:00 GMT", "Tue, 03 Mar 2026 10:00:00 GMT"]),
        ),
        min_size=1,
        max_size=4,
    ),
    min_size=2,
    max_size=4,
)
WHOLE = URL.replace("/feed", "/whole")


@pytest.mark.slow
@settings(max_examples=60)
@given(documents)
def test_parsing_only_what_is_new_leaves_the_rows_that_parsing_everything_leaves(history):
    Feed.objects.all().delete()
    for listed in history:
        Feed.objects.filter(url=WHOLE).update(seen_digests=b"")  # so that nothing was seen before
        import_document(rss(*listed))
        import_document(rss(*listed), WHOLE)
    assert rows(URL) == rows(WHOLE)


def rows(url: str) -> list[tuple[object, ...]]:
    entries = Entry.objects.filter(feed__url=url)
    return sorted(entries.values_list("guid", "url", "title", "summary", "published_text", "changes"))


def test_of_entries_with_one_date_the_last_that_came_are_the_newest():
    """PostgreSQL returns equals in any order: the same document added an entry or did not."""
    import_document(rss(*(item(number, pubDate="Mon, 02 Mar 2026 10:00:00 GMT") for number in range(5))))
    rows = EntryRows(load(URL)).newest(2)
    assert [row.title for row in rows] == ["Title 4", "Title 3"]


def test_a_new_entry_does_not_take_the_row_of_one_that_was_cut_out_of_its_document() -> None:
    """It has the title and date of an entry that was seen before, and so is not parsed again, but another link."""
    one = item(1, guid="", link="http://example.org/", title="T")
    two = item(2, guid="", link="http://example.org/", title="U")
    rest = [item(number) for number in range(10, 22)]
    import_document(rss(one, two, *rest))
    import_document(rss(item(1, "another", guid="", link="http://example.org/other", title="T"), one, *rest))
    assert Entry.objects.count() == 15


def test_rows_of_an_older_version_are_known_again_where_this_one_reads_another_link_or_guid():
    """Links went by the document, a guid was taken for text in another encoding, and a session was part of no link.

    And "&copy" was taken for a reference.
    """
    import_document(rss(*items(range(10))))
    of_old = [
        ("NESCAF\u0272", ""),
        ("", "http://10.0.0.1/1"),
        ("", "http://e.org/a"),
        ("", "http://bücher.example:80/b"),
        ("http://e.org/?a=1©=2", ""),
    ]
    for number, (guid, link) in enumerate(of_old):
        name = digest("guid", guid) if guid else digest("link", link)
        row = {"guid": guid, "url": link, "guid_digest": name, "content_digest": bytes(16)}
        Entry.objects.filter(title=f"Title {number}").update(**row)
    listed = Feed.objects.get().listed_digests
    Feed.objects.update(seen_digests=b"x" * len(listed))  # salted otherwise; and without who read them
    links = [
        {"guid": "NESCAF\u00c9\u00ae", "link": ""},
        {"guid": "", "link": "/1"},
        {"guid": "", "link": "http://e.org/a?sid=1"},
        {"guid": "", "link": "http://bücher.example:80/b"},
        {"guid": "http://e.org/?a=1&copy=2", "link": ""},
    ]
    read_now = [item(number, **values) for number, values in enumerate(links)]
    report = import_document(rss("<link>http://e.org/</link>", *read_now, *items(range(5, 10))))
    assert (report.new, Entry.objects.count()) == (0, 10)
    again = import_document(rss("<link>http://e.org/</link>", item(11), *read_now, *items(range(5, 10))))
    assert (again.new, again.changed) == (1, 0)
    assert Entry.objects.get(title="Title 0").guid == "NESCAF\u00c9\u00ae"
