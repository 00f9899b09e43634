"""A feed and its new URL in, one feed under that URL out: renamed, or merged with the one that has it already.

The old URL stays known as an alias. All of this runs in the transaction of whoever calls.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef

from feeds import canonical_urls
from feeds.models import Alias, Entry, Feed, Host, Tombstone
from feeds.planning import FeedState, Move


def alias_digests(url_digests: Iterable[UUID]) -> set[UUID]:
    """Return those of the URL digests under which a feed is known as something else."""
    return set(Alias.objects.filter(url_md5__in=url_digests).values_list("url_md5", flat=True))


def move_feed(known: FeedState, move: Move, now: datetime) -> int:
    """Let a feed have its new URL; return the id of the feed that has it now.

    The caller has locked the feed's row. Two feeds that become one in opposite directions would wait for each other,
    but each of them has parsed as a feed under the URL of the other, so they do not lead to each other.
    """
    other = _at(move.url, other_than=known.id) or _rename(known, move)
    if other is not None:
        _merge(known, other)
    home = other.pk if other else known.id
    add_alias(home, known.url, move.reason, now)
    return home


def add_alias(feed_id: int, url: str, reason: str, now: datetime) -> None:
    """Let a feed be known by a URL that it had."""
    values = {"feed_id": feed_id, "url": url, "reason": reason, "created_at": now}
    Alias.objects.update_or_create(values, url_md5=canonical_urls.url_md5(url))


def remove_alias(url: str) -> None:
    """Let no feed be known by this URL, since one has it now: it came back to where it was."""
    Alias.objects.filter(url_md5=canonical_urls.url_md5(url)).delete()


def _at(url: str, *, other_than: int) -> Feed | None:
    """Return the other feed that is known by this URL, locked."""
    md5 = canonical_urls.url_md5(url)
    others = Feed.objects.exclude(pk=other_than).select_for_update(of=("self",))
    found: Feed | None = others.filter(url_md5=md5).first() or others.filter(aliases__url_md5=md5).first()
    return found


def _rename(known: FeedState, move: Move) -> Feed | None:
    """Give a feed its new URL; if another has come to have it in this very moment, return that one, locked."""
    remove_alias(move.url)
    values = url_columns(move.url) | ({"found_on": known.url} if move.found else {})
    Host.objects.ensure([values["host_id"]])
    try:
        with transaction.atomic():  # a savepoint: the transaction goes on
            # The validators stay: they came from where the feed is now, or there are none.
            Feed.objects.filter(pk=known.id).update(**values)
    except IntegrityError:
        if (other := _at(move.url, other_than=known.id)) is None:
            raise
        return other
    return None


def url_columns(url: str) -> dict[str, Any]:
    """Return what a feed has with a new URL, and what it cannot keep of the one before. The host must be stored."""
    return {
        "url": url,
        "url_md5": canonical_urls.url_md5(url),
        "host_id": canonical_urls.host_key(url) or None,
        "validators_url": "",  # its own
        "slot_at": None,  # that was in the line of the old host
        "moved_to": "",
        "moved_since": None,
        "moved_count": 0,
    }


def _merge(known: FeedState, other: Feed) -> None:
    """Give a feed's entries to the other one, and end it. What both have stays as the other has it."""
    source = Feed.objects.get(pk=known.id)
    for rows in (Entry.objects, Tombstone.objects):
        twin = Exists(rows.filter(feed=other, guid_digest=OuterRef("guid_digest")))
        rows.filter(~twin, feed=source).update(feed=other)
    Alias.objects.filter(feed=source).update(feed=other)
    other.folder = other.folder or source.folder
    other.pruned_at = other.pruned_at or source.pruned_at
    if other.status == Feed.Status.DISABLED and source.status == Feed.Status.ACTIVE and source.imported_at:
        # It was given up, and yet the source leads to it.
        other.status, other.status_reason = Feed.Status.ACTIVE, ""
        other.next_check_at, other.next_check_reason = source.next_check_at, "another feed has moved to its URL"
    # An import of the other that is under way has not seen the entries that came; it shall write nothing.
    other.revision = F("revision") + 1
    other.save(
        update_fields=[
            "folder",
            "pruned_at",
            "status",
            "status_reason",
            "next_check_at",
            "next_check_reason",
            "revision",
        ]
    )
    source.delete()
