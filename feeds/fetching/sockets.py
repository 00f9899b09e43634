"""Sockets that do not outlive the deadline of their fetch, plain and with TLS.

A socket's own time-out begins anew with every byte, so a server that sends one now and then would never meet it. These
sockets look at the deadline before every wait instead.
"""

import socket
import ssl
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

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


class TimedSocket(socket.socket):
    """A TCP socket that ends with its deadline, and takes no more bytes than it may."""

    deadline: Deadline
    read_timeout: float  # seconds between two bytes
    _bytes_left = MAX_HEADER_BYTES
    _refusal: Callable[[], TransportError] = staticmethod(_headers_too_large)

    def receive_at_most(self, count: int, refusal: Callable[[], TransportError]) -> None:
        """From now on receive at most so many bytes, and raise what `refusal` returns where more are read."""
        self._bytes_left, self._refusal = count, refusal

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int | None = None, flags: int = 0) -> int:
        if self._bytes_left <= 0:
            raise self._refusal()
        size = min(nbytes or memoryview(buffer).nbytes, self._bytes_left)
        received = self._timed(partial(super().recv_into, buffer, size, flags))
        self._bytes_left -= received
        return received

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
