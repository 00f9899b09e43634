"""A server in a process of its own that does to whoever asks for /attack/number what the attack's name says."""

import gzip
import re
import sys
import threading
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from feeds.fetching.transport import KNOWN_ENCODINGS
from tests.rigs.servers.daemon import Daemon
from tests.rigs.servers.feed_server import FeedServer, Handler, Pieces, Received, answer

if "zstd" in KNOWN_ENCODINGS:
    from urllib3.response import zstd

MEBIBYTE = 1024 * 1024
CAP = 10 * MEBIBYTE  # FEEDS_MAX_BODY_BYTES
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GZIPPED = HEAD + b"Content-Encoding: gzip\r\n\r\n"
PORT = re.compile(rb"port (\d+)")

Attack = Callable[[FeedServer], bytes | Pieces]


class HostileServer(Daemon):
    name = "hostile"
    start_in = Path(__file__).resolve().parents[3]

    def command(self) -> list[str]:
        return [sys.executable, "-m", __name__]

    def answers(self) -> bool:
        if found := PORT.search(self.log.read_bytes()):
            self.port = int(found[1])
        return found is not None

    def urls(self, attack: str, number: int) -> list[str]:
        return [f"http://127.0.0.1:{self.port}/{attack}/{feed}" for feed in range(number)]


class _Server(FeedServer):
    def handler(self, request: Received) -> Handler | bytes:
        return lambda _: ATTACKS[request.target.split("/")[1]](self)


# The first piece, and what follows again and again.
DRIPS = {
    "silence": (b"", b""),
    "drip-status": (b"HTTP/1.1 ", b"2"),
    "drip-header": (HEAD + b"X: ", b"a"),
    "drip-headers": (HEAD, b"X: a\r\n"),
    "drip-body": (HEAD + b"\r\n", b"<"),
    "drip-chunks": (CHUNKED, b"1\r\n<\r\n"),
    "drip-chunk-size": (CHUNKED, b"0"),
    "drip-trailers": (CHUNKED + b"0\r\n", b"X: a\r\n"),
    "drip-gzip": (GZIPPED, gzip.compress(b"")),
    "almost-small": (HEAD + b"\r\n" + b"<" * (MEBIBYTE - 1000), b"<"),
    "almost-all": (HEAD + b"\r\n" + b"<" * (CAP - 1000), b"<"),
}
ENDLESS = {
    "endless-body": (HEAD + b"\r\n", b"<" * 65_536),
    "endless-chunks": (CHUNKED, b"10000\r\n" + b"<" * 65_536 + b"\r\n"),
    "endless-gzip": (GZIPPED, gzip.compress(b"<rss/>" * 1000)),
    "endless-headers": (HEAD, b"X: a\r\n" * 100),
    "endless-header": (HEAD + b"X: ", b"a" * 65_536),
    "endless-interim": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}
# Begin, middle, end: of the middle there is as much as makes a document of CAP bytes.
ITEM = b"<item><title>Title</title><link>https://example.com/</link><description>" + b"text " * 180 + b"</description>"
LARGE_ITEM = b"<item><description>" + b"text " * 390_000 + b"</description></item>"  # almost as large as a text may be
DOCUMENTS = {
    "zeros": (b"", b"\0", b""),
    "no-feed": (b"", b"no feed ", b""),
    "page": (b"<html><head>", b"<link rel='alternate' href='/x'>", b"</head></html>"),
    "one-text": (b"<rss><channel><title>", b"x", b"</title></channel></rss>"),
    "tags": (b"<rss><channel><item>", b"<", b""),
    "attributes": (b"<rss><channel><item ", b'a="" ', b"/></channel></rss>"),
    "nested": (b"<rss><channel><item>", b"<a>", b""),
    "entries": (b"<rss><channel>", ITEM + b"</item>", b"</channel></rss>"),
    "large-entries": (b"<rss><channel>", LARGE_ITEM, b"</channel></rss>"),
    "small-entries": (b"<rss><channel>", b"<item><title>t</title></item>", b"</channel></rss>"),
    "one-entry": (b"<rss><channel><item><description>", b"&lt;p>x&lt;/p>", b"</description></item></channel></rss>"),
    "not-well-formed": (b"<rss><channel>&nbsp;", ITEM + b"</item>", b"</channel></rss>"),
    "json": (b'{"version":"https://jsonfeed.org/version/1","items":[', b'{"id":1},', b"{}]}"),
    "utf-16": (b"\xff\xfe<\0r\0s\0s\0>\0", b"x\0", b""),
}


@cache
def document(name: str, size: int) -> bytes:
    """Return so large a document, in an answer that is small."""
    begin, middle, end = DOCUMENTS[name]
    whole = begin + middle * ((size - len(begin) - len(end)) // len(middle)) + end
    return answer(body=gzip.compress(whole, 1), content_encoding="gzip")


@cache
def bomb(encoding: str) -> bytes:
    """Return 200 MiB of zeros, compressed piece by piece."""
    zeros = bytes(MEBIBYTE)
    wbits = 31 if encoding == "gzip" else 15
    compressor = zstd.ZstdCompressor() if encoding == "zstd" else zlib.compressobj(1, wbits=wbits)
    body = b"".join(compressor.compress(zeros) for _ in range(200)) + compressor.flush()
    return answer(body=body, content_encoding=encoding)


@cache
def frames() -> bytes:
    """Return as many compressed texts of length zero as there may be; to decode them takes 14 s."""
    compressor = zstd.ZstdCompressor()
    frame = compressor.compress(b"") + compressor.flush()
    return answer(body=frame * (CAP // len(frame)), content_encoding="zstd")


def constant(make: Callable[..., bytes], *arguments: object) -> Attack:
    return lambda _: make(*arguments)


ATTACKS: dict[str, Attack] = (
    {name: lambda server, pieces=pieces: server.drip(*pieces) for name, pieces in DRIPS.items()}
    | {name: lambda server, pieces=pieces: server.endless(*pieces) for name, pieces in ENDLESS.items()}
    | {f"{name}-bomb": constant(bomb, name) for name in ("gzip", "deflate", "zstd") if name in KNOWN_ENCODINGS}
    | ({"frames": constant(frames)} if "zstd" in KNOWN_ENCODINGS else {})
    | {name: constant(document, name, CAP) for name in DOCUMENTS}
    | {f"{name}-1-mib": constant(document, name, MEBIBYTE) for name in ("entries", "small-entries", "json", "page")}
    | {"too-long": constant(lambda: HEAD + b"Content-Length: %d\r\n\r\n" % (CAP + 1))}
    | {"redirects": constant(lambda: answer(302, location="/redirects/again"))}
)


def main() -> None:
    with _Server() as server:
        for name in KNOWN_ENCODINGS & {"gzip", "deflate", "zstd"}:
            bomb(name)
        print(f"port {server.port}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
