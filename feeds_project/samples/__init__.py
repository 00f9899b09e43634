"""Sample feeds, and a server for them on a loopback port that counts what it is asked. For `manage.py demo`."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread

FOLDER = Path(__file__).parent
CONTENT_TYPES = {
    "news.rss": "application/rss+xml",
    "library.rdf": "application/rdf+xml",
    "journal.atom": "application/atom+xml",
    "tides.json": "application/feed+json",
    "page.html": "text/html; charset=utf-8",  # no feed
}
NAMES = (*CONTENT_TYPES, "gone-missing.rss")  # the last one is not there
DELAY = 0.3  # seconds for an answer: long enough for several requests at once to meet


@dataclass(slots=True)
class Asked:
    """How one path was asked for."""

    requests: int = 0
    conditional: int = 0
    not_modified: int = 0
    at_once: int = 0  # now
    most_at_once: int = 0


class SampleServer(ThreadingHTTPServer):
    """Serves the samples, slowly, with validators."""

    daemon_threads = True

    def __init__(self, delay: float = DELAY) -> None:
        super().__init__(("127.0.0.1", 0), SampleHandler)
        self.delay = delay
        self.asked = {name: Asked() for name in NAMES}
        self._mutex = Lock()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @contextmanager
    def counted(self, name: str, *, conditional: bool) -> Iterator[Asked]:
        """Count a request for as long as it is being answered."""
        asked = self.asked.setdefault(name, Asked())
        with self._mutex:
            asked.requests += 1
            asked.conditional += conditional
            asked.at_once += 1
            asked.most_at_once = max(asked.most_at_once, asked.at_once)
        try:
            yield asked
        finally:
            with self._mutex:
                asked.at_once -= 1


class SampleHandler(BaseHTTPRequestHandler):
    server: SampleServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        given = self.headers.get("If-None-Match", "")
        with self.server.counted(name, conditional=bool(given)) as asked:
            time.sleep(self.server.delay)
            self._answer(name, given, asked)

    def _answer(self, name: str, given: str, asked: Asked) -> None:
        if name not in CONTENT_TYPES:
            self._send(HTTPStatus.NOT_FOUND, b"Not here.", {"Content-Type": "text/plain"})
            return
        body = (FOLDER / name).read_bytes()
        etag = f'"{sha256(body).hexdigest()[:16]}"'
        if given == etag:
            asked.not_modified += 1
            self._send(HTTPStatus.NOT_MODIFIED, b"", {"ETag": etag})
        else:
            self._send(HTTPStatus.OK, body, {"Content-Type": CONTENT_TYPES[name], "ETag": etag})

    def _send(self, status: HTTPStatus, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header, value)
        if status is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing: the demo shows the counts."""


@contextmanager
def serving(delay: float = DELAY) -> Iterator[SampleServer]:
    """Serve the samples while the block runs."""
    with SampleServer(delay) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
