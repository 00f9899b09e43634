"""Feeds to import from now on."""

from collections.abc import Iterable
from dataclasses import dataclass

from feeds import canonical_urls
from feeds.models import Alias, Feed
from feeds.storage.entries import CHUNK, chunked


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
        wanted = {canonical_urls.url_md5(subscription.url): subscription for subscription in chunk}
        there = set(Feed.primary.filter(url_md5__in=wanted).values_list("url_md5", flat=True))
        there |= set(Alias.primary.filter(url_md5__in=wanted.keys() - there).values_list("url_md5", flat=True))
        missing = [_feed(subscription) for md5, subscription in wanted.items() if md5 not in there]
        Feed.primary.bulk_create(missing, ignore_conflicts=True)
        added += len(missing)
        known += len(chunk) - len(missing)
    return Registered(added=added, known=known)


def _feed(subscription: Subscription) -> Feed:
    return Feed(url=subscription.url, folder=subscription.folder, title=subscription.title)
