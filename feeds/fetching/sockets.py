"""Seconds in, a socket that is shut down when they are over out: what keeps a server from holding a thread for ever.

Time-outs of sockets begin anew with every byte, so a server that sends one now and then would never meet one. A
watchdog shuts the socket down instead; reading then ends at once.
"""

import contextlib
import heapq
import itertools
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from feeds.fetching.ip_policy import IPPolicy
from feeds.fetching.names import AddressInfo, Resolver, SocketAddress
from feeds.outcomes import FailureKind

THREAD_IDLE_SECONDS = 10.0
ALERT = 0.5  # seconds; a thread that waits looks up so often, and Dramatiq can interrupt it then


class DeadlineExpired(Exception):
    """There is no time left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """After so many seconds somebody is asked how many more the fetch may take, and after those again."""

    seconds: float
    more: Callable[[float], float]  # how many have passed -> more; 0 = end it. In the watchdog's thread; must not wait
    turn: Callable[[float], bool] | None = None  # waits so many seconds for a large document's turn -> whether it came


class Deadline:
    """The end of one fetch, whatever it is doing then."""

    def __init__(self, watchdog: "Watchdog", seconds: float, patience: Patience | None = None) -> None:
        self._watchdog = watchdog
        self._patience = patience if patience and patience.seconds < seconds else None
        self._turn = patience.turn if patience else None
        self.seconds = seconds
        self._begun = time.monotonic()
        self.at = self._begun + seconds
        self.looked_at = self._begun + self._patience.seconds if self._patience else self.at
        self.expired = False
        self.finished = False
        self.handle: socket.socket | None = None

    def __enter__(self) -> Self:
        self._watchdog.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watchdog.remove(self)

    def remaining(self) -> float:
        """Return the seconds left; raise DeadlineExpired when there are none."""
        remaining = self.at - time.monotonic()
        if self.expired or remaining <= 0:
            raise DeadlineExpired
        return remaining

    def take_turn(self) -> None:
        """Wait until a large document may be held; raise DeadlineExpired if there is no time left before."""
        while self._turn and not self._turn(min(ALERT, self.remaining())):
            pass

    def guard(self, sock: socket.socket) -> None:
        """Have `sock` shut down at the deadline, instead of the one guarded so far."""
        # A duplicate: TLS takes the descriptor out of the socket it wraps, and closing hands the number to others.
        handle = socket.socket(sock.family, sock.type, sock.proto, fileno=socket.dup(sock.fileno()))
        self._watchdog.guard(self, handle)

    def goes_on(self, now: float) -> bool:
        """Ask whether there is more time. `now` as time.monotonic() says it."""
        if self._patience is None or now >= self.at:
            return False
        more = self._patience.more(now - self._begun)
        self.looked_at = min(self.at, now + more)
        return more > 0


class Watchdog:
    """Shuts down the sockets of all fetches that are past their deadline, from one thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Deadline]] = []
        self._tickets = itertools.count()
        self._wakes_at = 0.0
        self._thread: threading.Thread | None = None

    def add(self, deadline: Deadline) -> None:
        with self._changed:
            self._push(deadline)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="feeds-watchdog", daemon=True)
                self._thread.start()
            elif deadline.looked_at < self._wakes_at:
                self._changed.notify()

    def guard(self, deadline: Deadline, handle: socket.socket) -> None:
        with self._changed:
            self._drop_handle(deadline)
            deadline.handle = handle
            if deadline.expired:
                self._shut_down(deadline)

    def remove(self, deadline: Deadline) -> None:
        with self._changed:
            deadline.finished = True
            self._drop_handle(deadline)
            while self._heap and self._heap[0][2].finished:
                heapq.heappop(self._heap)

    def _push(self, deadline: Deadline) -> None:
        heapq.heappush(self._heap, (deadline.looked_at, next(self._tickets), deadline))

    def _watch(self) -> None:
        with self._changed:
            while self._heap or not self._idled():
                now = time.monotonic()
                while self._heap and self._heap[0][0] <= now:
                    self._look_at(heapq.heappop(self._heap)[2], now)
                if self._heap:
                    self._wait(self._heap[0][0] - now)
            self._thread = None

    def _idled(self) -> bool:
        return not self._wait(THREAD_IDLE_SECONDS) and not self._heap

    def _wait(self, seconds: float) -> bool:
        self._wakes_at = time.monotonic() + seconds
        return self._changed.wait(seconds)

    def _look_at(self, deadline: Deadline, now: float) -> None:
        if deadline.finished:
            return
        if deadline.goes_on(now):
            self._push(deadline)
            return
        deadline.expired = True
        self._shut_down(deadline)

    @staticmethod
    def _shut_down(deadline: Deadline) -> None:
        if deadline.handle is not None:
            with contextlib.suppress(OSError):  # not connected any more
                deadline.handle.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _drop_handle(deadline: Deadline) -> None:
        if deadline.handle is not None:
            deadline.handle.close()
            deadline.handle = None


