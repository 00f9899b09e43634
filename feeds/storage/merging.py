"""A feed under a new URL: renamed, or merged with the feed that has the URL already.

The old URL stays known as an alias. All of this runs in the caller's transaction.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef

from feeds import canonical_urls
from feeds.databases import primary_database
from feeds.models import Alias, Entry, Feed, FetchOptions, Host, Tombstone
from feeds.planning import FeedState, ImportPlan, Move, is_same_site
from feeds.storage.entries import CHUNK, chunked
from feeds.storage.fields import UNSEEN, no_error, url_fields
from feeds.storage.subscriptions import Subscription, register


def resolve_move(plan: ImportPlan) -> ImportPlan:
    """Return the plan with a move to where the new URL leads: it may be an alias of a feed of another site.

    To another site no entry goes along.
    """
    feed, move = plan.feed, plan.move
    if move is None:
        return plan
    if not move.found and (other := _feed_at(move.url, other_than=feed.id)) and not is_same_site(feed.url, other.url):
        move = replace(move, url=other.url, across_sites=True)
    return replace(plan, move=move, new=(), changed=()) if move.across_sites else plan


def hand_over(feed: FeedState, move: Move, listed: Iterable[bytes]) -> int:
    """Let the feed at another site follow this one, which is disabled; return the other one's id.

    A feed that is known there already goes on as it is. To a new one go the entries that its document lists, and
    nothing else: no tombstones, no counts of changes, and its own next document replaces what they say.
    """
    other = _feed_at(move.url, other_than=feed.id)
    if other is None:
        source = Feed.primary.get(pk=feed.id)
        register([Subscription(url=move.url, folder=source.folder)])
        other = Feed.primary.get(url_md5=canonical_urls.url_md5(move.url))
        listed = tuple(listed)
        # What it lists is not pruned before its own first import, and it is no page whose feed is yet to be found.
        values = {"listed_digests": b"".join(listed), "found_on": canonical_urls.redacted(feed.url)}
        Feed.primary.filter(pk=other.pk).update(public_only=move.public, **values)
        for digests in chunked(listed, CHUNK):
            entries = Entry.primary.filter(feed_id=feed.id, guid_digest__in=digests)
            entries.update(feed=other, changes=0, content_digest=b"")
    reason = f"moved to {canonical_urls.redacted(move.url)}"
    Feed.primary.filter(pk=feed.id).update(
        status=Feed.Status.DISABLED, status_reason=reason, next_check_at=None, next_check_reason=reason
    )
    return int(other.pk)


def move_feed(feed: FeedState, move: Move, now: datetime) -> int:
    """Give a feed its new URL; return the id of the feed that has it now.

    The caller has locked the feed's row. Two feeds that become one in opposite directions would wait for each other,
    but each of them has parsed as a feed under the URL of the other, so they do not lead to each other.
    """
    other = _feed_at(move.url, other_than=feed.id) or _rename(feed, move, now)
    if other is not None:
        _merge(feed, other)
    feed_id = other.pk if other else feed.id
    if not (move.found and feed.found_on):  # a URL that was never a feed is no other name of one
        add_alias(feed_id, feed.url, move.reason, now)
    return feed_id


def add_alias(feed_id: int, url: str, reason: str, now: datetime) -> None:
    """Let a feed be known by a URL that it had."""
    values = {"feed_id": feed_id, "url": url, "reason": reason, "created_at": now}
    Alias.primary.update_or_create(values, url_md5=canonical_urls.url_md5(url))


def remove_alias(url: str) -> None:
    """Remove the alias for this URL; a feed has it as its own again."""
    Alias.primary.filter(url_md5=canonical_urls.url_md5(url)).delete()


def _feed_at(url: str, *, other_than: int) -> Feed | None:
    """Return the other feed that is known by this URL, locked."""
    md5 = canonical_urls.url_md5(url)
    others = Feed.primary.exclude(pk=other_than).select_for_update(of=("self",))
    found: Feed | None = others.filter(url_md5=md5).first() or others.filter(aliases__url_md5=md5).first()
    return found


def _rename(feed: FeedState, move: Move, now: datetime) -> Feed | None:
    """Give a feed its new URL; if another has come to have it in this very moment, return that one, locked."""
    remove_alias(move.url)
    values = url_fields(move.url) | ({"found_on": feed.found_on or feed.url} if move.found else {})
    if move.other:
        values |= {"moved_to": move.other, "moved_since": now}
    if move.public:
        values["public_only"] = True
    Host.objects.ensure([values["host_id"]])
    try:
        with transaction.atomic(using=primary_database()):  # a savepoint: the transaction goes on
            # The validators stay: they came from where the feed is now, or there are none.
            Feed.primary.filter(pk=feed.id).update(**values)
    except IntegrityError:
        if (other := _feed_at(move.url, other_than=feed.id)) is None:
            raise
        return other
    if canonical_urls.split_url(feed.url).origin != canonical_urls.split_url(move.url).origin:
        FetchOptions.objects.filter(pk=feed.id).update(password="", headers=[])  # they were given for the old one
    return None


def _merge(feed: FeedState, other: Feed) -> None:
    """Give a feed's entries to the other one, and end it. What both have stays as the other has it.

    The page of another site, which names the other feed, gives it nothing.
    """
    source = Feed.primary.get(pk=feed.id)
    tables = (Entry.primary, Tombstone.primary) if is_same_site(source.url, other.url) else ()
    for rows in tables:
        twin = Exists(rows.filter(feed=other, guid_digest=OuterRef("guid_digest")))
        rows.filter(~twin, feed=source).update(feed=other)
    Alias.primary.filter(feed=source).update(feed=other)
    other.folder = other.folder or source.folder
    if tables:
        other.pruned_at = other.pruned_at or source.pruned_at
        other.imported_at = other.imported_at or source.imported_at  # a page with entries is the page of no feed
    if other.status == Feed.Status.DISABLED and source.status == Feed.Status.ACTIVE and source.imported_at:
        # It was given up, and yet the source leads to it.
        other.status, other.status_reason = Feed.Status.ACTIVE, ""
        other.next_check_at, other.next_check_reason = source.next_check_at, "another feed has moved to its URL"
    # An import of the other that is under way has not seen the entries that came; it shall write nothing.
    other.revision = F("revision") + 1
    other.save()  # all of it, which nobody has changed: the row is locked
    source.delete()


def change_url(feed_id: int, old: str, new: str, *, reason: str, now: datetime) -> None:
    """Give a feed the URL that a person chose. The old one leads to it still, but what was said there is forgotten.

    The entries stay. At another site the document there wins over all of them, and brings back what was pruned.
    """
    Host.objects.ensure([canonical_urls.host_key(new)])
    feed = Feed.primary.filter(pk=feed_id)
    # It was disabled for what the old one said.
    feed.filter(status=Feed.Status.DISABLED).update(status=Feed.Status.ACTIVE, status_reason="")
    feed.fence(
        **url_fields(new),
        **no_error(),
        # These belong to one URL: sent to another they could bring a 304 for a document that was never seen.
        **UNSEEN,
        found_on="",
        public_only=False,
        fetch_seconds=None,
        next_check_at=now,
        next_check_reason="the URL was changed",
    )
    if not is_same_site(old, new):
        Entry.primary.filter(feed_id=feed_id).update(changes=0, content_digest=b"")
        Tombstone.primary.filter(feed_id=feed_id).delete()
    remove_alias(new)
    add_alias(feed_id, old, reason, now)
