"""The rows of entries: read for a plan, written by one."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from django.db import models

from feeds.clock import aware
from feeds.models import Entry, Tombstone
from feeds.planning import FeedState, ImportPlan, PlannedEntry, StoredEntry
from feeds.storage.fields import entry_fields, sorted_at

T = TypeVar("T")

CHUNK = 500  # rows of one statement


class EntryRows:
    """The stored entries of one feed, as `planning.match_entries` asks for them."""

    def __init__(self, feed: FeedState) -> None:
        self._feed = feed

    def by_identity(self, guid_digests: Iterable[bytes]) -> dict[bytes, StoredEntry]:
        found: dict[bytes, StoredEntry] = {}
        for chunk in chunked(guid_digests, CHUNK):
            if self._feed.pruned:
                tombstones = Tombstone.primary.filter(feed_id=self._feed.id, guid_digest__in=chunk)
                for guid_digest in map(bytes, tombstones.values_list("guid_digest", flat=True)):
                    found[guid_digest] = StoredEntry(guid_digest=guid_digest, is_tombstone=True)
            rows = _stored(Entry.primary.filter(feed_id=self._feed.id, guid_digest__in=chunk))
            found.update((row.guid_digest, row) for row in rows)
        return found

    def newest(self, count: int) -> list[StoredEntry]:
        entries = Entry.primary.filter(feed_id=self._feed.id).order_by("-sorted_at", "-id")  # of one date the last
        return list(_stored(entries[:count]))


def _stored(entries: models.QuerySet[Entry]) -> Iterator[StoredEntry]:
    for guid, content, changes, url, title, published_at in entries.values_list(
        "guid_digest", "content_digest", "changes", "url", "title", "published_at"
    ):
        yield StoredEntry(
            guid_digest=bytes(guid),
            content_digest=bytes(content),
            changes=changes,
            url=url,
            title=title,
            published_at=aware(published_at),
        )


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of `size` items (Python 3.11 has no itertools.batched)."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def write_new(plan: ImportPlan, entries: Iterable[PlannedEntry]) -> None:
    # A conflict is an error: the plan has seen all rows, so it can only be with a constraint of the project's.
    for chunk in chunked(entries, CHUNK):  # bulk_create makes a list: ten thousand rows at once are 20 MB a thread
        Entry.primary.bulk_create([_entry(plan, planned) for planned in chunk])


def write_changed(plan: ImportPlan, entries: Iterable[PlannedEntry]) -> None:
    for planned in entries:
        stored_as = planned.stored.guid_digest if planned.stored else planned.guid_digest
        values = entry_fields(planned)
        if planned.stored and not planned.stored.content_digest:  # from another site: its date says nothing here
            is_dated = planned.entry.published_at or planned.entry.updated_at
            first_seen = models.F("first_seen_at")
            values["sorted_at"] = sorted_at(planned, plan.circumstances.started_at) if is_dated else first_seen
        Entry.primary.filter(feed_id=plan.feed.id, guid_digest=stored_as).update(
            changes=models.F("changes") + 1, changed_at=plan.circumstances.started_at, **values
        )


def _entry(plan: ImportPlan, planned: PlannedEntry) -> Entry:
    return Entry(
        feed_id=plan.feed.id,
        first_seen_at=plan.circumstances.started_at,
        sorted_at=sorted_at(planned, plan.circumstances.started_at),
        **entry_fields(planned),
    )
