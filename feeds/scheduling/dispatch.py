"""Claim the feeds that are due and send them.

A claim moves `next_check_at` to the end of a lease, so that what a crash or a broker swallows is due again by itself.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import IntegrityError, connections, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from feeds import canonical_urls, planning
from feeds.clock import aware
from feeds.conf import FeedsSettings
from feeds.databases import Refusal, one_by_one, primary_database, together
from feeds.exceptions import describe
from feeds.models import Feed
from feeds.outcomes import FailureKind
from feeds.scheduling import hosts, rate_limit

logger = logging.getLogger(__name__)

REFUSED_AGAIN = timedelta(hours=6)  # from a claim that the database refused to the next one

Send = Callable[[str, datetime | None], None]  # a URL, and the slot to come with; None = at once


class Claimed(NamedTuple):
    """A feed to send."""

    url: str
    slot: datetime | None


class Batch(NamedTuple):
    """What one claim did."""

    claimed: list[Claimed]
    postponed: int  # feeds whose host has a slot for them later than we look ahead
    refused: frozenset[int]  # ids of feeds of which the database refuses to write that they are claimed


def send_due(now: datetime, send: Send, settings: FeedsSettings) -> None:
    """Claim and send what is due until the queue holds enough.

    Each batch is committed before it is sent. If `send` raises, the rest of the batch is due again after the lease.
    """
    _reset_future_times(now)
    room = settings.claim_limit - outstanding(now)
    sent = postponed = 0
    refused: frozenset[int] = frozenset()
    while room > sent:
        batch = claim(now, min(rate_limit.BATCH, room - sent), settings.host_delay, refused)
        if not any(batch):
            break
        for feed in batch.claimed:
            send(feed.url, feed.slot)
        sent, postponed, refused = sent + len(batch.claimed), postponed + batch.postponed, refused | batch.refused
    logger.info("claimed=%s postponed=%s room=%s", sent, postponed, room)


def _reset_future_times(now: datetime) -> None:
    """Let feeds be due whose times only a clock that was wrong can have written: they would be polled no more."""
    values = {"next_check_at": now, "next_check_reason": "a clock was wrong", "slot_at": None, "claimed_at": None}
    soon, far = now + rate_limit.LEASE, now + rate_limit.FARTHEST
    # No index tells when a feed was checked. A thousand are read in 2 ms.
    later = Feed.primary.active().filter(next_check_at__gt=soon)
    last = later.order_by("-next_check_at").values("pk")[: rate_limit.WINDOW]
    for wrong in (
        Q(claimed_at__gt=soon),
        Q(slot_at__isnull=False, next_check_at__gt=far),
        Q(checked_at__gt=soon, next_check_at__gt=far),
        Q(checked_at__gt=soon, pk__in=last),
        Q(slot_at__gt=max(now + rate_limit.LONGEST_REQUEST, hosts.last_slot(now)), pk__in=last),
    ):
        feeds = Feed.primary.active().filter(wrong)
        if one_by_one([feeds], lambda all_: all_.update(**values))[1]:
            one_by_one(feeds.values_list("pk", flat=True), lambda pk: Feed.primary.filter(pk=pk).update(**values))


def outstanding(now: datetime) -> int:
    """Return how many feeds have been sent and not been checked since; what is older than the lease is lost."""
    count: int = Feed.primary.filter(claimed_at__gt=now - rate_limit.LEASE).count()
    return count


def claim(now: datetime, count: int, host_delay: float, without: Collection[int] = ()) -> Batch:
    """Claim up to `count` due feeds in one transaction. Two claims at the same time get different feeds."""
    with transaction.atomic(using=primary_database()):
        chosen = rate_limit.fair(_window(now, without), count)
        rows = _locked(now, [feed.id for feed in chosen])
        due = [feed for feed in chosen if feed.id in rows]
        slots = hosts.assign(due, now=now, default_delay=host_delay)
        later = {id_: slot for id_, slot in slots.items() if not rate_limit.is_soon(slot, now)}
        postponed, unmoved = _postpone(later, rows, now)
        leased = {"next_check_at": now + rate_limit.LEASE, "claimed_at": now}
        sent, unsent = together(
            [feed.id for feed in due if feed.id not in later],
            lambda ids: _require_all_written(ids, Feed.primary.filter(pk__in=ids).update(**leased)),
        )
        refused = [*((feed.pk, error) for feed, error in unmoved), *unsent]
        _back_off(refused, rows, now)
    return Batch(
        claimed=[Claimed(rows[id_].url, slots.get(id_)) for id_ in sent],
        postponed=len(postponed),
        refused=frozenset(id_ for id_, _ in refused),
    )


def _back_off(refused: list[Refusal[int]], rows: Mapping[int, Any], now: datetime) -> None:
    """Record on feeds that the database refuses to claim them; where it refuses that, too, the log alone tells."""

    def record(refusal: Refusal[int]) -> None:
        text = f"the database refuses the claim: {describe(refusal[1])}"
        Feed.primary.filter(pk=refusal[0]).update(
            next_check_at=now + REFUSED_AGAIN,
            next_check_reason=text,
            error_kind=FailureKind.DATABASE,
            error_text=text,
            error_count=F("error_count") + 1,
            failing_since=Coalesce("failing_since", now),
        )

    one_by_one(refused, record)
    for id_, error in refused:
        url = canonical_urls.redacted(rows[id_].url)
        logger.warning("feed=%s: the database refuses the claim: %s", url, describe(error))


def windows(now: datetime) -> tuple[QuerySet[Feed], QuerySet[Feed]]:
    """Return the feeds to send, the longest due first: those that are due, and those with a slot soon after.

    In one query it would have to read all that gets due soon, for the few of them that hold a slot.
    """
    soon = Feed.primary.active().filter(next_check_at__gt=now, next_check_at__lte=now + rate_limit.LOOK_AHEAD)
    return Feed.primary.due(now), soon.filter(slot_at__isnull=False).order_by("next_check_at", "id")


def _window(now: datetime, without: Collection[int]) -> list[rate_limit.Due]:
    """Return the first of the feeds to send, unlocked: locks are taken for those that are chosen of them."""
    rows: list[tuple[int, str | None, datetime | None]] = []
    for feeds in windows(now):
        feeds = feeds.exclude(pk__in=without) if without else feeds
        rows += feeds.values_list("id", "host", "slot_at")[: rate_limit.WINDOW - len(rows)]
    return [rate_limit.Due(id_, host or "", aware(slot_at)) for id_, host, slot_at in rows]


def _locked(now: datetime, ids: list[int]) -> dict[int, Any]:
    """Lock those of the chosen feeds that nobody else has claimed meanwhile; return their rows by their ids."""
    soon = Q(next_check_at__lte=now + rate_limit.LOOK_AHEAD, slot_at__isnull=False)
    due = Feed.primary.active().filter(Q(next_check_at__lte=now) | soon, pk__in=ids)
    # Where rows cannot be skipped, a second scheduler waits for the first, and finds them claimed.
    skips = connections[primary_database()].features.has_select_for_update_skip_locked
    rows = due.select_for_update(skip_locked=skips)
    return {row.id: row for row in rows.values_list("id", "url", "next_check_reason", named=True)}


def _postpone(
    slots: Mapping[int, datetime], rows: Mapping[int, Any], now: datetime
) -> tuple[list[Feed], list[Refusal[Feed]]]:
    """Let feeds be due at their slots."""
    feeds = [Feed(pk=id_, next_check_at=slot, slot_at=slot, claimed_at=None) for id_, slot in slots.items()]
    for feed in feeds:
        wait = slots[feed.pk] - now
        feed.next_check_reason = planning.with_slot(rows[feed.pk].next_check_reason, wait.total_seconds())
    fields = ["next_check_at", "slot_at", "claimed_at", "next_check_reason"]
    return together(feeds, lambda some: _require_all_written(some, Feed.primary.bulk_update(some, fields)))


def _require_all_written(feeds: Collection[object], written: int) -> None:
    """Raise where a trigger has left feeds as they were without a word: they would be sent for ever."""
    if written < len(feeds):
        raise IntegrityError("a trigger leaves the row as it was")


def postpone(feed_id: int, slot: datetime, reason: str) -> bool:
    """Leave it to the schedule to come back at `slot`. False: it does not look after this feed."""
    polled = Feed.primary.filter(pk=feed_id, status=Feed.Status.ACTIVE)
    return bool(polled.update(next_check_at=slot, slot_at=slot, claimed_at=None, next_check_reason=reason))


def unread(now: datetime) -> str:
    """Return why a document that was fetched lately could not be read, be it in another process; "" = all were."""
    soon = Feed.primary.active().filter(slot_at__isnull=False, next_check_at__range=(now, now + planning.UNREAD_AGAIN))
    reasons = soon.filter(next_check_reason__contains=planning.UNREAD).values_list("next_check_reason", flat=True)
    return (reasons.first() or "").partition(planning.UNREAD)[2]
