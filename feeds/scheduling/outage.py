"""Detect an outage of our own network from recent fetch failures.

The failures of a machine that was asleep or offline must not count against the feeds.
"""

import threading
from datetime import datetime, timedelta

from feeds.outcomes import FailureKind

UNREACHED = frozenset({FailureKind.DNS, FailureKind.CONNECT, FailureKind.TIMEOUT})
UNASKED = frozenset({FailureKind.INVALID_URL, FailureKind.REFUSED_ADDRESS})  # which says nothing of the network
HOSTS = 10  # so many different hosts in a row without a single answer
MEMORY = timedelta(minutes=10)


class OutageDetector:
    """Remembers which hosts one process could not reach lately. Safe to share between threads."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._unreached: dict[str, datetime] = {}

    def note(self, host: str, kind: FailureKind | None, now: datetime) -> bool:
        """Note how a fetch went; return whether it failed because nothing at all can be reached."""
        if kind in UNASKED:
            return False
        with self._mutex:
            if kind not in UNREACHED:
                self._unreached.clear()  # a server has answered
                return False
            self._unreached[host] = now
            self._unreached = {name: at for name, at in self._unreached.items() if now - at < MEMORY}
            return len(self._unreached) > HOSTS
