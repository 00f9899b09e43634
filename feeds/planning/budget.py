"""How many new entries of one feed are stored in a day. Pure.

A document may hold 10,000 entries, and the next one 10,000 others; or a few of 6 MB each. What is over the budget is
left out, not forgotten: the document does not count as seen, so a later check takes what still stands in it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from feeds.parsing import bytes_of
from feeds.planning.values import Budget, Circumstances, FeedState, PlannedEntry

DAY = timedelta(days=1)
MOST_BYTES = 100_000  # of an entry that counts as one; a larger one counts as several


def spend(
    feed: FeedState, new: Sequence[PlannedEntry], daily: int, circumstances: Circumstances
) -> tuple[tuple[PlannedEntry, ...], Budget]:
    """Return those of the new entries that are to be stored, the first of the document first, and what is used then.

    A first document is stored whole, whatever its size. `daily` 0 = no limit.
    """
    used = _today(feed.budget, circumstances)
    daily = daily if used.daily_entries is None else used.daily_entries
    if not daily or not feed.history.imported_at:
        return tuple(new), replace(used, left_out=0)
    stored, room = used.day_entries, 0
    while room < len(new) and stored < daily:
        stored += 1 + bytes_of(new[room].entry) // MOST_BYTES
        room += 1
    return tuple(new[:room]), replace(used, day_entries=stored, left_out=len(new) - room)


def _today(budget: Budget, circumstances: Circumstances) -> Budget:
    """Return what is used of the day so far. A day begins with its first new entry; one in the future is an error."""
    now = circumstances.started_at
    if budget.day_began_at and budget.day_began_at <= now < budget.day_began_at + DAY:
        return budget
    return replace(budget, day_began_at=now, day_entries=0)
