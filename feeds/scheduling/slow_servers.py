"""Fetches that begin and end in, who may take long out: a bound on the threads that slow servers hold.

A process has a few places for slow fetches: those that take longer than `QUICK` seconds. A feed begins at once, and
needs a place when it turns out to be slow; who finds none is cut and comes back, and then begins only with a place. So
a hundred servers that hang hold a few threads, and the rest is there for all others.

Where hundreds are new, two seconds for each are too long. So a feed never fetched before is *late* already when it
takes much longer than fetches took lately, and then needs a place for late ones, until it is slow. Of these there are
more while waiting pays: while late servers answer after all. Who was cut comes back to one in four of them.
"""

import threading
from collections import deque
from math import inf
from types import TracebackType
from typing import Self

from feeds.fetching import Patience

QUICK = 2.0  # seconds
SHORTEST = 0.15  # seconds that any fetch may take
REMEMBERED = 100  # fetches
ENOUGH = 8  # fetches to judge others by
COME_BACK = 30.0  # seconds, about: who found no place tries again
STAY_AWAY = 420.0  # who found none for a second time: beyond `pacing.LONGEST_DELAY`, so it is left to the schedule


class Lane:
    """Some places. Safe to share between threads."""

    def __init__(self, places: int) -> None:
        self._mutex = threading.Lock()
        self._places = places
        self._taken = 0

    def take(self, *, keep: int = 0) -> bool:
        """Take a place; return whether there was one beside those to keep."""
        with self._mutex:
            if self._taken + keep >= self._places:
                return False
            self._taken += 1
            return True

    def give_back(self, *, answered: bool) -> None:
        """Give a place back, and say what came of it."""
        with self._mutex:
            self._taken -= 1


class LateLane(Lane):
    """As many places as it pays to have: who answers makes two more, who does not one less.

    There is one for each slow place at least. At the most there are far more than threads: so a run of servers that
    hang does not outweigh the many that answer.
    """

    def __init__(self, slow_places: int) -> None:
        super().__init__(4 * slow_places)
        self.least, self._most = slow_places, 32 * slow_places

    @property
    def kept_for_new(self) -> int:
        """Return how many places those that come back leave free. They have one in four: most of them hang again."""
        return self._places - max(self.least, self._places // 4)

    def give_back(self, *, answered: bool) -> None:
        super().give_back(answered=answered)
        with self._mutex:
            self._places = max(self.least, min(self._most, self._places + (2 if answered else -1)))


class Habit:
    """What fetches took lately. Safe to share between threads."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._took: deque[float] = deque(maxlen=REMEMBERED)

    def note(self, seconds: float) -> None:
        with self._mutex:
            self._took.append(seconds)

    def limit(self) -> float:
        """Return the seconds after which a fetch is late: 1.5 times what three of four took, be they cut or not.

        So it follows where more than a quarter of all servers takes longer.
        """
        with self._mutex:
            took = sorted(self._took)
        if len(took) < ENOUGH:
            return QUICK
        return min(QUICK, max(SHORTEST, 1.5 * took[len(took) * 3 // 4]))


class Lanes:
    """All of one process."""

    def __init__(self, slow_places: int) -> None:
        self.slow = Lane(slow_places)
        self.late = LateLane(slow_places)
        self.habit = Habit()

    def visit(self, fetch_seconds: float | None, *, is_new: bool) -> "Visit":
        """Return the visit of a feed whose last fetch took so long, None = there was none.

        `is_new` says that none has come to its end: if there was one, it was cut.
        """
        if fetch_seconds is not None and fetch_seconds >= QUICK:
            return Visit(self, needs=self.slow, seconds=inf)
        if is_new and fetch_seconds is not None:
            return Visit(self, needs=self.late, keep=self.late.kept_for_new, seconds=QUICK)
        return Visit(self, seconds=SHORTEST if is_new else QUICK)


class Visit:
    """One fetch: `is_turned_away` says before it that there is no place, `was_cut` after it that there was none."""

    def __init__(self, lanes: Lanes, *, needs: Lane | None = None, keep: int = 0, seconds: float) -> None:
        self._lanes = lanes
        self._needs = needs
        self._keep = keep
        self.patience = Patience(seconds=seconds, more=self._more)  # what the fetch shall be made with
        self._mutex = threading.Lock()
        self._place: Lane | None = None
        self._is_over = False
        self.is_turned_away = False
        self.was_cut = False

    def __enter__(self) -> Self:
        self.is_turned_away = self._needs is not None and not self._takes(self._needs, keep=self._keep)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._mutex:
            self._is_over = True
            if self._place:
                self._place.give_back(answered=not self.was_cut)

    def _more(self, passed: float) -> float:
        """Return how many seconds more the fetch has, after so many."""
        with self._mutex:
            if self._is_over:
                return 0.0
            if passed < QUICK and self._place is None:
                if (rest := self._lanes.habit.limit() - passed) > 0:
                    return min(rest, SHORTEST)  # by then more may be known of what fetches take
                if self._takes(self._lanes.late, keep=self._lanes.late.least):
                    return QUICK - passed
            if self._takes(self._lanes.slow):
                return inf
            self.was_cut = True
            return 0.0

    def _takes(self, lane: Lane, *, keep: int = 0) -> bool:
        if not lane.take(keep=keep):
            return False
        if self._place:
            self._place.give_back(answered=False)
        self._place = lane
        return True


def wait(*, has_waited: bool, luck: float) -> float:
    """Return in how many seconds to come back for a place. `luck` in [0, 1) is the jitter's random number."""
    return (STAY_AWAY if has_waited else COME_BACK) * (0.75 + 0.5 * luck)
