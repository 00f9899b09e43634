"""A broker for one process: the queue in memory, the workers beside the sender.

A message takes the same way as with a server: sender, broker, middleware, actor. What is still queued when the process
ends is worked off within a bound; what is left then is not lost for good: the database knows which feeds are due.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker
from dramatiq.errors import QueueJoinTimeout

if TYPE_CHECKING:
    from dramatiq import Message, Middleware

logger = logging.getLogger(__name__)

THREADS = 4
EXIT_SECONDS = 60.0  # for draining at exit


class EmbeddedBroker(StubBroker):
    """Dramatiq's StubBroker with worker threads that start with the first message and drain at exit."""

    def __init__(self, middleware: list[Middleware] | None = None) -> None:
        super().__init__(middleware, fail_fast_default=False)
        self._starting = threading.Lock()
        self._worker: Worker | None = None
        self._booted = False

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        self.start()
        return super().enqueue(message, delay=delay)

    def start(self) -> None:
        """Start the worker threads, once."""
        with self._starting:
            if self._worker is None:
                if not self._booted:  # arm TimeLimit, as Dramatiq's own command line does: its thread can start once
                    self.emit_after("process_boot")
                    self._booted = True
                worker = Worker(self, worker_threads=THREADS, worker_timeout=100)
                worker.start()
                self._worker = worker
                atexit.register(self.stop)

    def drain(self, timeout: float) -> bool:
        """Wait until every queue is empty, at most `timeout` seconds. Return whether they are."""
        deadline = time.monotonic() + timeout
        try:
            for name in self.get_declared_queues() - self.get_declared_delay_queues():
                self.join(name, timeout=max(1, int((deadline - time.monotonic()) * 1000)))
        except QueueJoinTimeout:
            return False
        return True

    def stop(self) -> None:
        """Drain and stop the workers; a later message starts new ones."""
        if (worker := self._worker) is None:
            return
        atexit.unregister(self.stop)
        if not self.drain(EXIT_SECONDS):
            logger.warning(
                "messages are left in the embedded queue; the next run of import_feeds --due finds the feeds"
            )
        worker.stop()
        self._worker = None  # not before: what a worker sends meanwhile, as a copy of its message, must start no other
