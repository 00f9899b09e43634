"""Follow feeds from the queue to the outcome of their import."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from math import inf

from django.db.models import Count, F, QuerySet

from feeds import canonical_urls, storage
from feeds.models import Entry, Feed
from feeds.outcomes import Outcome

TICK = 0.05  # seconds between two looks: 100 feeds must not wait for a clock
REST = 10  # times as long as a look took, until the next one

Before = tuple[datetime | None, datetime | None]  # checked_at, slot_at
READ = ("url", "status", "checked_at", "slot_at", "next_check_reason", "last_outcome", "error_kind", "error_text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of one feed's import."""

    feed_id: int
    url: str = ""  # without a login
    outcome: Outcome
    error: str = ""  # in words
    new: int = 0  # entries


class Following:
    """The feeds whose outcome is waited for, each with what an import changes of it, as it was before it was sent.

    That is when its last check began, and the slot that it waits for. Not `revision`: a page that names its feed, a
    pruning and a merge move that on, too, and are no check. The time of the check is only compared for equality: the
    clocks of two hosts differ, and a message of ours may have been skipped because an import that began before it was
    still running.
    """

    def __init__(self) -> None:
        self._before: dict[int, Before] = {}

    def __len__(self) -> int:
        return len(self._before)

    def add(self, feeds: Iterable[Feed]) -> None:
        self._before.update((feed.pk, (feed.checked_at, feed.slot_at)) for feed in feeds)

    def some_urls(self) -> list[str]:
        """Return URLs of feeds that are still waited for, one chunk at most."""
        ids = list(islice(self._before, storage.CHUNK))
        return list(Feed.primary.filter(pk__in=ids).values_list("url", flat=True))

    def look(self) -> list[Ending]:
        """Return the feeds that have ended since the last look, and wait for them no longer."""
        chunks = storage.chunked(list(self._before), storage.CHUNK)
        endings = [ending for chunk in chunks for ending in self._look_at(chunk)]
        for ending in endings:
            del self._before[ending.feed_id]
        return endings

    def looks(
        self, *, timeout: float = inf, patience: float = inf, settled: Callable[[], bool] = lambda: False
    ) -> Iterator[list[Ending]]:
        """Yield what each look finds, until all feeds have ended.

        Before that it ends after `timeout` seconds, after `patience` seconds in which no feed ended, or once `settled`
        says that no import is under way.
        """
        started = progressed = time.monotonic()
        while self._before:
            was_settled = settled()  # asked before the look: an import that ends in between is seen
            looked = time.monotonic()
            endings = self.look()
            now = time.monotonic()
            progressed = now if endings else progressed
            yield endings
            rest = min(started + timeout, progressed + patience) - now
            if was_settled or rest <= 0:
                return
            time.sleep(min(rest, max(TICK, (now - looked) * REST)))

    def _look_at(self, feed_ids: list[int]) -> list[Ending]:
        feeds = {feed.pk: feed for feed in load(feed_ids)}
        endings = (_ending(feed_id, feeds.get(feed_id), self._before[feed_id]) for feed_id in feed_ids)
        return _with_new_entries([ending for ending in endings if ending is not None])


def load(feed_ids: list[int]) -> QuerySet[Feed]:
    """Return the feeds of these ids, as many as there still are, with what is read here."""
    feeds: QuerySet[Feed] = Feed.primary.filter(pk__in=feed_ids).order_by("pk")
    return feeds.only(*READ)


def skipped(feed: Feed) -> Ending:
    return _ended(feed, Outcome.PAUSED)


def _ended(feed: Feed, outcome: Outcome, error: str = "") -> Ending:
    return Ending(feed_id=feed.pk, url=canonical_urls.redacted(feed.url), outcome=outcome, error=error)


def _ending(feed_id: int, feed: Feed | None, before: Before) -> Ending | None:
    """Decide how a feed has ended; None: not yet."""
    checked_at, slot_at = before
    if feed is None:
        return Ending(feed_id=feed_id, outcome=Outcome.PAUSED, error="deleted meanwhile, or merged with another feed")
    if feed.checked_at != checked_at:
        error = feed.error_kind and (feed.error_text or feed.get_error_kind_display())
        return _ended(feed, Outcome(feed.last_outcome), error)
    if feed.status == Feed.Status.PAUSED:
        return skipped(feed)
    if feed.slot_at not in (None, slot_at):
        return _ended(feed, Outcome.DELAYED, feed.next_check_reason)
    return None


def _with_new_entries(endings: list[Ending]) -> list[Ending]:
    ids = [ending.feed_id for ending in endings if ending.outcome is Outcome.IMPORTED]
    # In the transaction that stores a check its entries get the time of the check.
    entries = Entry.primary.filter(feed__in=ids, first_seen_at__gte=F("feed__checked_at"))
    new = dict(entries.values_list("feed").annotate(Count("id"))) if ids else {}
    return [replace(ending, new=new.get(ending.feed_id, 0)) for ending in endings]
