"""How many new entries of one feed are stored in a day. Pure.

A document may hold 10,000 entries, and the next one 10,000 others. What is over the budget is left out, not forgotten:
the document does not count as seen, so a later check takes what still stands in it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from feeds.planning.values import Budget, Circumstances, FeedState, PlannedEntry

DAY = timedelta(days=1)


def spend(
    feed: FeedState, new: Sequence[PlannedEntry], daily: int, circumstances: Circumstances
) -> tuple[tuple[PlannedEntry, ...], Budget]:
    """Return those of the new entries that are to be stored, the first of the document first, and what is used then.

    A first document is stored whole, whatever its size. `daily` 0 = no limit.
    """
    used = _today(feed.budget, circumstances)
    daily, room = (daily if used.daily is None else used.daily), len(new)
    if daily and feed.history.imported_at:
        room = max(0, daily - used.stored)
        used = replace(used, stored=used.stored + len(new[:room]))
    return tuple(new[:room]), replace(used, left_out=len(new[room:]))


def _today(budget: Budget, circumstances: Circumstances) -> Budget:
    """Return what is used of the day so far. A day begins with its first new entry; one in the future is an error."""
    now = circumstances.started_at
    if budget.began_at and budget.began_at <= now < budget.began_at + DAY:
        return budget
    return replace(budget, began_at=now, stored=0)
