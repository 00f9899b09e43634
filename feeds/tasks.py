"""The actors: their options, and one call each."""

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import dramatiq
from django.core.exceptions import ImproperlyConfigured
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import CurrentMessage
from dramatiq_crontab import cron

from feeds import canonical_urls, clock, heartbeat, history, locking, scheduling, storage
from feeds.conf import feeds_settings
from feeds.databases import is_away
from feeds.importer import ImportRequest, get_importer
from feeds.outcomes import AskedBy

SLOT = "host_slot"  # message option: the slot that this message holds in its host's queue, in seconds since the epoch
KNOWN = "known"  # message option: the feed was stored before; if it is no more, it has been deleted, and stays so
ASKED_BY = "asked_by"  # message option: who asked, for the history
# What our own messages hold instead of a URL with a login, which brokers would keep and logs show: its digest.
REFERENCE = re.compile("md5:([0-9a-f]{32})")
BEHIND_OTHERS = 10  # of two messages that a worker has fetched it works on that of the lower priority: others have 0
SHORTEST_DELAY = 0.5  # seconds; sooner, a copy could meet the lock that its original is about to give back

# Without these Dramatiq would only say which options of the actors are unknown.
for problem in locking.missing_middleware(dramatiq.get_broker(), locking.LockMiddleware):
    raise ImproperlyConfigured(problem)


def reference(url: str) -> str:
    """Return what names a stored feed in a message: its URL, or where that has a login, what stands for it."""
    return url if canonical_urls.redacted(url) == url else f"md5:{canonical_urls.url_md5(url).hex}"


def _digest(text: str) -> UUID | None:
    found = REFERENCE.fullmatch(text)
    return UUID(found[1]) if found else None


def _may_help(retries: int, error: BaseException) -> bool:
    """Tell whether to try again for what is ours; what servers do wrong, the schedule tries again.

    A database that is away is waited for, a quarter of an hour and more: it may not even know the feed yet.
    """
    return retries < (10 if is_away(error) else 3)


@dramatiq.actor(
    queue_name=feeds_settings().queue,
    priority=BEHIND_OTHERS,
    lock_key=lambda url: _digest(url) or canonical_urls.feed_url(url),  # by this name, too
    lock_expire=feeds_settings().lock_expire,
    lock_busy_message="Feed %s is already being imported by another worker",
    time_limit=feeds_settings().time_limit * 1000,
    retry_when=_may_help,
    min_backoff=5_000,
    max_backoff=300_000,
)
def import_feed(url: str) -> None:
    """Import the feed at `url`, unless a check that began after this message was sent has answered it.

    A feed not known yet is stored first; for one that is stored, use `send`. Where its host is busy the message goes
    back with its slot. No thread waits, and no retry is used up.
    """
    digest = _digest(url)
    known = storage.url_of(digest) if digest else canonical_urls.feed_url(url)
    if known is None:
        return  # deleted meanwhile
    message = CurrentMessage.get_current_message()
    if message is None:  # called like a function
        get_importer().run_now(known)
        return
    report = get_importer().run(
        ImportRequest(
            url=known,
            requested_at=datetime.fromtimestamp(message.message_timestamp / 1000, UTC),
            slot=datetime.fromtimestamp(message.options[SLOT], UTC) if SLOT in message.options else None,
            create=KNOWN not in message.options,
            asked_by=message.options.get(ASKED_BY, AskedBy.CODE),
            skew=timedelta() if isinstance(import_feed.broker, StubBroker) else clock.SKEW,
        )
    )
    if report.slot is not None:
        copy = message.copy(args=(reference(known),), kwargs={}, options={SLOT: report.slot.timestamp(), KNOWN: True})
        try:
            import_feed.broker.enqueue(copy, delay=_delay(report.slot, SHORTEST_DELAY))
        except Exception:
            # Retries could not send it again, either: the message would end, and its request with it.
            if not scheduling.postpone(report.feed_id, report.slot, "the broker took no message back"):
                raise


def send(url: str, slot: datetime | None = None, *, asked_by: str = AskedBy.PERSON) -> None:
    """Send a stored feed for import, by its URL. If it is deleted before a worker takes the message, it stays so."""
    options: dict[str, Any] = {KNOWN: True, ASKED_BY: str(asked_by)}
    if slot is not None:
        options[SLOT] = slot.timestamp()
    message = import_feed.message_with_options(args=(reference(url),), **options)
    if asked_by == AskedBy.SCHEDULE:
        message = message.copy(queue_name=feeds_settings().scheduled_queue)
        import_feed.broker.declare_queue(message.queue_name)
    import_feed.broker.enqueue(message, delay=_delay(slot, 0.0) if slot else None)


import_feed.broker.declare_queue(feeds_settings().scheduled_queue)  # for workers to consume it


@dramatiq.actor(
    queue_name=feeds_settings().queue,
    lock_key=lambda: "",
    lock_expire=120,
    time_limit=100_000,
    max_retries=0,  # the next minute is the retry
)
def import_due_feeds() -> None:
    """Send the feeds that are due, as many as the queue may hold."""
    scheduling.send_due(clock.now(), partial(send, asked_by=AskedBy.SCHEDULE), feeds_settings())
    heartbeat.note_schedule(clock.now())


cron("* * * * *")(import_due_feeds)  # for `manage.py crontab`


@dramatiq.actor(
    queue_name=feeds_settings().queue,
    priority=BEHIND_OTHERS,
    time_limit=feeds_settings().time_limit * 1000,
    max_retries=3,
)
def prune_entries(after: int = 0) -> None:
    """Remove old entries of the next feeds, in the order of their ids, and send a message for those behind them.

    It needs no lock: what two of them do at the same time is done once.
    """
    if not after:
        history.prune(clock.now())
        scheduling.forget(clock.now())
    last = storage.prune_some(feeds_settings().part(storage.Retention), clock.now(), after=after)
    if last is not None:
        prune_entries.send(last)


cron("17 3 * * *")(prune_entries)


def _delay(slot: datetime, shortest: float) -> int | None:
    """Return the milliseconds until a slot, between `shortest` and the longest delay, both in seconds."""
    seconds = max(shortest, (slot - clock.now()).total_seconds())
    return int(min(seconds, scheduling.LONGEST_DELAY) * 1000) + 1 if seconds > 0 else None
