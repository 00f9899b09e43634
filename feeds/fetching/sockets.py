"""Sockets that do not outlive the deadline of their fetch, plain and with TLS.

A socket's own time-out begins anew with every byte, so a server that sends one now and then would never meet it. These
sockets look at the deadline before every wait instead.
"""

import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from urllib3.util.ssltransport import SSLTransport

from feeds.fetching.deadline import Deadline
from feeds.outcomes import FailureKind

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

MAX_HEADER_BYTES = 64 * 1024  # of the status line, the headers and all interim answers before them
MAX_TEXT_LENGTH = 300  # characters of an error's text

T = TypeVar("T")


class TransportError(Exception):
    """No usable answer: of which kind, and why, in words for people."""

    def __init__(self, kind: FailureKind, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        # Servers have a hand in some texts, and a database takes no NUL.
        self.text = "".join(letter if letter.isprintable() else "?" for letter in text[:MAX_TEXT_LENGTH])


def _headers_too_large() -> TransportError:
    return TransportError(FailureKind.PROTOCOL, f"the headers are larger than {MAX_HEADER_BYTES // 1024} KiB")


@dataclass(slots=True)
class Budget:
    """How many bytes an exchange may still receive: at first the headers, in all that comes before the body."""

    left: int = MAX_HEADER_BYTES
    refusal: Callable[[], TransportError] = _headers_too_large  # makes what is raised where more are read


class TimedSocket(socket.socket):
    """A TCP socket that ends with its deadline, and takes no more bytes than it may."""

    address: str  # IP, that it was connected to
    deadline: Deadline
    read_timeout: float  # seconds between two bytes
    budget: Budget

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int | None = None, flags: int = 0) -> int:
        if self.budget.left <= 0:
            raise self.budget.refusal()
        size = min(nbytes or memoryview(buffer).nbytes, self.budget.left)
        received = self._timed(partial(super().recv_into, buffer, size, flags))
        self.budget.left -= received
        return received

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        buffer = bytearray(buflen)
        return bytes(buffer[: self.recv_into(buffer, buflen, flags)])

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

    def to_proxy(self, sock: TimedSocket, host: str) -> TimedTLSSocket:
        """Return the socket with TLS, over which another connection may have TLS of its own."""
        wrapped = self.wrap_socket(sock, server_hostname=host)
        assert isinstance(wrapped, TimedTLSSocket)  # noqa: S101
        return wrapped

    def wrap_socket(  # type: ignore[override]  # urllib3's behaves like a socket
        self, sock: socket.socket, *args: Any, server_hostname: str | None = None, **options: Any
    ) -> TimedTLSSocket | SSLTransport:
        assert isinstance(sock, TimedSocket)  # noqa: S101  # the dialer makes no others
        if isinstance(sock, TimedTLSSocket):  # to a proxy; what is encrypted twice needs a layer outside of the socket
            return SSLTransport(sock, self, server_hostname)
        options |= {"server_hostname": server_hostname}
        wrapped = super().wrap_socket(sock, *args, **options | {"do_handshake_on_connect": False})
        assert isinstance(wrapped, TimedTLSSocket)  # noqa: S101
        wrapped.address, wrapped.budget = sock.address, sock.budget
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
