"""Receivers: what they hear, when, and what it costs to have none."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.dispatch import Signal
from django.test.utils import CaptureQueriesContext

from feeds import signals
from feeds.fetching.values import Failed
from feeds.models import Entry, Feed
from feeds.outcomes import FailureKind
from tests.rigs.documents import URL, import_document, item, rss
from tests.rigs.importing import import_feed

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def heard(signal: Signal) -> Iterator[list[dict[str, Any]]]:
    calls: list[dict[str, Any]] = []

    def hear(**said: Any) -> None:
        assert not transaction.get_connection().in_atomic_block
        calls.append(said)
        raise RuntimeError("a receiver's own trouble")

    signal.connect(hear)
    try:
        yield calls
    finally:
        signal.disconnect(hear)


def test_receivers_get_the_rows_that_were_added_and_changed():
    with heard(signals.entries_added) as added, heard(signals.entries_changed) as changed:
        import_document(rss(item(2), item(1)))
        import_document(rss(item(2), item(1, "Edited")))
    feed = Feed.objects.get()
    assert [(one["sender"], one["feed_id"]) for one in (*added, *changed)] == [(Entry, feed.pk)] * 2
    assert [entry.title for entry in added[0]["entries"]] == ["Title 1", "Title 2"]
    assert [(entry.pk, entry.summary) for entry in changed[0]["entries"]] == [
        (Entry.objects.get(title="Title 1").pk, "Edited")
    ]


def test_receivers_get_the_rows_of_a_moved_site_under_their_new_identities():
    import_document(rss(item(1), item(2)))
    with heard(signals.entries_changed) as changed:
        import_document(rss(item(1, guid="new 1"), item(2, guid="new 2")))
    assert [entry.guid for entry in changed[0]["entries"]] == ["new 1", "new 2"]


@pytest.mark.slow
def test_many_entries_come_in_portions():
    with heard(signals.entries_added) as added:
        import_document(rss(*(item(number) for number in range(1_100))))
    assert [len(one["entries"]) for one in added] == [500, 500, 100]


def test_nothing_is_read_for_nobody():
    import_document(rss(item(1)))
    with CaptureQueriesContext(connection) as alone:
        import_document(rss(item(2), item(1)))
    with heard(signals.entries_added), CaptureQueriesContext(connection) as with_receiver:
        import_document(rss(item(3), item(2), item(1)))
    assert len(with_receiver) == len(alone) + 1


def test_the_end_of_an_import_is_told_as_well_or_ill():
    failed = Failed(kind=FailureKind.NOT_FOUND, text="not found", status=404)
    with heard(signals.feed_imported) as good, heard(signals.feed_failed) as bad:
        import_document(rss(item(1)))
        import_feed(URL, fetch=lambda *_: failed)
    assert [(one["sender"], one["report"].new) for one in good] == [(Feed, 1)]
    assert [one["report"].failure for one in bad] == [failed]
