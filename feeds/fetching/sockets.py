"""Sockets that do not outlive the deadline of their fetch, and the dialer that opens them.

A socket's own time-out begins anew with every byte, so a server that sends one now and then would never meet it. These
sockets look at the deadline before every wait instead.
"""

import errno
import os
import selectors
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from feeds.fetching.ip_policy import IPPolicy
from feeds.fetching.names import AddressInfo, Resolver, SocketAddress
from feeds.fetching.values import Allowance
from feeds.outcomes import FailureKind

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

ALERT = 0.5  # seconds; a thread that waits wakes so often, and an exception that Dramatiq raises in it is seen then
SHORTEST_WAIT = 0.001  # seconds; a time-out of 0 would mean a socket that does not block

T = TypeVar("T")


class DeadlineExpired(Exception):
    """There is no time left."""


class Deadline:
    """The end of one fetch, whatever it is doing then; or before, where its allowance is over."""

    def __init__(self, seconds: float, allowance: Allowance | None = None) -> None:
        self.seconds = seconds
        self._allowance = allowance or Allowance(seconds=inf, extend=lambda _: inf)
        self._begun = time.monotonic()
        self._expired = False

    def remaining(self) -> float:
        """Return the seconds until the end, or until more have to be asked for; raise DeadlineExpired at the end."""
        passed = time.monotonic() - self._begun
        counted = passed - self._allowance.connecting
        if self._expired or passed >= self.seconds:
            raise DeadlineExpired
        if counted >= self._allowance.seconds and not self._allowance.ask(counted):
            self._expired = True  # whoever asks again is not given what has become free since
            raise DeadlineExpired
        return min(self.seconds - passed, self._allowance.seconds - counted)

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """Connect inside of the block: if that succeeds it counts for the deadline, and not for the allowance."""
        begun = time.monotonic()
        yield
        self._allowance.connecting += time.monotonic() - begun

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


class TimedSocket(socket.socket):
    """A TCP socket that ends with its deadline."""

    deadline: Deadline
    read_timeout: float  # seconds between two bytes

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int | None = None, flags: int = 0) -> int:
        return self._timed(partial(super().recv_into, buffer, nbytes or 0, flags))

    def send(self, data: "ReadableBuffer", flags: int = 0) -> int:
        return self._timed(partial(super().send, data, flags))

    def sendall(self, data: "ReadableBuffer", flags: int = 0) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self.send(rest, flags) :]

    def _timed(self, call: Callable[[], T]) -> T:
        def attempt(seconds: float) -> T:
            self.settimeout(seconds)
            return call()

        return self.deadline.wait(attempt, self.read_timeout)


class TimedTLSSocket(TimedSocket, ssl.SSLSocket):
    """The same with TLS; made by a TimedContext."""

    def do_handshake(self, block: bool = False) -> None:
        self._timed(partial(super().do_handshake, block))


class TimedContext(ssl.SSLContext):
    """Wraps a TimedSocket so that its deadline goes on to hold, for the handshake too."""

    sslsocket_class = TimedTLSSocket

    def wrap_socket(self, sock: socket.socket, *args: Any, **options: Any) -> TimedTLSSocket:
        assert isinstance(sock, TimedSocket)  # noqa: S101  # the dialer makes no others
        wrapped = super().wrap_socket(sock, *args, **options | {"do_handshake_on_connect": False})
        assert isinstance(wrapped, TimedTLSSocket)  # noqa: S101
        wrapped.deadline, wrapped.read_timeout = sock.deadline, sock.read_timeout
        try:
            wrapped.do_handshake()
        except BaseException:
            wrapped.close()
            raise
        return wrapped


def client_context(*, verify: bool) -> TimedContext:
    """Return what ssl.create_default_context() would, as a TimedContext."""
    context = TimedContext(ssl.PROTOCOL_TLS_CLIENT)
    if sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    if verify:
        context.load_default_certs()
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


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

    def __init__(self, policy: IPPolicy, resolver: Resolver, limits: Limits) -> None:
        self._policy = policy
        self._resolver = resolver
        self._connect_timeout = limits.connect_timeout
        self._read_timeout = limits.read_timeout

    def dial(self, host: str, port: int, deadline: Deadline) -> TimedSocket:
        """Return a connected socket that ends with `deadline`."""
        addresses = self._checked_addresses(host, port, deadline)[:MAX_ADDRESSES]
        failure = TransportError(FailureKind.DNS, f"{host} has no address")
        with deadline.connecting():
            for family, sockaddr in addresses:
                try:
                    return self._connected(family, sockaddr, deadline)
                except OSError as error:
                    failure = _connect_failure(host, port, error)
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
        answer = self._resolver.ask(host, port)
        try:
            return deadline.wait(answer.result, self._connect_timeout)
        except TimeoutError:
            raise TransportError(
                FailureKind.DNS, f"{host} was not resolved in {self._connect_timeout:g} seconds"
            ) from None
        except (OSError, UnicodeError) as error:
            raise TransportError(FailureKind.DNS, _look_up_failure(host, error)) from error
        finally:
            answer.cancel()  # nobody waits any more; a thread that finds it in the queue drops it

    def _check(self, host: str, address: str, port: int) -> None:
        if not self._policy.allows(address):
            name = address if address == host else f"{host} ({address})"
            raise TransportError(
                FailureKind.REFUSED_ADDRESS,
                f"{name} is not a public address; FEEDS_ALLOWED_NETWORKS names the private networks that are allowed",
            )
        if not self._policy.allows_port(address, port):
            raise TransportError(FailureKind.REFUSED_ADDRESS, f"port {port} is for other services than HTTP")

    def _connected(self, family: int, sockaddr: SocketAddress, deadline: Deadline) -> TimedSocket:
        sock = TimedSocket(family, socket.SOCK_STREAM)
        sock.deadline, sock.read_timeout = deadline, self._read_timeout
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            if (number := sock.connect_ex(sockaddr)) not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
                raise OSError(number, os.strerror(number))
            deadline.wait(partial(_wait_until_connected, sock), self._connect_timeout)
        except BaseException:
            sock.close()
            raise
        return sock


def _wait_until_connected(sock: socket.socket, seconds: float) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_WRITE)
        if not selector.select(seconds):
            raise TimeoutError
    if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(number, os.strerror(number))


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
