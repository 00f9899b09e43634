"""The time in, due feeds claimed and sent out.

A claim moves `next_check_at` to the end of a lease, so that what a crash or a broker swallows is due again by itself.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import QuerySet

from feeds import planning
from feeds.conf import FeedsSettings
from feeds.models import Feed
from feeds.planning import FeedState
from feeds.scheduling import hosts, rate_limit

logger = logging.getLogger(__name__)

# Look, lock and claim in one statement: the ORM has no UPDATE that returns anything.
IS_DUE = "status = 'active' AND next_check_at <= %s AND (next_check_at <= %s OR slot_at IS NOT NULL)"
TAKE = {
    # A locked row stays where it is, so that it need not be looked for again.
    "postgresql": f"""
        UPDATE feeds_feed SET next_check_at = %s, claimed_at = %s WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM feeds_feed WHERE id = ANY(CAST(%s AS bigint[])) AND {IS_DUE} FOR UPDATE SKIP LOCKED
        )) RETURNING id, url, next_check_reason""",  # noqa: S608  # of our own text
    # One transaction writes at a time: there is nothing to skip.
    "sqlite": f"""
        UPDATE feeds_feed SET next_check_at = %s, claimed_at = %s
        WHERE id IN (SELECT value FROM json_each(%s)) AND {IS_DUE} RETURNING id, url, next_check_reason""",  # noqa: S608
}

Send = Callable[[str, datetime | None], None]  # a URL, and the slot to come with; None = at once


class Claimed(NamedTuple):
    """A feed to send."""

    url: str
    slot: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one claim did."""

    claimed: list[Claimed]
    put_off: int  # feeds whose host has a slot for them later than we look ahead

    def __bool__(self) -> bool:
        return bool(self.claimed or self.put_off)


def send_due(now: datetime, send: Send, settings: FeedsSettings) -> bool:
    """Claim and send what is due until the queue holds enough. Return whether more may be due.

    Each batch is committed before it is sent. If `send` raises, the rest of the batch is due again after the lease.
    """
    room = settings.claim_limit - outstanding(now)
    sent = put_off = 0
    while room > sent:
        batch = claim(now, min(rate_limit.BATCH, room - sent), settings.host_delay)
        if not batch:
            break
        for feed in batch.claimed:
            send(feed.url, feed.slot)
        sent, put_off = sent + len(batch.claimed), put_off + batch.put_off
    logger.info("claimed=%s put_off=%s room=%s", sent, put_off, room)
    return sent >= room


def outstanding(now: datetime) -> int:
    """Return how many feeds have been sent and not been checked since; what is older than the lease is lost."""
    count: int = Feed.objects.filter(claimed_at__gt=now - rate_limit.LEASE).count()
    return count


def claim(now: datetime, count: int, host_delay: float) -> Batch:
    """Claim up to `count` due feeds in one transaction. Two that do so at the same time get different feeds."""
    with transaction.atomic():
        chosen = rate_limit.fair(_window(now), count)
        rows = _take(now, [feed.id for feed in chosen])
        due = [feed for feed in chosen if feed.id in rows]
        slots = hosts.assign(due, now=now, default_gap=host_delay)
        later = {id_: slot for id_, slot in slots.items() if not rate_limit.is_soon(slot, now)}
        _put_off(later, rows, now)
    return Batch(
        claimed=[Claimed(rows[feed.id][0], slots.get(feed.id)) for feed in due if feed.id not in later],
        put_off=len(later),
    )


def windows(now: datetime) -> tuple[QuerySet[Feed], QuerySet[Feed]]:
    """Return the feeds to send, the longest due first: those that are due, and those with a slot soon after.

    In one query it would have to read all that gets due soon, for the few of them that hold a slot.
    """
    soon = Feed.objects.active().filter(next_check_at__gt=now, next_check_at__lte=now + rate_limit.LOOK_AHEAD)
    return Feed.objects.due(now), soon.filter(slot_at__isnull=False).order_by("next_check_at", "id")


def _window(now: datetime) -> list[rate_limit.Due]:
    """Return the first of the feeds to send, unlocked: locks are taken for those that are chosen of them."""
    rows: list[tuple[int, str, datetime | None]] = []
    for feeds in windows(now):
        rows += feeds.values_list("id", "host", "slot_at")[: rate_limit.WINDOW - len(rows)]
    return [rate_limit.Due(*row) for row in rows]


def _take(now: datetime, ids: list[int]) -> dict[int, tuple[str, str]]:
    """Claim those of the chosen feeds that nobody else has claimed meanwhile; return their URLs and reasons by id."""
    moment = connection.ops.adapt_datetimefield_value
    soon, later = moment(now + rate_limit.LOOK_AHEAD), moment(now + rate_limit.LEASE)
    listed = ",".join(map(str, ids))  # as text: psycopg takes a millisecond for an array of 500
    among = f"{{{listed}}}" if connection.vendor == "postgresql" else f"[{listed}]"
    with connection.cursor() as cursor:
        cursor.execute(TAKE[connection.vendor], [later, moment(now), among, soon, moment(now)])
        return {id_: (url, reason) for id_, url, reason in cursor.fetchall()}


def _put_off(slots: dict[int, datetime], rows: dict[int, tuple[str, str]], now: datetime) -> None:
    """Let feeds be due at their slots."""
    moment = connection.ops.adapt_datetimefield_value
    if slots:
        new, values = hosts.in_rows(
            [(id_, moment(slot), _reason(rows[id_][1], slot, now)) for id_, slot in slots.items()]
        )
        statement = f"""
            UPDATE feeds_feed
            SET next_check_at = new.column2, slot_at = new.column2, claimed_at = NULL, next_check_reason = new.column3
            FROM {new} WHERE id = new.column1"""  # noqa: S608  # of our own text
        with connection.cursor() as cursor:
            cursor.execute(statement, values)


def _reason(reason: str, slot: datetime, now: datetime) -> str:
    return planning.with_slot(reason, (slot - now).total_seconds())


def postpone(known: FeedState, slot: datetime, now: datetime) -> bool:
    """Leave it to the schedule to come back at `slot`. False: it does not look after this feed."""
    polled = Feed.objects.filter(pk=known.id, status=Feed.Status.ACTIVE)
    reason = planning.with_slot(known.history.next_check_reason, (slot - now).total_seconds())
    return bool(polled.update(next_check_at=slot, slot_at=slot, claimed_at=None, next_check_reason=reason))