MAX_ADDRESSES = 4  # of one name, that are tried in turn
MAX_TEXT_LENGTH = 300  # characters of an error's text


class TransportError(Exception):
    """No usable answer: of which kind, and why, in words for people."""

    def __init__(self, kind: FailureKind, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        # Servers have a hand in some texts, and a database takes no NUL.
        self.text = "".join(letter if letter.isprintable() else "?" for letter in text[:MAX_TEXT_LENGTH])


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    connect_timeout: float  # seconds to resolve a name, and to reach one of its addresses
    read_timeout: float  # seconds between two bytes
    max_body_bytes: int  # decoded


class Dialer:
    """Opens sockets to addresses that the policy allows, and to no others."""

    def __init__(self, policy: IPPolicy, resolver: Resolver, connect_timeout: float) -> None:
        self._policy = policy
        self._resolver = resolver
        self._connect_timeout = connect_timeout

    def dial(self, host: str, port: int, deadline: Deadline) -> socket.socket:
        """Return a connected socket that ends with `deadline`."""
        failure = TransportError(FailureKind.DNS, f"{host} has no address")
        for family, sockaddr in self._checked_addresses(host, port, deadline)[:MAX_ADDRESSES]:
            try:
                return self._connected(family, sockaddr, deadline)
            except OSError as error:
                failure = _connect_failure(host, port, error)
        deadline.remaining()  # raises, where that was what broke the connection
        raise failure

    def check_literal(self, host: str, port: int) -> None:
        """Raise TransportError where `host` is an address that is refused; a name passes."""
        if is_literal(host):
            self._check(host, host, port)

    def _checked_addresses(self, host: str, port: int, deadline: Deadline) -> list[tuple[int, SocketAddress]]:
        if is_literal(host):
            self._check(host, host, port)
            return [(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port))]
        addresses = [(info[0], info[4]) for info in self._look_up(host, port, deadline)]
        # One refused address refuses the name: an honest one has none, and a dishonest one gets no choice. What is
        # checked here is what is connected to, so a name that changes its address afterwards changes nothing.
        for _, sockaddr in addresses:
            self._check(host, sockaddr[0], port)
        return addresses

    def _look_up(self, host: str, port: int, deadline: Deadline) -> list[AddressInfo]:
        remaining = deadline.remaining()
        try:
            return self._resolver.resolve(host, port, min(remaining, self._connect_timeout))
        except TimeoutError:
            deadline.remaining()  # raises, where that was the limit
            raise TransportError(
                FailureKind.DNS, f"{host} was not resolved in {self._connect_timeout:g} seconds"
            ) from None
        except (OSError, UnicodeError) as error:
            raise TransportError(FailureKind.DNS, _look_up_failure(host, error)) from error

    def _check(self, host: str, address: str, port: int) -> None:
        if not self._policy.allows(address):
            name = address if address == host else f"{host} ({address})"
            raise TransportError(
                FailureKind.REFUSED_ADDRESS,
                f"{name} is not a public address; FEEDS_ALLOWED_NETWORKS names the private networks that are allowed",
            )
        if not self._policy.allows_port(address, port):
            raise TransportError(FailureKind.REFUSED_ADDRESS, f"port {port} is for other services than HTTP")

    def _connected(self, family: int, sockaddr: SocketAddress, deadline: Deadline) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(min(deadline.remaining(), self._connect_timeout))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            deadline.guard(sock)
            sock.connect(sockaddr)
        except BaseException:
            sock.close()
            raise
        return sock


def is_literal(host: str) -> bool:
    """Tell whether a canonical host is an address; it is where it ends in a number."""
    return ":" in host or host.rpartition(".")[2].isdigit()


def _look_up_failure(host: str, error: Exception) -> str:
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return f"the name server gave no answer for {host}"
    return f"{host} does not resolve to an address"


def _connect_failure(host: str, port: int, error: OSError) -> TransportError:
    if isinstance(error, TimeoutError):
        return TransportError(FailureKind.TIMEOUT, f"{host} did not take the connection to port {port} in time")
    if isinstance(error, ConnectionRefusedError):
        return TransportError(FailureKind.CONNECT, f"{host} refuses connections to port {port}")
    return TransportError(FailureKind.CONNECT, f"{host}, port {port}: {error.strerror or error}")
