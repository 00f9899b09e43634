"""One HTTP exchange in, its answer out: sockets that go only where they may and end when they must.

Every failure is a TransportError; what urllib3, http.client, ssl and socket raise is named nowhere else.
"""

import http.client
import os
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader, BytesIO, RawIOBase
from typing import TYPE_CHECKING, NamedTuple

import urllib3.connection
import urllib3.exceptions
from urllib3 import HTTPHeaderDict
from urllib3.response import BaseHTTPResponse, HTTPResponse
from urllib3.util import make_headers

from feeds.canonical_urls import SplitURL
from feeds.fetching.deadline import Deadline, DeadlineExpired
from feeds.fetching.dialer import Dialer
from feeds.fetching.ip_policy import IPPolicy
from feeds.fetching.resolver import GetAddressInfo, Resolver
from feeds.fetching.sockets import TimedContext, TransportError, client_context
from feeds.fetching.values import Allowance, FetchSettings
from feeds.outcomes import FailureKind

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_HEADER_BYTES = 64 * 1024  # names and values together; http.client refuses more than 100 headers
MAX_INTERIM_ANSWERS = 10  # 100 Continue, 103 Early Hints

MAX_IDLE_CONNECTIONS = 32
IDLE_SECONDS = 5.0  # keep-alive pays for feeds of one host that come one after the other, and for nothing else
READ_BYTES = 64 * 1024
BODY_STATUSES = frozenset({200, 203, 226})  # of other answers the body is not read
# Not br, also where a package for it is installed: its decoder fills up to 16 MiB before it gives the first byte
# (RFC 7932 §9.1), in each thread, and every server that has it has gzip.
KNOWN_ENCODINGS = frozenset(BaseHTTPResponse.CONTENT_DECODERS) - {"br"}
# Not deflate: senders disagree on whether that means zlib's header or none. It is decoded where it comes.
ACCEPT_ENCODING = ", ".join(name for name in ("gzip", "zstd") if name in KNOWN_ENCODINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request."""

    url: SplitURL
    headers: Mapping[str, str | bytes]
    proxy: SplitURL | None = None
    verify_tls: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response. The body is decoded, and empty where the status is not in BODY_STATUSES."""

    status: int
    headers: HTTPHeaderDict  # names in any case
    body: bytes = b""
    address: str = ""  # IP, of the server; "" where a proxy knows it


# Sockets


# Connections


class _Response(http.client.HTTPResponse):
    def _read_status(self) -> tuple[str, int, str]:
        """Skip interim answers: http.client knows only 100, and takes any number of it (RFC 9110 §15.2)."""
        for _ in range(MAX_INTERIM_ANSWERS):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200 or status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException("too many interim answers")


Dial = Callable[[str, int], socket.socket]


class _HTTPConnection(urllib3.connection.HTTPConnection):
    response_class = _Response
    dial: Dial
    address: str

    def _new_conn(self) -> socket.socket:
        return self.dial(self._dns_host, self.port)


class _HTTPSConnection(urllib3.connection.HTTPSConnection):
    response_class = _Response
    dial: Dial
    address: str

    def _new_conn(self) -> socket.socket:
        return self.dial(self._dns_host, self.port)


Connection = _HTTPConnection | _HTTPSConnection


class Route(NamedTuple):
    """What two calls must have in common to share a connection."""

    scheme: str
    host: str
    port: int
    proxy: SplitURL | None
    verify_tls: bool


class IdleConnections:
    """Open connections that wait a few seconds for the next call to their host."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[float, Route, Connection]] = []  # the oldest first

    def take(self, route: Route) -> Connection | None:
        """Return the youngest usable connection."""
        while connection := self._pop(route):
            if connection.is_connected:
                return connection
            connection.close()
        return None

    def put(self, route: Route, connection: Connection) -> None:
        with self._lock:
            self._waiting.append((time.monotonic(), route, connection))
        self._close_surplus(MAX_IDLE_CONNECTIONS)

    def close(self) -> None:
        self._close_surplus(0)

    def _pop(self, route: Route) -> Connection | None:
        oldest = time.monotonic() - IDLE_SECONDS
        with self._lock:
            for index in reversed(range(len(self._waiting))):
                since, other, connection = self._waiting[index]
                if other == route and since >= oldest:
                    del self._waiting[index]
                    return connection
        return None

    def _close_surplus(self, most: int) -> None:
        oldest = time.monotonic() - IDLE_SECONDS
        surplus = []
        with self._lock:
            while self._waiting and (len(self._waiting) > most or self._waiting[0][0] < oldest):
                surplus.append(self._waiting.pop(0)[2])
        for connection in surplus:
            connection.close()


class Transport:
    """Makes calls. Safe to share between threads; holds connections until `close`, or until it is forgotten."""

    def __init__(self, settings: FetchSettings, getaddrinfo: GetAddressInfo | None = None) -> None:
        self._settings = settings
        self._getaddrinfo = getaddrinfo or socket.getaddrinfo
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._dialer = Dialer(
            IPPolicy(self._settings.allowed_networks),
            Resolver(self._getaddrinfo),
            connect_timeout=self._settings.connect_timeout,
            read_timeout=self._settings.read_timeout,
        )
        self._idle = IdleConnections()
        self._closer = weakref.finalize(self, self._idle.close)

    def close(self) -> None:
        """Close the connections that wait."""
        self._idle.close()

    def deadline(self, seconds: float, allowance: Allowance | None = None) -> Deadline:
        """Return the deadline to make calls under; it counts from now."""
        if os.getpid() != self._process:  # a fork has the parent's sockets and none of its threads
            self._begin()
        return Deadline(seconds, allowance)

    def get(self, call: Call, deadline: Deadline) -> Answer:
        """Make the call; raise TransportError where that gives no whole answer before the deadline."""
        route = Route(*call.url.origin, call.proxy, call.verify_tls)
        if call.proxy:
            # The policy holds for the proxy's address, as for any that is dialled. What a name behind it leads to is
            # looked up by the proxy and is its to refuse; only an address that stands in the URL can be judged here.
            self._dialer.check_literal(call.url.host, call.url.port)
        try:
            return self._exchange(call, route, deadline)
        except TransportError:
            raise
        except DeadlineExpired as error:
            raise _too_late(deadline) from error
        except Exception as error:
            raise _translated(error) from error

    def _exchange(self, call: Call, route: Route, deadline: Deadline) -> Answer:
        connection = self._idle.take(route)
        if connection:
            connection.sock.deadline = deadline  # type: ignore[union-attr]
            try:
                response = self._send(connection, call, deadline)
            except (ConnectionError, ssl.SSLEOFError):
                # The server closed an idle connection while we wrote to it. A GET may go again (RFC 9112 §9.3.1).
                connection.close()
                deadline.remaining()
            else:
                return self._receive(connection, response, route, deadline)
        connection = self._connect(call, deadline)
        return self._receive(connection, self._send(connection, call, deadline), route, deadline)

    def _connect(self, call: Call, deadline: Deadline) -> Connection:
        connection = self._new_connection(call)
        connection.dial = lambda host, port: self._dialer.dial(host, port, deadline)
        try:
            connection.connect()
            connection.address = "" if call.proxy else connection.sock.getpeername()[0]
        except BaseException:
            connection.close()
            raise
        return connection

    def _new_connection(self, call: Call) -> Connection:
        via = call.proxy or call.url
        if call.url.scheme == "http":
            return _HTTPConnection(via.host, via.port)
        context = self._verifying if call.verify_tls else self._trusting
        connection = _HTTPSConnection(via.host, via.port, ssl_context=context)
        if call.proxy:
            connection.set_tunnel(call.url.host, call.url.port, headers=_proxy_headers(call.proxy))
        return connection

    def _send(self, connection: Connection, call: Call, deadline: Deadline) -> HTTPResponse:
        target, headers = call.url.target, call.headers
        if call.proxy and call.url.scheme == "http":
            target, headers = call.url.public, {**headers, **_proxy_headers(call.proxy)}
        try:
            connection.request("GET", target, headers=headers, preload_content=False)  # type: ignore[arg-type]
            return connection.getresponse()
        except BaseException:
            connection.close()
            raise

    def _receive(self, connection: Connection, response: HTTPResponse, route: Route, deadline: Deadline) -> Answer:
        try:
            answer = _answer(response, connection.address, self._settings.max_body_bytes, deadline)
        except BaseException:
            response.close()
            connection.close()
            raise
        whole = response.closed or response.length_remaining == 0
        response.close()
        if whole and connection.sock is not None:
            self._idle.put(route, connection)
        else:
            connection.close()
        return answer

    @cached_property
    def _verifying(self) -> TimedContext:
        return client_context(verify=True)

    @cached_property
    def _trusting(self) -> TimedContext:
        return client_context(verify=False)


def _proxy_headers(proxy: SplitURL) -> dict[str, str]:
    if not proxy.userinfo:
        return {}
    return dict(make_headers(proxy_basic_auth=":".join(proxy.credentials)))


# Answers


def _answer(response: HTTPResponse, address: str, max_body_bytes: int, deadline: Deadline) -> Answer:
    headers = response.headers
    if sum(len(name) + len(value) for name, value in headers.items()) > MAX_HEADER_BYTES:
        raise TransportError(FailureKind.PROTOCOL, f"the headers are larger than {MAX_HEADER_BYTES // 1024} KiB")
    body = _body(response, max_body_bytes, deadline) if response.status in BODY_STATUSES else b""
    return Answer(status=response.status, headers=headers, body=body, address=address)


def _body(response: HTTPResponse, max_bytes: int, deadline: Deadline) -> bytes:
    _check_framing(response)
    encoding = _encoding(response)
    if response.length_remaining == 0:
        return b""
    if response.length_remaining is not None and response.length_remaining > max_bytes:
        raise _too_large(max_bytes)
    wire = BufferedReader(_Wire(response, deadline), READ_BYTES)
    decoded = HTTPResponse(wire, {"content-encoding": encoding}, preload_content=False)
    body = BytesIO()
    while chunk := decoded.read1(READ_BYTES):
        if body.tell() + len(chunk) > max_bytes:
            raise _too_large(max_bytes)
        body.write(chunk)
    return body.getvalue()


class _Wire(RawIOBase):
    """A body as it comes, for a decoder to read from."""

    def __init__(self, response: HTTPResponse, deadline: Deadline) -> None:
        self._response = response
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        self._deadline.remaining()  # what is in the buffer is read without a wait, and decoding may be slow
        view = memoryview(buffer)
        piece = self._response.read1(len(view), decode_content=False)
        view[: len(piece)] = piece
        return len(piece)


def _check_framing(response: HTTPResponse) -> None:
    # http.client would take any other for the end of the connection, and the framing for the document.
    if response.headers.get("transfer-encoding", "chunked").strip().lower() not in ("chunked", "identity"):
        raise TransportError(FailureKind.PROTOCOL, "the body has a transfer encoding other than chunked")


def _encoding(response: HTTPResponse) -> str:
    """Return what urllib3 shall decode by."""
    given = response.headers.get("content-encoding", "")
    encodings = [name for name in (part.strip().lower() for part in given.split(",")) if name not in ("", "identity")]
    if len(encodings) > 1:
        raise TransportError(FailureKind.ENCODING, "the body is compressed more than once")
    if not KNOWN_ENCODINGS.issuperset(encodings):
        raise TransportError(FailureKind.ENCODING, f"the body has the content encoding {encodings[0][:40]!r}")
    return "".join(encodings)


def _too_large(max_bytes: int) -> TransportError:
    return TransportError(
        FailureKind.TOO_LARGE, f"the document is larger than {max_bytes:,} bytes (FEEDS_MAX_BODY_BYTES)"
    )


def _too_late(deadline: Deadline) -> TransportError:
    return TransportError(FailureKind.TIMEOUT, f"no complete answer in {deadline.seconds:g} seconds")


def _translated(error: Exception) -> TransportError:
    """Return what a foreign error means; one that no server can cause passes as it is."""
    if isinstance(error, urllib3.exceptions.DecodeError):
        return TransportError(FailureKind.ENCODING, "the body is not compressed as its Content-Encoding says")
    if isinstance(error, ssl.SSLCertVerificationError):
        return TransportError(FailureKind.TLS, f"the certificate is not trusted: {error.verify_message}")
    if isinstance(error, ssl.SSLError | urllib3.exceptions.SSLError):
        reason = getattr(error, "reason", None) or error
        return TransportError(FailureKind.TLS, f"no TLS connection: {reason}")
    if isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError):
        return TransportError(FailureKind.TIMEOUT, "the server stopped sending")
    if isinstance(error, http.client.RemoteDisconnected):
        return TransportError(FailureKind.PROTOCOL, "the server closed the connection without an answer")
    if isinstance(error, http.client.HTTPException | urllib3.exceptions.HTTPError | ValueError):
        return TransportError(FailureKind.PROTOCOL, f"no valid HTTP answer: {error}")
    if isinstance(error, OSError):
        return TransportError(FailureKind.CONNECT, f"the connection broke: {error.strerror or error}")
    raise error
