"""One HTTP exchange, over urllib3's connections and sockets of our own.

Every failure is a TransportError; what urllib3, http.client, ssl and socket raise is named nowhere else.
"""

import http.client
import ssl
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from io import BufferedReader, BytesIO, RawIOBase
from typing import TYPE_CHECKING

import urllib3.exceptions
from urllib3 import HTTPHeaderDict
from urllib3.response import BaseHTTPResponse, HTTPResponse

from feeds.fetching.connections import Bounds, Call, Connection, Connector, login_headers
from feeds.fetching.deadline import Deadline, DeadlineExpired
from feeds.fetching.sockets import TransportError
from feeds.outcomes import FailureKind

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

READ_BYTES = 64 * 1024
WIRE_BYTES = 2  # received for each of the document, at most: chunks are framed, compressed data may decode to nothing
DELTA = 226
WHOLE = frozenset({200, 203})  # 203: by a proxy that changed it; still the document
BODY_STATUSES = WHOLE | {DELTA}  # of other answers the body is not read
# Not br, also where a package for it is installed: its decoder fills up to 16 MiB before it gives the first byte
# (RFC 7932 §9.1), in each thread, and every server that has it has gzip.
KNOWN_ENCODINGS = frozenset(BaseHTTPResponse.CONTENT_DECODERS) - {"br"}
# Not deflate: senders disagree on whether that means zlib's header or none. It is decoded where it comes.
ACCEPT_ENCODING = ", ".join(name for name in ("gzip", "zstd") if name in KNOWN_ENCODINGS)

# OpenSSL's reasons to refuse outdated servers, and what those lack; no option of a feed changes that.
_NO_CIPHER = "cipher that is safe: ECDHE or DHE with AES or ChaCha20"
MISSING = {
    "UNSUPPORTED_PROTOCOL": "TLS 1.2 or later",
    "TLSV1_ALERT_PROTOCOL_VERSION": "TLS 1.2 or later",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": _NO_CIPHER,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": _NO_CIPHER,
    "NO_SHARED_CIPHER": _NO_CIPHER,
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": "secure renegotiation (RFC 5746)",
    "DH_KEY_TOO_SMALL": "key for Diffie-Hellman that is long enough",
    "EE_KEY_TOO_SMALL": "key in its certificate that is long enough",
    "CA_KEY_TOO_SMALL": "key in the certificate of its authority that is long enough",
    "CA_MD_TOO_WEAK": "certificate whose signature is safe",
    "WRONG_VERSION_NUMBER": "TLS on this port",
    "HTTP_REQUEST": "TLS on this port",
}
NO_HTTP1 = "TLSV1_ALERT_NO_APPLICATION_PROTOCOL"  # to our ALPN


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response. The body is decoded, and empty where the status is not in BODY_STATUSES."""

    status: int
    headers: HTTPHeaderDict  # names in any case
    body: bytes = b""
    address: str = ""  # IP, of the server; "" where a proxy knows it


class Transport:
    """Makes calls, each over a connection of its own. Safe to share between threads."""

    def __init__(self, connector: Connector, max_body_bytes: int) -> None:
        self._connector = connector
        self._max_body_bytes = max_body_bytes

    def get(self, call: Call, bounds: Bounds) -> Answer:
        """Make the call; raise TransportError where that gives no whole answer before the deadline."""
        try:
            with closing(self._connector.connect(call, bounds)) as connection:
                return self._exchange(connection, call, bounds.deadline)
        except TransportError:
            raise
        except DeadlineExpired as error:
            text = f"no complete answer in {bounds.deadline.seconds:g} seconds"
            raise TransportError(FailureKind.TIMEOUT, text) from error
        except Exception as error:
            raise _translated(error) from error

    def _exchange(self, connection: Connection, call: Call, deadline: Deadline) -> Answer:
        connection.connect()
        target, headers = call.url.target, call.headers
        if call.proxy and call.url.scheme == "http" and not call.proxy.is_socks:
            target, headers = call.url.public, {**headers, **login_headers(call.proxy)}
        connection.request("GET", target, headers=headers, preload_content=False)
        with deadline.timed("first byte"):
            response = connection.getresponse()
        with closing(response):
            budget = connection.connected.budget
            budget.left = WIRE_BYTES * self._max_body_bytes
            budget.refusal = partial(_too_large, self._max_body_bytes)
            body = _body(response, self._max_body_bytes, deadline) if response.status in BODY_STATUSES else b""
            address = "" if call.proxy else connection.connected.address
            return Answer(status=response.status, headers=response.headers, body=body, address=address)


def _body(response: HTTPResponse, max_bytes: int, deadline: Deadline) -> bytes:
    _check_framing(response)
    encoding = _encoding(response)
    if response.length_remaining == 0:
        return b""
    if (response.length_remaining or 0) > max_bytes:
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


def _no_tls(reason: str) -> TransportError:
    said = reason.upper().replace(" ", "_")  # OpenSSL's words, where Python does not know the number
    if NO_HTTP1 in said:
        return _only_http2()
    for name in (name for name in MISSING if name in said):
        reason = f"the server has no {MISSING[name]} ({name}); to verify its certificate or not makes no difference"
    return TransportError(FailureKind.TLS, f"no TLS connection: {reason}")


def _only_http2() -> TransportError:
    return TransportError(FailureKind.PROTOCOL, "the server speaks another HTTP than 1.1: HTTP/2 only, it seems")


def _translated(error: Exception) -> TransportError:
    """Return what a foreign error means; one that no server can cause passes as it is."""
    if isinstance(error, urllib3.exceptions.DecodeError):
        return TransportError(FailureKind.ENCODING, "the body is not compressed as its Content-Encoding says")
    if isinstance(error, ssl.SSLCertVerificationError):
        return TransportError(FailureKind.TLS, f"the certificate is not trusted: {error.verify_message}")
    if isinstance(error, ssl.SSLError | urllib3.exceptions.SSLError):
        return _no_tls(str(getattr(error, "reason", None) or error))
    if isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError):
        return TransportError(FailureKind.TIMEOUT, "the server stopped sending")
    if isinstance(error, http.client.RemoteDisconnected):
        return TransportError(FailureKind.PROTOCOL, "the server closed the connection without an answer")
    if isinstance(error, http.client.UnknownProtocol):
        return _only_http2()
    if isinstance(error, http.client.HTTPException | urllib3.exceptions.HTTPError | ValueError):
        return TransportError(FailureKind.PROTOCOL, f"no valid HTTP answer: {error}")
    if isinstance(error, OSError):
        return TransportError(FailureKind.CONNECT, f"the connection broke: {error.strerror or error}")
    raise error
