"""Large documents in, one after the other out: a bound on the memory that they take in one process.

A document of 10 MiB and what is made of it take 35 MB until it is stored. With eight at once a worker took 350.
"""

import contextlib
import threading
import time

LARGE = 1024 * 1024  # bytes

_place = threading.RLock()  # it knows whose it is, also after an interrupt at the worst moment


class Turn:
    """One fetch's turn to hold a large document; `waited` says for how many seconds it waited for it."""

    waited = 0.0

    def comes(self, seconds: float) -> bool:
        """Wait for so long; return whether it is this thread's turn now. It is until `leave`."""
        if _place.acquire(blocking=False):
            return True
        begun = time.monotonic()
        has_come = _place.acquire(timeout=seconds)
        self.waited += time.monotonic() - begun
        return has_come


def leave() -> None:
    """End this thread's turn, if it is."""
    with contextlib.suppress(RuntimeError):  # not its turn, or not any more
        while True:
            _place.release()
