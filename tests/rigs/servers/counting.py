"""A feed server inside the test that counts: requests, conditional ones, and how many were open at once per path."""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest

from tests.rigs.servers.samples import sample_feed


class CountingServer:
    """Serves a sample feed of three entries under every path, with an ETag, and answers 304 to who has it."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.conditional: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()  # the most requests that were open at once
        self.pace = 0.0  # seconds that each answer takes at the least
        self._open: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._gate = threading.Event()
        self._gate.set()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{path}"

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Answer nobody inside the block; requests stay open until it ends."""
        self._gate.clear()
        try:
            yield
        finally:
            self._gate.set()

    def wait_for(self, check: Callable[[], bool], *, within: float, what: str) -> None:
        """Wait until `check` is true, asked after every request that begins or ends. `within` in seconds."""
        with self._changed:
            if not self._changed.wait_for(check, timeout=within):
                pytest.fail(f"not within {within:g} s: {what}; requests were {dict(self.requests)}")

    def wait_for_requests(self, count: int, *, within: float = 15.0) -> None:
        """Wait until `count` requests have come in, answered or not."""
        self.wait_for(lambda: self.requests.total() >= count, within=within, what=f"{count} requests")

    def wait_for_open_requests(self, count: int, *, within: float = 15.0) -> None:
        """Wait until `count` requests are open at once."""
        self.wait_for(lambda: self._open.total() >= count, within=within, what=f"{count} open requests")

    @contextmanager
    def counted(self, path: str, *, conditional: bool) -> Iterator[None]:
        """Count one request from its arrival to the end of its answer."""
        with self._changed:
            self.requests[path] += 1
            self.conditional[path] += conditional
            self._open[path] += 1
            self.peak[path] = max(self.peak[path], self._open[path])
            self._changed.notify_all()
        try:
            if self.pace:
                threading.Event().wait(self.pace)
            self._gate.wait()
            yield
        finally:
            with self._changed:
                self._open[path] -= 1
                self._changed.notify_all()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, counts: CountingServer) -> None:
        self.counts = counts
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients are killed on purpose."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        path = self.path.lstrip("/")
        body = sample_feed(path, kind="atom")
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        known = self.headers.get("If-None-Match")
        with self.server.counts.counted(path, conditional=known is not None):
            self._answer(etag, b"" if known == etag else body)

    def _answer(self, etag: str, body: bytes) -> None:
        self.send_response(200 if body else 304)
        self.send_header("ETag", etag)
        if body:
            self.send_header("Content-Type", "application/atom+xml")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the counts say it."""
