"""Old entries removed, as the settings or the feed itself want it, but never one that the feed still lists.

An entry that is removed leaves a tombstone, so that it does not come back should the feed list it again. A tombstone
expires when the feed has not listed its entry for a long time.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction

from feeds import canonical_urls
from feeds.databases import UNAVAILABLE, primary_database, together
from feeds.exceptions import describe
from feeds.models import Entry, Feed, Tombstone
from feeds.planning import ImportReport
from feeds.storage.entries import CHUNK, chunked

logger = logging.getLogger(__name__)

FLOOD = 100  # new entries of one import, after which its feed is pruned at once: they come every hour, the night once
SOME = 1_000  # feeds of one message
LONGEST_DAYS = 36_500  # a date can hold no more than some of what people write for "for ever"
TOMBSTONE_DAYS = 365  # for which a tombstone is kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How much of a feed is kept; 0 = without a limit. Named as the settings, and the feed's own limits, are."""

    keep_days: int = 0
    keep_entries: int = 0

    def of(self, feed: Feed) -> "Retention":
        """Return the limits of one feed: its own come first."""
        own = {name: getattr(feed, name) for name in ("keep_days", "keep_entries")}
        return replace(self, **{name: limit for name, limit in own.items() if limit is not None})


def feeds_to_prune(general: Retention, after: int = 0) -> models.QuerySet[Feed]:
    """Return the feeds for which there is a limit, by their ids, from behind `after` on."""
    feeds: models.QuerySet[Feed] = Feed.primary.filter(pk__gt=after).order_by("pk")
    if general == Retention():
        feeds = feeds.filter(models.Q(keep_days__gt=0) | models.Q(keep_entries__gt=0))
    return feeds.only("url", "keep_days", "keep_entries", "pruned_at")


def prune_some(general: Retention, now: datetime, *, after: int = 0) -> int | None:
    """Prune the next feeds behind `after`; return the id of the last one, None if there are no more."""
    feeds = list(feeds_to_prune(general, after)[:SOME])
    for feed in feeds:
        prune(feed, general.of(feed), now)
    return feeds[-1].pk if len(feeds) == SOME else None


def prune_flood(report: ImportReport, general: Retention, now: datetime) -> None:
    """Prune the feed of an import that brought a flood of new entries."""
    if report.new >= FLOOD:
        for feed in feeds_to_prune(general).filter(pk=report.feed_id):
            prune(feed, general.of(feed), now)


def prune(feed: Feed, limits: Retention, now: datetime, *, dry_run: bool = False) -> int:
    """Remove the entries of a feed that are not to be kept, and return how many.

    What the database refuses to remove stays, and stops no other feed.
    """
    try:
        return _prune(feed, limits, now, dry_run=dry_run)
    except UNAVAILABLE:
        raise
    except Exception:  # a receiver's, or the database's at the commit
        logger.exception("feed=%s: pruning was refused", canonical_urls.redacted(feed.url))
        return 0


def _prune(feed: Feed, limits: Retention, now: datetime, *, dry_run: bool) -> int:
    candidates = _candidates(feed, limits, now)
    removable = _unlisted(feed.pk, candidates) if candidates else []
    if dry_run:
        return len(removable)
    if feed.pruned_at:
        _expire_tombstones(feed.pk, now)
    return sum(_remove(feed, ids, now) for ids in chunked(removable, CHUNK))


def _candidates(feed: Feed, limits: Retention, now: datetime) -> dict[int, bytes]:
    """Return what is too much or too old, with the guid digests. Both go along the index of a feed's newest entries."""
    entries = Entry.primary.filter(feed=feed).order_by("-sorted_at")
    found = _digests(entries[limits.keep_entries :]) if limits.keep_entries else {}
    if limits.keep_days:
        # An entry is as old as it has been here: what came late is not old yet, whatever its own date says.
        before = now - timedelta(days=min(limits.keep_days, LONGEST_DAYS))
        found |= _digests(entries.filter(sorted_at__lt=before, first_seen_at__lt=before))
    return found


def _digests(rows: models.QuerySet[Any]) -> dict[int, bytes]:
    return {pk: bytes(digest) for pk, digest in rows.values_list("pk", "guid_digest")}


def _unlisted(feed_id: int, entries: Mapping[int, bytes]) -> list[int]:
    """Return those of the entries that the feed's last document does not list."""
    digests = bytes(Feed.primary.filter(pk=feed_id).values_list("listed_digests", flat=True).first() or b"")
    listed = {digests[at : at + 16] for at in range(0, len(digests), 16)}
    return [pk for pk, digest in entries.items() if digest not in listed]


def _remove(feed: Feed, entry_ids: list[int], now: datetime) -> int:
    with transaction.atomic(using=primary_database()):
        # The fence. An import that is under way has read these entries as stored, and must not write on that ground.
        # It comes first: from here on nobody changes what the feed lists.
        Feed.primary.filter(pk=feed.pk).fence(pruned_at=now)
        entries = _digests(Entry.primary.filter(pk__in=entry_ids))
        removable = _unlisted(feed.pk, entries)

        def remove(ids: list[int]) -> None:
            tombstones = [Tombstone(feed_id=feed.pk, guid_digest=entries[pk], created_at=now) for pk in ids]
            Tombstone.primary.bulk_create(tombstones, ignore_conflicts=True)
            Entry.primary.filter(pk__in=ids).delete()

        removed, refused = together(removable, remove)
    for entry_id, error in refused[:1]:  # of thousands one is told
        url, count = canonical_urls.redacted(feed.url), f"{len(refused):,}"
        logger.warning("feed=%s entry=%s: not pruned, %s in all: %s", url, entry_id, count, describe(error))
    return len(removed)


def _expire_tombstones(feed_id: int, now: datetime) -> None:
    """Remove the tombstones of what the feed has not listed for a long time."""
    old = Tombstone.primary.filter(feed_id=feed_id, created_at__lt=now - timedelta(days=TOMBSTONE_DAYS))
    if tombstones := _digests(old):
        for ids in chunked(_unlisted(feed_id, tombstones), CHUNK):
            Tombstone.primary.filter(pk__in=ids).delete()
