"""Bulkhead: limit how many worker threads slow servers can occupy.

A fetch begins at once, with an allowance of a few seconds. To go on after those it needs one of the few permits that a
process has; where none is free it is cut, and the feed comes back later. A feed known as slow needs a permit before it
begins. So a hundred servers that hang hold a few threads, and the rest is there for all other feeds.
"""

import threading
from math import inf

from feeds.fetching import Allowance

ALLOWANCE = 2.0  # seconds that a fetch may take without a permit; one that takes longer is slow
FIRST_ALLOWANCE = 1.0  # of a feed never fetched before: where hundreds are new, two seconds for each are too long
PARSE_ALLOWANCE = 5.0  # seconds for parsing: honest documents wait for a child, too, where a hundred feeds are new
FIRST_WAIT = 30.0  # seconds, about, after which a feed that found no permit comes back
LATER_WAIT = 420.0  # if it finds none again: beyond `rate_limit.LONGEST_DELAY`, so that it is left to the schedule


class Bulkhead:
    """The permits of one process. Safe to share between threads."""

    def __init__(self, permits: int, *, allowance: float = ALLOWANCE, first_allowance: float = FIRST_ALLOWANCE) -> None:
        self._permits = threading.BoundedSemaphore(permits)
        self._allowance = allowance
        self._first_allowance = first_allowance

    def permit(self, fetch_seconds: float | None, *, is_new: bool) -> "Permit | None":
        """Return the permit of a feed whose last fetch took so long (None = there was none).

        None: the feed is slow and no permit is free. `is_new`: no fetch of it was finished; if one began, it was cut.
        """
        if fetch_seconds is None:
            return Permit(self._permits, self._first_allowance if is_new else self._allowance)
        if not is_new and fetch_seconds < self._allowance:
            return Permit(self._permits, self._allowance)
        permit = Permit(self._permits, inf)
        return permit if permit.take() else None


class Permit:
    """One import's permit, for its thread only. A feed that is not slow has an allowance until it has to take it."""

    def __init__(self, permits: threading.Semaphore, seconds: float) -> None:
        self._permits = permits
        self._is_taken = False
        self.allowance = Allowance(seconds=seconds, may_go_on=self._may_go_on)
        self.was_cut = False

    def take(self) -> bool:
        """Take it, unless it is taken already; return whether it is now."""
        self._is_taken = self._is_taken or self._permits.acquire(blocking=False)
        return self._is_taken

    def give_back(self) -> None:
        if self._is_taken:
            self._is_taken = False
            self._permits.release()

    def _may_go_on(self) -> bool:
        self.was_cut = not self.take()
        return not self.was_cut


def wait(*, has_waited: bool, jitter: float) -> float:
    """Return in how many seconds to come back for a permit. `jitter` is in [0, 1)."""
    return (LATER_WAIT if has_waited else FIRST_WAIT) * (0.75 + 0.5 * jitter)
