"""Subscriptions and bad lines in, stored feeds out: in chunks, each URL once, nothing fetched."""

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from feeds import canonical_urls, storage
from feeds.management.sources import BadLine
from feeds.models import Feed
from feeds.storage import Registered, Subscription

Register = Callable[[list[Subscription]], Registered]
Report = Callable[[BadLine], None]


@dataclass(slots=True, kw_only=True)
class Intake:
    """What came of the sources. Ids and digests are what stays in memory: 40,000 URLs must not fill it."""

    feed_ids: "array[int]" = field(default_factory=lambda: array("q"))
    added: int = 0
    known: int = 0
    duplicates: int = 0
    bad_lines: int = 0
    _digests: set[bytes] = field(default_factory=set)

    def unique(self, items: Iterable[Subscription | BadLine], report: Report) -> Iterator[Subscription]:
        """Yield each subscription the first time; count the rest, and report what is none."""
        for item in items:
            if isinstance(item, BadLine):
                self.bad_lines += 1
                report(item)
            elif (digest := canonical_urls.url_md5(item.url).bytes) in self._digests:
                self.duplicates += 1
            else:
                self._digests.add(digest)
                yield item


def take_in(items: Iterable[Subscription | BadLine], *, register: Register, report: Report) -> Intake:
    """Store what the items name and return what came of them; `report` is told each bad line as it comes."""
    intake = Intake()
    for chunk in storage.chunked(intake.unique(items, report), storage.CHUNK):
        registered = register(chunk)
        intake.added += registered.added
        intake.known += registered.known
        intake.feed_ids.extend(_feed_ids([subscription.url for subscription in chunk]))
    return intake


def rehearse(chunk: list[Subscription]) -> Registered:
    """Count what `storage.register` would do, and write nothing."""
    known = len(Feed.objects.ids_by_url(subscription.url for subscription in chunk))
    return Registered(added=len(chunk) - known, known=known)


def _feed_ids(urls: list[str]) -> list[int]:
    """Return the ids of these feeds, in the order of the URLs."""
    ids = Feed.objects.ids_by_url(urls)
    return [ids[url] for url in urls if url in ids]
