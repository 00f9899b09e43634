"""A fetched body in, a ParsedFeed (or why it is none) out, and no document holds a thread for longer than a limit.

Python cannot stop a thread inside C code, and one regular expression can hold all of them. So what is large, not
well-formed or has crashed before is parsed by a child: a process without Django, database or secrets, whose memory is
limited, and which is killed when it takes too long. What is small and well-formed is parsed right here.
"""

import atexit
import contextlib
import logging
import os
import pickle
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from xml.parsers import expat

from feeds.outcomes import FailureKind
from feeds.parsing import parser
from feeds.parsing.values import Document, ParsedFeed, Unreadable

logger = logging.getLogger(__name__)

INLINE_BYTES = 256 * 1024  # the worst that was built of so many took 0.9 s
MEMORY = 240 * 1024 * 1024  # bytes of address space of a child; a feed of 10 MiB takes 150
RETIRED_AFTER = 8 * 1024 * 1024  # bytes of documents; what a process has taken it gives back late or never
ALERT = 0.5  # seconds; a thread that waits looks up so often, and Dramatiq can interrupt it then
IDLE = 300.0  # seconds after which a child without work ends
_LENGTH = 8  # bytes that say how long a message is

_Parsed = ParsedFeed | Unreadable


def parse(
    document: Document, seen: frozenset[bytes] = frozenset(), *, limit: float, suspicious: bool = False
) -> ParsedFeed | Unreadable:
    """Parse as `parser.parse` does, within `limit` seconds.

    `suspicious` says that the last document of this feed was hostile, or crashed the parser.
    """
    if not suspicious and _is_plain(document.body):
        return _parse_here(document, seen)
    return _children.parse(document, seen, limit)


def _is_plain(body: bytes) -> bool:
    """Say whether a document cannot take long."""
    return len(body) <= INLINE_BYTES and (body.lstrip().startswith(b"{") or _is_well_formed(body))


def _is_well_formed(body: bytes) -> bool:
    try:
        expat.ParserCreate().Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError):  # the latter: encodings that expat or Python does not know
        return False
    return True


def _parse_here(document: Document, seen: frozenset[bytes]) -> _Parsed:
    try:
        return parser.parse(document, seen)
    except MemoryError:
        return _hostile(f"parsing took more than {MEMORY >> 20} MB of memory")
    except Exception as error:  # a fault of ours or of feedparser's, and no reason to import no feed at all
        logger.exception("url=%s: the parser failed", document.url)
        return _hostile(f"the parser failed: {type(error).__name__}")


def _hostile(text: str) -> Unreadable:
    return Unreadable(kind=FailureKind.HOSTILE, text=text)


# The parent's side


class _Child:
    """One process that parses, one document at a time."""

    def __init__(self) -> None:
        self.asked = 0  # bytes
        self._socket, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-c", f"from {__name__} import main; main()"]
            self._process = subprocess.Popen(command, stdin=theirs.fileno(), env=_environment())  # noqa: S603

    def ask(self, request: bytes, body: bytes, deadline: float) -> bytearray:
        """Return the answer; raise TimeoutError, or EOFError or ConnectionError where the child has ended."""
        self.asked += len(body)
        for message in (request, body):
            self._socket.settimeout(_rest(deadline))
            _send(self._socket, message)
        return _received(self._socket, deadline)

    def kill(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()


def _environment() -> dict[str, str]:
    """Return what a child needs to find the same modules: no secrets."""
    inherited = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "TZ")
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return {name: os.environ[name] for name in inherited if name in os.environ} | {"PYTHONPATH": path}


class _Children:
    """As many children as there are processors, each started when it is needed first."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._idle: list[_Child] = []  # append and pop are atomic

    def parse(self, document: Document, seen: frozenset[bytes], limit: float) -> _Parsed:
        while not self._slots.acquire(timeout=ALERT):  # without an end: the time limit of the actor interrupts
            pass
        try:
            parsed: _Parsed = pickle.loads(self._answer(document, seen, limit))  # noqa: S301  # of our own child
            return parsed
        except TimeoutError:
            return _hostile(f"parsing took longer than {limit:g} s")
        except (EOFError, ConnectionError):
            return _hostile("the parser crashed")
        finally:
            self._slots.release()

    def _answer(self, document: Document, seen: frozenset[bytes], limit: float) -> bytearray:
        deadline = time.monotonic() + limit
        request = pickle.dumps((replace(document, body=b""), seen, limit))  # the body goes as it is: it may be large
        while self._idle:
            # A child that was idle for long may be about to end. So only the end of a new one says something.
            with contextlib.suppress(EOFError, ConnectionError):
                return self._asked(self._idle.pop(), request, document.body, deadline)
        return self._asked(_Child(), request, document.body, deadline)

    def _asked(self, child: _Child, request: bytes, body: bytes, deadline: float) -> bytearray:
        try:
            answer = child.ask(request, body, deadline)
        except BaseException:  # whatever interrupts: a late answer must never be taken for the next one
            child.kill()
            raise
        if child.asked < RETIRED_AFTER:
            self._idle.append(child)
        else:
            child.kill()
        return answer

    def close(self) -> None:
        while self._idle:
            self._idle.pop().kill()


_children = _Children()
atexit.register(lambda: _children.close())


def _begin_anew() -> None:
    """Leave the children to the parent of a forked process."""
    global _children
    _children = _Children()


os.register_at_fork(after_in_child=_begin_anew)


# Both sides


def _rest(deadline: float) -> float:
    rest = deadline - time.monotonic()
    if rest <= 0:
        raise TimeoutError
    return rest


def _send(connection: socket.socket, message: bytes) -> None:
    connection.sendall(len(message).to_bytes(_LENGTH))
    connection.sendall(message)


def _received(connection: socket.socket, deadline: float) -> bytearray:
    length = int.from_bytes(_exactly(connection, _LENGTH, deadline))
    return _exactly(connection, length, deadline)


def _exactly(connection: socket.socket, length: int, deadline: float) -> bytearray:
    """Return so many bytes; raise EOFError where the connection ends before, TimeoutError at the deadline."""
    data = bytearray(length)
    view, position = memoryview(data), 0
    while position < length:
        connection.settimeout(min(_rest(deadline), ALERT))
        try:
            received = connection.recv_into(view[position:])
        except TimeoutError:
            continue
        if not received:
            raise EOFError
        position += received
    return data


# The child's side


def _serve(connection: socket.socket) -> None:
    """Answer until there is nobody who asks, or nothing to do for long."""
    while True:
        try:
            request = _received(connection, time.monotonic() + IDLE)
            body = bytes(_received(connection, time.monotonic() + IDLE))
        except (EOFError, TimeoutError):
            return
        document, seen, limit = pickle.loads(request)  # noqa: S301  # of our own parent
        _limit_cpu(limit)
        answer = pickle.dumps(_parse_here(replace(document, body=body), seen))
        connection.settimeout(None)
        _send(connection, answer)
        del body, answer


def _limit_cpu(limit: float) -> None:
    """End this process by itself some time after its parent would have killed it, should there be no parent."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + limit) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent; its end ends this process, too
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))
    with socket.socket(fileno=sys.stdin.fileno()) as connection:
        _serve(connection)
