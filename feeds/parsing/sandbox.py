"""Read documents in children: processes that can be killed, with limits on memory and on processor time.

Python cannot stop a thread inside of C code, and one regular expression can hold all of them. A child knows no Django
and no database. Its environment is emptied; but spawned by multiprocessing it inherits that of its parent, and what it
began with stays readable in its own /proc/self/environ.
"""

import logging
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from multiprocessing.popen_spawn_posix import Popen
from multiprocessing.process import BaseProcess
from typing import Any

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from feeds.exceptions import describe
from feeds.outcomes import FailureKind
from feeds.parsing.answers import CRASHED, Parsed, PipesOfMessages, packed, unpacked
from feeds.parsing.interpreter import WithoutMain, start_problem
from feeds.parsing.reading import read
from feeds.parsing.values import Document, ParsedFeed, SandboxUnavailable, Unreadable

logger = logging.getLogger(__name__)

MEMORY = 240 * 1024 * 1024  # bytes of address space of a child; a feed of 10 MiB takes 150
WALL = 3  # times the limit of processor time: what a child may take by the clock of a busy machine
PATIENCE = 30.0  # seconds until a child begins to read a document
ALERT = 0.5  # seconds; a thread that waits looks up so often, and Dramatiq can interrupt it then
RETIRED_AFTER = 100  # documents; a new child takes 0.3 s of the processor

# Signals that nothing in a document brings about, while the memory is limited: a deployment, a system short of memory.
_FROM_OUTSIDE = frozenset({-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, -signal.SIGINT})

GoesOn = Callable[[], bool]  # may parsing go on?
STOPPED = "parsing was not to take longer"


class Sandbox:
    """As many children as there are processors, started when the first document comes. Threads may share one.

    Idle children stay, of about 40 MB each. A process that was forked off starts its own.
    """

    def __init__(self, *, limit: float, memory: int = MEMORY, patience: float = PATIENCE) -> None:
        """`limit`: seconds of the processor for one document; `memory`: bytes; `patience`: seconds for a child."""
        self._limits = _Limits(processor=limit, memory=memory, patience=patience)
        self._children: dict[int, _Children] = {}  # by the id of the process that they belong to

    def read(
        self, document: Document, seen: frozenset[bytes] = frozenset(), *, goes_on: GoesOn = lambda: True
    ) -> ParsedFeed | Unreadable:
        """Read a decoded document as `reading.read` does; raise SandboxUnavailable where no child can.

        `goes_on` is asked again and again; where it says no, that is raised, too.
        """
        return self._own().read(document, seen, goes_on)

    def close(self) -> None:
        self._own().close()

    def _own(self) -> "_Children":
        return self._children.setdefault(os.getpid(), _Children(self._limits))  # atomic


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    processor: float
    memory: int
    patience: float


class _NotBegun(Exception):
    """The children ended before one of them had the document."""


class _Process(SpawnProcess):
    """A daemon, whatever Pebble says: else a worker of Dramatiq that ends would wait for its children for ever."""

    @property
    def daemon(self) -> bool:
        return True

    @daemon.setter
    def daemon(self, value: bool) -> None:
        pass

    @staticmethod
    def _Popen(process: BaseProcess) -> Popen:  # the name is multiprocessing's
        return WithoutMain(process)


class _Context(PipesOfMessages):
    Process = _Process


