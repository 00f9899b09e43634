"""The end of a fetch, and how to wait for something until then."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from feeds.fetching.values import Allowance

ALERT = 0.5  # seconds after which a waiting thread wakes, so that an exception that Dramatiq raises in it takes effect
SHORTEST_WAIT = 0.001  # seconds; a time-out of 0 would mean a socket that does not block

T = TypeVar("T")


class DeadlineExpired(Exception):
    """There is no time left."""


class Deadline:
    """The end of one fetch, whatever it is doing then; or before, where its allowance is over."""

    def __init__(self, seconds: float, allowance: Allowance | None = None) -> None:
        self.seconds = seconds
        self._allowance = allowance or Allowance()
        self._begun = time.monotonic()
        self._expired = False

    def remaining(self) -> float:
        """Return the seconds until the end or that of the allowance; raise DeadlineExpired where it has come."""
        passed = time.monotonic() - self._begun
        counted = passed - self._allowance.connecting
        if self._expired or passed >= self.seconds:
            raise DeadlineExpired
        if counted >= self._allowance.seconds and not self._allowance.ask():
            self._expired = True  # a permit that has become free since changes nothing
            raise DeadlineExpired
        return min(self.seconds - passed, self._allowance.seconds - counted)

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """Connect inside of the block: if that succeeds it counts for the deadline, and not for the allowance."""
        begun = time.monotonic()
        with self.timed("connect"):
            yield
        self._allowance.connecting += time.monotonic() - begun

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the seconds of the block to those of a stage, for people to read."""
        begun, stages = time.monotonic(), self._allowance.stages
        try:
            yield
        finally:
            stages[stage] = stages.get(stage, 0.0) + time.monotonic() - begun

    def wait(self, attempt: Callable[[float], T], longest: float) -> T:
        """Return what `attempt` does within the seconds that it is given, again and again.

        Raise TimeoutError where it does nothing for `longest` seconds, and DeadlineExpired at the deadline.
        """
        end = time.monotonic() + longest
        while True:
            seconds = min(self.remaining(), end - time.monotonic(), ALERT)
            try:
                return attempt(max(seconds, SHORTEST_WAIT))
            except TimeoutError as error:
                self.remaining()
                if error.errno or time.monotonic() >= end:  # with a number it comes from the network
                    raise
