"""Feeds to import from now on."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from feeds import canonical_urls, managers
from feeds.databases import together
from feeds.exceptions import describe
from feeds.models import Feed
from feeds.storage.entries import CHUNK, chunked

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A feed that a person wants imported."""

    url: str  # canonical
    folder: str = ""  # nested folders joined by slashes
    title: str = ""  # as in OPML; what the feed says replaces it


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """How many of the subscriptions were new."""

    added: int
    known: int


def register(subscriptions: Iterable[Subscription]) -> Registered:
    """Store the feeds that are not known yet, due at once. Two may do that for the same feeds at the same time."""
    added = known = 0
    for chunk in chunked(subscriptions, CHUNK):
        wanted = {one.url: one for one in chunk}
        there = Feed.primary.ids_by_url(wanted)
        missing = [one for url, one in wanted.items() if url not in there]
        known += len(chunk) - len(missing)
        added += _store([Feed(url=one.url, folder=one.folder, title=one.title) for one in missing])
    return Registered(added=added, known=known)


def _store(feeds: list[Feed]) -> int:
    """Store new feeds, and return how many: all, or those that the database takes. One alone is refused aloud."""
    store = partial(Feed.primary.bulk_create, ignore_conflicts=True)
    managers.complete(feeds)  # not in a savepoint, which would take the hosts back
    if len(feeds) == 1:
        store(feeds)
        return 1
    stored, refused = together(feeds, store)
    for feed, error in refused:
        logger.warning("feed=%s: the database refuses it: %s", canonical_urls.redacted(feed.url), describe(error))
    return len(stored)