class _Children:
    """The children of one process: a pool of Pebble's, and another one where that breaks."""

    def __init__(self, limits: _Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._pool: ProcessPool | None = None
        self._asked: dict[ProcessFuture[Any], ProcessPool] = {}
        self._has_told = False

    def read(self, document: Document, seen: frozenset[bytes], goes_on: GoesOn) -> Parsed:
        try:
            return self._read_once(document, seen, goes_on)
        except _NotBegun:  # a child that ends while it is idle breaks the pool
            pass
        try:
            return self._read_once(document, seen, goes_on)
        except _NotBegun as error:
            raise SandboxUnavailable(f"no process for parsing can start: {error}") from error

    def _read_once(self, document: Document, seen: frozenset[bytes], goes_on: GoesOn) -> Parsed:
        pool = self._current_pool()
        try:
            future = pool.schedule(_answer, args=(document, seen, self._limits.processor))
        except Exception as error:  # the pool starts here; the document is sent later, by a thread of its own
            self._discard(pool)
            raise _NotBegun(describe(error)) from error
        self._asked[future] = pool
        try:
            return self._result(future, goes_on)
        except BrokenProcessPool as error:
            self._discard(pool)
            raise _NotBegun(describe(error.__cause__ or error)) from error
        except TimeoutError as error:
            self._discard(pool)
            raise SandboxUnavailable(str(error)) from error
        except CancelledError as error:
            raise SandboxUnavailable("the processes for parsing were closed") from error
        finally:  # whatever interrupts: its child is killed
            self._asked.pop(future, None)
            future.cancel()  # type: ignore[no-untyped-call]

    def _result(self, future: "ProcessFuture[Any]", goes_on: GoesOn) -> Parsed:
        """Return what the child says, or why it says nothing; raise TimeoutError where none has begun."""
        began, asked = None, time.monotonic()
        while True:
            try:
                is_limited, answer = future.result(ALERT)
            except TimeoutError:
                if not goes_on():
                    raise SandboxUnavailable(STOPPED) from None
                now = time.monotonic()
                began = began or (now if future.running() else None)
                if began is None and now - asked > self._limits.patience:
                    raise TimeoutError(f"no process for parsing was ready within {now - asked:.0f} s") from None
                if began is not None and now - began > WALL * self._limits.processor:
                    return self._took_too_long()
            except ProcessExpired as error:
                return self._expired(error.exitcode)
            else:
                self._tell(is_limited=is_limited)
                return unpacked(answer)

    def _expired(self, code: int) -> Parsed:
        if code in _FROM_OUTSIDE:
            raise SandboxUnavailable(f"the process for parsing was ended from outside ({signal.Signals(-code).name})")
        return self._took_too_long() if code == -signal.SIGXCPU else CRASHED

    def _took_too_long(self) -> Unreadable:
        return _hostile(f"parsing took longer than {self._limits.processor:g} s")

    def _tell(self, *, is_limited: bool) -> None:
        if not is_limited and not self._has_told:
            self._has_told = True
            logger.warning("this system does not limit the memory of the processes for parsing")

    # The pool

    def _current_pool(self) -> ProcessPool:
        with self._lock:
            if self._pool is None:
                if problem := start_problem():  # or it would be waited for, and in vain
                    raise SandboxUnavailable(problem)
                self._pool = ProcessPool(
                    max_workers=os.cpu_count() or 1,
                    max_tasks=RETIRED_AFTER,
                    initializer=_prepare,
                    initargs=(self._limits.memory,),
                    context=_Context(),
                )
            return self._pool

    def _discard(self, pool: ProcessPool) -> None:
        """End a pool; the next document starts another one."""
        with self._lock:
            if self._pool is not pool:
                return
            self._pool = None
        for future, asked in tuple(self._asked.items()):
            if asked is pool:  # which will answer no more
                future.cancel()  # type: ignore[no-untyped-call]
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()

    def close(self) -> None:
        if (pool := self._pool) is not None:
            self._discard(pool)


def _hostile(text: str) -> Unreadable:
    return Unreadable(kind=FailureKind.HOSTILE, text=text)


# The child's side


def _prepare(memory: int) -> None:
    """Make a new child ready: before that it gets no document."""
    # Pebble's own handler waits for Python, which a regular expression may hold.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ.clear()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, memory) or _limit(resource.RLIMIT_DATA, memory)


def _limit(kind: int, most: int) -> bool:
    """Lower a limit of this process; return False where the system, such as macOS, or whoever started us refuses."""
    hard = resource.getrlimit(kind)[1]
    try:
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    except (ValueError, OSError, OverflowError):
        return False
    return True


def _answer(document: Document, seen: frozenset[bytes], limit: float) -> tuple[bool, bytes]:
    """Return whether this child's memory is limited, and what the document says, pickled."""
    _limit_processor(limit)
    try:
        answer = packed(read(document, seen))
    except MemoryError:
        answer = packed(_hostile(f"parsing took more than {MEMORY >> 20} MB of memory"))
    except Exception as error:
        answer = packed(_hostile(f"the parser failed: {type(error).__name__}"))
    limits = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    return any(limit != resource.RLIM_INFINITY for limit in limits), answer


def _limit_processor(limit: float) -> None:
    """Let the system end this process (SIGXCPU) when it has taken so many seconds more; else its parent does, later."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + limit) + 1)
