"""Fetches that begin and end in, who may take long out: a bound on the threads that slow servers hold.

A fetch is slow once it takes longer than `QUICK` seconds. A process has a few places for such fetches. A feed whose
last fetch was slow begins only with a place; any other begins at once and needs one when it turns out to be slow. Who
finds none comes back later. So a hundred servers that hang hold a few threads, and the rest is there for all others.
"""

import threading
from types import TracebackType
from typing import Self

from feeds.deadlines import Patience

QUICK = 2.0  # seconds
COME_BACK = 30.0  # seconds, about: who found no place tries again
STAY_AWAY = 420.0  # who found none for a second time: beyond `pacing.LONGEST_DELAY`, so it is left to the schedule


class Lane:
    """The places of one process. Safe to share between threads."""

    def __init__(self, places: int) -> None:
        self._mutex = threading.Lock()
        self._free = places

    def visit(self, fetch_seconds: float | None) -> "Visit":
        """Return the visit of a feed whose last fetch took so long; None = it was never fetched."""
        return Visit(self, is_slow=fetch_seconds is not None and fetch_seconds >= QUICK)

    def take(self) -> bool:
        """Take a place; return whether there was one."""
        with self._mutex:
            if self._free <= 0:
                return False
            self._free -= 1
            return True

    def give_back(self) -> None:
        with self._mutex:
            self._free += 1


class Visit:
    """One fetch: `is_turned_away` says before it that there is no place, `was_cut` after it that there was none."""

    def __init__(self, lane: Lane, *, is_slow: bool) -> None:
        self._lane = lane
        self._is_slow = is_slow
        self._mutex = threading.Lock()
        self._has_place = False
        self._is_over = False
        self.is_turned_away = False
        self.was_cut = False

    def __enter__(self) -> Self:
        if self._is_slow:
            self._has_place = self._lane.take()
            self.is_turned_away = not self._has_place
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._mutex:
            self._is_over = True
            if self._has_place:
                self._lane.give_back()

    @property
    def patience(self) -> Patience | None:
        """Return what the fetch shall be made with."""
        return None if self._has_place else Patience(seconds=QUICK, may_go_on=self._may_go_on)

    def _may_go_on(self) -> bool:
        with self._mutex:
            self._has_place = not self._is_over and self._lane.take()
            self.was_cut = not self._has_place
            return self._has_place


def wait(*, has_waited: bool, luck: float) -> float:
    """Return in how many seconds to come back for a place. `luck` in [0, 1) is the jitter's random number."""
    return (STAY_AWAY if has_waited else COME_BACK) * (0.75 + 0.5 * luck)
