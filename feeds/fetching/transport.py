"""One HTTP exchange, over urllib3's connections and sockets of our own.

Every failure is a TransportError; what urllib3, http.client, ssl and socket raise is named nowhere else.
"""

import http.client
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from io import BufferedReader, BytesIO, RawIOBase
from typing import TYPE_CHECKING

import urllib3.connection
import urllib3.exceptions
from urllib3 import HTTPHeaderDict
from urllib3.response import BaseHTTPResponse, HTTPResponse
from urllib3.util import make_headers

from feeds.canonical_urls import SplitURL
from feeds.fetching.deadline import Deadline, DeadlineExpired
from feeds.fetching.dialer import Dialer, check_pace
from feeds.fetching.ip_policy import IPPolicy
from feeds.fetching.resolver import GetAddressInfo, Resolver
from feeds.fetching.sockets import TimedContext, TimedSocket, TransportError, client_context
from feeds.fetching.values import Admit, FetchSettings, at_once
from feeds.outcomes import FailureKind

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_INTERIM_ANSWERS = 10  # 100 Continue, 103 Early Hints

READ_BYTES = 64 * 1024
WIRE_BYTES = 2  # for one of the decoded document: chunks are framed, and what is compressed may decode to nothing
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


class _Response(http.client.HTTPResponse):
    def _read_status(self) -> tuple[str, int, str]:
        """Skip interim answers: http.client knows only 100, and takes any number of it (RFC 9110 §15.2)."""
        for _ in range(MAX_INTERIM_ANSWERS):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200 or status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException("too many interim answers")


Dial = Callable[[str, int], TimedSocket]


class _HTTPConnection(urllib3.connection.HTTPConnection):
    response_class = _Response

    def __init__(self, host: str, port: int, dial: Dial) -> None:
        super().__init__(host, port)
        self._dial = dial

    def _new_conn(self) -> socket.socket:
        return self._dial(self._dns_host, self.port)


class _HTTPSConnection(urllib3.connection.HTTPSConnection):
    response_class = _Response

    def __init__(self, host: str, port: int, dial: Dial, ssl_context: ssl.SSLContext) -> None:
        super().__init__(host, port, ssl_context=ssl_context)
        self._dial = dial

    def _new_conn(self) -> socket.socket:
        return self._dial(self._dns_host, self.port)


Connection = _HTTPConnection | _HTTPSConnection


class Transport:
    """Makes calls, each over a connection of its own. Safe to share between threads."""

    def __init__(self, settings: FetchSettings, getaddrinfo: GetAddressInfo | None = None) -> None:
        self._max_body_bytes = settings.max_body_bytes
        self._dialer = Dialer(
            IPPolicy(settings.allowed_networks),
            Resolver(getaddrinfo or socket.getaddrinfo),
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
        )

    def get(self, call: Call, deadline: Deadline, admit: Admit = at_once) -> Answer:
        """Make the call; raise TransportError where that gives no whole answer before the deadline."""
        check_pace(admit, call.url.host)
        if call.proxy:
            # The policy holds for the proxy's address, as for any that is dialled. What a name behind it leads to is
            # looked up by the proxy and is its to refuse; only an address that stands in the URL can be judged here.
            self._dialer.check_literal(call.url.host, call.url.port)
        try:
            with closing(self._connection(call, deadline, admit)) as connection:
                return self._exchange(connection, call, deadline)
        except TransportError:
            raise
        except DeadlineExpired as error:
            raise _too_late(deadline) from error
        except Exception as error:
            raise _translated(error) from error

    def _exchange(self, connection: Connection, call: Call, deadline: Deadline) -> Answer:
        connection.connect()
        sock = connection.sock  # http.client forgets it once it knows that the connection ends with the answer
        assert isinstance(sock, TimedSocket)  # noqa: S101  # urllib3 does not know which
        address = "" if call.proxy else sock.getpeername()[0]
        target, headers = call.url.target, call.headers
        if call.proxy and call.url.scheme == "http":
            target, headers = call.url.public, {**headers, **_proxy_headers(call.proxy)}
        connection.request("GET", target, headers=headers, preload_content=False)  # type: ignore[arg-type]
        with closing(connection.getresponse()) as response:
            sock.receive_at_most(WIRE_BYTES * self._max_body_bytes, partial(_too_large, self._max_body_bytes))
            return _answer(response, address, self._max_body_bytes, deadline)

    def _connection(self, call: Call, deadline: Deadline, admit: Admit) -> Connection:
        via = call.proxy or call.url
        dial = partial(self._dialer.dial, deadline=deadline, admit=at_once if call.proxy else admit)
        if call.url.scheme == "http":
            return _HTTPConnection(via.host, via.port, dial)
        context = self._verifying if call.verify_tls else self._trusting
        connection = _HTTPSConnection(via.host, via.port, dial, ssl_context=context)
        if call.proxy:
            connection.set_tunnel(call.url.host, call.url.port, headers=_proxy_headers(call.proxy))
        return connection

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


def _answer(response: HTTPResponse, address: str, max_body_bytes: int, deadline: Deadline) -> Answer:
    headers = response.headers
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
