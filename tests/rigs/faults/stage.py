"""One worker in this process, with real threads, on a real memcached behind a proxy."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Self

import dramatiq
from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Middleware, TimeLimit

from feeds.locking import lock
from tests.rigs import history
from tests.rigs.faults.variants import Variant
from tests.rigs.faults.work import ACTOR, Revisions, Work, lock_key
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.proxy import Proxy


class Watch(Middleware):
    """Wake the waiting row whenever a message has moved.

    By a queue that is written in C. A worker thread that is interrupted while it enters a condition leaves its lock
    behind, and all others wait for it: so ended two of three runs of a thousand interrupts beside four busy processes.
    """

    def __init__(self) -> None:
        self._moves: SimpleQueue[None] = SimpleQueue()

    def wake(self, *_: Any, **__: Any) -> None:
        self._moves.put(None)

    def wait(self, check: Callable[[], bool], seconds: float) -> bool:
        """Look whenever something has moved; return whether the check was true in time."""
        deadline = time.monotonic() + seconds
        while not check():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with suppress(Empty):
                self._moves.get(timeout=left)
                while True:  # one look for all that moved meanwhile
                    self._moves.get_nowait()
        return True

    after_ack = after_nack = after_enqueue = after_process_message = after_skip_message = wake


class Stage:
    """A lock under test, its worker, its store, and what can be seen of them from outside."""

    def __init__(
        self,
        variant: Variant,
        folder: Path,
        *,
        threads: int = 2,
        outside: Iterable[Middleware] = (),
        inside: Iterable[Middleware] = (),
        limit_interval: int = 20,
        **options: Any,
    ) -> None:
        self.variant = variant
        self.memcached = Memcached(folder)
        self.watch = Watch()
        self._closed: set[str] = set()  # keys
        self._log = folder / "history"
        self._threads = threads
        self._outside, self._inside = list(outside), list(inside)
        self._limit_interval = limit_interval  # ms between two looks at the time limit
        self._options = (
            {
                "lock_key": str,
                "lock_expire": 60,
                "time_limit": 50_000,
                "max_retries": 5,
                "min_backoff": 100,
                "max_backoff": 200,
            }
            | variant.options
            | options
        )
        self._stack = ExitStack()
        self._recorder = history.Recorder(self._log)
        self._revisions = Revisions(folder / "revisions")

    def __enter__(self) -> Self:
        self._stack.enter_context(self.memcached)
        self.proxy = self._stack.enter_context(Proxy(self.memcached.port))
        middleware = self.variant.middleware(
            self.proxy.location,
            outside=[self.watch, *self._outside],
            inside=self._inside,
            interval=self._limit_interval,
        )
        self.broker = StubBroker(middleware=middleware, fail_fast_default=False)
        self.broker.emit_after("process_boot")
        work = Work(self._recorder, self._revisions, fenced=self.variant.fenced, locked=self.locked, hold=self._hold)
        self.actor = dramatiq.actor(work, broker=self.broker, actor_name=ACTOR, **self._options)
        self._worker = Worker(self.broker, worker_timeout=20, worker_threads=self._threads)
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.clear()
        self._stack.close()  # first: a thread that hangs in a read goes on when the connection is cut
        self._worker.stop(timeout=2_000)
        self.variant.close(self.broker.middleware)
        self._recorder.close()
        for each in self.broker.middleware:
            if isinstance(each, TimeLimit):
                each.manager.interval = 3_600  # s; Dramatiq's thread never ends, so it may as well sleep

    # What a row does

    def send(self, key: str, **options: Any) -> None:
        self._recorder.write("request", key=key)
        self.actor.send_with_options(args=(key,), **options)

    def request(self, key: str) -> Any:
        """Return a message that is to be sent by the row itself."""
        self._recorder.write("request", key=key)
        return self.actor.message(key)

    def token(self, message_id: str, expire: int) -> bytes:
        """Return what a worker that took the lock for a message a moment ago has left in memcached."""
        if self.variant.name == "recipe":
            return b"true"
        return str(lock.Token.make(message_id, time.time(), expire)).encode()

    def close(self, key: str) -> None:
        """Let no run of `key` end before `open`."""
        self._closed.add(key)

    def begin(self, key: str) -> None:
        """Send a message whose run goes on until `open`, and wait until it has begun."""
        self.close(key)
        self.send(key)
        assert self.wait(lambda: self.begun(key) == 1, within=5)

    def open(self, key: str) -> None:
        self._closed.discard(key)

    def wait(self, check: Callable[[], bool], *, within: float) -> bool:
        """Wait until `check` is true; return whether it is. `within` in seconds."""
        return self.watch.wait(check, within)

    def run(self, key: str) -> None:
        """Send a message and wait until it has run: the worker has connections from now on."""
        self.send(key)
        assert self.wait(lambda: bool(self.history().served(key)) and self.idle(), within=10)

    # What a row sees

    def history(self) -> history.History:
        return history.read(self._log)

    def begun(self, key: str) -> int:
        return sum(run.key == key for run in self.history().runs)

    def locked(self, key: str) -> bool:
        """Tell whether memcached holds the lock, asked past the proxy."""
        try:
            return self.memcached.get(lock_key(key)) is not None
        except OSError:
            return False

    def threads(self) -> list[threading.Thread]:
        return list(self._worker.workers)

    def decided(self) -> bool:
        """Tell whether every message has been tried: it is done with, or was put back with a delay."""
        return bool(self.broker.queues["default"].unfinished_tasks == 0)

    def one_is_working(self) -> bool:
        """Tell whether of all messages that are due only the one that runs is left."""
        return bool(self.broker.queues["default"].unfinished_tasks == 1)

    def idle(self) -> bool:
        """Tell whether no message is left, delayed or not."""
        return self.decided() and self.broker.queues["default.DQ"].unfinished_tasks == 0

    def settle(self, within: float = 10.0) -> list[str]:
        """Wait until no message is left; say what is wrong if one is."""
        return [] if self.wait(self.idle, within=within) else [f"a message is still there after {within:g} s"]

    # The parts

    def _hold(self, key: str) -> None:
        self.watch.wake()
        while key in self._closed:
            time.sleep(0.01)  # in short steps: an interrupt waits for the end of each
