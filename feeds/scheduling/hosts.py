"""The lines of hosts, in the database: `pacing` decides, this room locks, reads and writes. Times are aware, UTC.

A feed alone on its host goes past the door. Nobody counts the feeds of a host for that, for who adds, moves, merges or
loads feeds might forget to: the first feed that comes to the door is written on it as the lone one, and the next that
comes wipes that out, for good. So every feed but the one that is written there is gated, however it came into the
table. (Once in a host's life, when its second feed first comes, a request of the lone one may be under way.)
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, models, transaction
from django.db.models import F, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from feeds.models import Host
from feeds.planning import HostState, Pause
from feeds.scheduling import rate_limit

MARGIN = 5.0  # seconds a request may take beyond its deadline

AMONG = {
    "postgresql": "feeds_host.name = ANY(ARRAY(SELECT json_array_elements_text(%s)))",
    "sqlite": "feeds_host.name IN (SELECT value FROM json_each(%s))",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """The right to make one request."""

    host: str
    gap: float
    begun_at: datetime
    opens_at: datetime  # as written: the door is ours until then


# One request


def enter(
    host: HostState, *, feed_id: int, slot: datetime | None, default_gap: float, deadline: float
) -> Permission | rate_limit.Wait | None:
    """Ask for a request that takes at most `deadline` seconds. None: nobody has to be asked.

    Gaps in seconds. A `Wait` has reserved its slot already.
    """
    if not rate_limit.is_gated(host, default_gap, timezone.now()):
        return None
    gap = rate_limit.delay(host, default_gap)
    with transaction.atomic():
        row = _locked_one(host.name, feed_id)
        now = timezone.now()  # of the moment from which on nobody else can decide
        line = rate_limit.HostQueue(gap=gap, slot_at=row.slot_at, open_at=row.open_at, paused_until=row.paused_until)
        answer = rate_limit.enter(line, now=now, slot=slot, longest=deadline + MARGIN)
        admitted = isinstance(answer, rate_limit.Admitted)
        Host.objects.filter(name=host.name).update(
            slot_at=answer.line.slot_at,
            open_at=answer.line.open_at,
            lone_feed=feed_id if row.lone_feed == feed_id else None,
            **({"requests": F("requests") + 1} if admitted else {"waits": F("waits") + 1}),
        )
    if isinstance(answer, rate_limit.Wait):
        return answer
    return Permission(host=host.name, gap=gap, begun_at=now, opens_at=answer.line.open_at)


@contextmanager
def holding(ticket: Permission | None) -> Iterator[None]:
    """Make the request inside the block; the door opens again behind it."""
    try:
        yield
    finally:
        if ticket is not None:
            # Whose ticket has run out changes nothing: the door is another's.
            mine = Host.objects.filter(name=ticket.host, open_at=ticket.opens_at)
            mine.update(open_at=rate_limit.leave(begun_at=ticket.begun_at, now=timezone.now(), gap=ticket.gap))


def pause(wanted: Pause) -> None:
    """Pause a host; a pause that ends later stays."""
    _create(wanted.host)
    shorter = models.Q(paused_until__isnull=True) | models.Q(paused_until__lt=wanted.until)
    Host.objects.filter(shorter, name=wanted.host).update(
        paused_until=wanted.until, pause_reason=wanted.reason, pauses=F("pauses") + 1
    )


# Many feeds


def assign(due: list[rate_limit.Due], *, now: datetime, default_gap: float) -> dict[int, datetime]:
    """Reserve slots for feeds that are due together; return them by the feeds' ids. Runs in the caller's transaction.

    Who gets none may go at once.
    """
    lines = _lines(due, now, default_gap)
    slots, changed = rate_limit.assign(due, lines, now)
    # Only the line has moved; counters and pauses may be changed by others as soon as the rows are free.
    _move({name: line.slot_at for name, line in changed.items()})
    return slots


def _move(slots: dict[str, datetime]) -> None:
    """Store the first free slots of hosts."""
    if slots:
        moment = connection.ops.adapt_datetimefield_value
        rows, values = in_rows([(name, moment(slot)) for name, slot in slots.items()])
        with connection.cursor() as cursor:
            statement = f"UPDATE feeds_host SET slot_at = new.column2 FROM {rows} WHERE name = new.column1"  # noqa: S608
            cursor.execute(statement, values)


def _lines(due: list[rate_limit.Due], now: datetime, default_gap: float) -> dict[str, rate_limit.HostQueue]:
    """Return the lines of the hosts that are spaced or paused, locked. A lone feed goes: the door knows its pause."""
    if crowded := _crowded(due, default_gap):
        _share(crowded - set(_shared(crowded).values_list("name", flat=True)))  # before anything is locked
    lines = {}
    locked = _locked(_shared({feed.host for feed in due}))
    rows = locked.values_list("name", "gap", "slot_at", "open_at", "paused_until")
    for name, own_gap, slot_at, open_at, paused_until in rows:
        gap = rate_limit.delay(HostState(name=name, gap=own_gap), default_gap)
        line = rate_limit.HostQueue(gap=gap, slot_at=slot_at, open_at=open_at, paused_until=paused_until)
        if line.gap > 0 or line.is_paused(now):
            lines[name] = line
    return lines


def _crowded(due: list[rate_limit.Due], default_gap: float) -> set[str]:
    seen: set[str] = set()
    twice: set[str] = set()
    for feed in due:
        (twice if feed.host in seen else seen).add(feed.host)
    return {name for name in twice if rate_limit.delay(HostState(name=name), default_gap) > 0}


# Rows


def in_rows(rows: list[tuple[Any, ...]]) -> tuple[str, list[Any]]:
    """Return what a statement can join: SQL for a table `new` of column1, column2 …, and its parameters.

    So one statement changes many rows; the ORM's bulk update would carry a CASE for each.
    """
    row = f"({', '.join(['%s'] * len(rows[0]))})"
    return f"(VALUES {', '.join([row] * len(rows))}) AS new", [value for values in rows for value in values]


def _named(names: Iterable[str]) -> QuerySet[Host]:
    """Return the rows of these hosts. The names go as one text: IN parses each, and psycopg each of an array."""
    condition = RawSQL(AMONG[connection.vendor], (json.dumps(list(names)),), models.BooleanField())  # noqa: S611
    return Host.objects.filter(condition)


def _shared(names: Iterable[str]) -> QuerySet[Host]:
    """Return the rows of those of the hosts that may have several feeds: they have an index of their own."""
    return _named(names).filter(lone_feed=None)


def _share(names: Iterable[str]) -> None:
    """Write down that these hosts have several feeds."""
    rows = [Host(name=name) for name in sorted(names)]
    if rows:
        Host.objects.bulk_create(rows, update_conflicts=True, unique_fields=["name"], update_fields=["lone_feed"])


def _create(name: str, *, lone_feed: int | None = None) -> None:
    Host.objects.bulk_create([Host(name=name, lone_feed=lone_feed)], ignore_conflicts=True)


def _locked(hosts: QuerySet[Host]) -> QuerySet[Host]:
    """Return these rows, locked in the order of names: nobody waits in a circle."""
    return hosts.order_by("name").select_for_update()


def _locked_one(name: str, feed_id: int) -> Host:
    """Return the row of a host, locked. If there is none this feed is the first to come: it is made for it alone."""
    rows = _locked(_named([name]))
    if (row := rows.first()) is None:
        _create(name, lone_feed=feed_id)
        row = rows.get()
    return row
