"""A feed server inside the test that counts: requests, conditional ones, and how many were open at once per path."""

import hashlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.rigs.servers.daemon import BUSY
from tests.rigs.servers.feed_server import FeedServer, Handler, Received, answer
from tests.rigs.servers.samples import sample_feed


class CountingServer(FeedServer):
    """Serves a sample feed of three entries under every other path, with an ETag, and 304 to those that have it."""

    def __init__(self, listens_on: str = "127.0.0.1") -> None:
        super().__init__()
        self.listens_on = listens_on
        self.times: list[float] = []  # of the requests, by the monotonic clock
        self.most_open = 0  # at once, under whatever path
        self.requests: Counter[str] = Counter()
        self.conditional: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()  # the most requests that were open at once
        self.pace = 0.0  # seconds that each answer takes at the least
        self._open: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._answering = threading.Event()
        self._answering.set()

    def url(self, path: str = "feed", host: str = "127.0.0.1") -> str:
        return super().url(f"/{path}", host)

    def urls(self, count: int) -> list[str]:
        return [self.url(f"feed-{number}") for number in range(count)]

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Answer nobody inside the block; requests stay open until it ends."""
        self._answering.clear()
        try:
            yield
        finally:
            self._answering.set()

    def wait_for(self, check: Callable[[], bool], *, within: float, what: str) -> None:
        """Wait until `check` is true, asked after every request that begins or ends. `within` in seconds."""
        with self._changed:
            if not self._changed.wait_for(check, timeout=within * BUSY):
                pytest.fail(f"not within {within * BUSY:g} s: {what}; requests were {dict(self.requests)}")

    def wait_for_requests(self, count: int) -> None:
        """Wait until `count` requests have come in, answered or not."""
        self.wait_for(lambda: self.requests.total() >= count, within=15, what=f"{count} requests")

    def wait_for_open_requests(self, count: int) -> None:
        """Wait until `count` requests are open at once."""
        self.wait_for(lambda: self._open.total() >= count, within=15, what=f"{count} open requests")

    @contextmanager
    def counted(self, path: str, *, conditional: bool) -> Iterator[None]:
        """Count one request from its arrival to the end of its answer."""
        with self._changed:
            self.times.append(time.monotonic())
            self.requests[path] += 1
            self.conditional[path] += conditional
            self._open[path] += 1
            self.peak[path] = max(self.peak[path], self._open[path])
            self.most_open = max(self.most_open, self._open.total())
            self._changed.notify_all()
        try:
            if self.pace:
                threading.Event().wait(self.pace)
            self._answering.wait()
            yield
        finally:
            with self._changed:
                self._open[path] -= 1
                self._changed.notify_all()

    def handler(self, request: Received) -> Handler | bytes:
        if request.target in self.routes:
            return super().handler(request)
        body = sample_feed(_path(request), kind="atom")
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if request.header("If-None-Match") == etag:
            return answer(304, etag=etag)
        return answer(200, body, content_type="application/atom+xml", etag=etag)

    def answered(self, sock: socket.socket, request: Received) -> bool:
        if request.target in self.routes:  # these are not counted
            return super().answered(sock, request)
        with self.counted(_path(request), conditional=request.header("If-None-Match") is not None):
            return super().answered(sock, request)

    def __exit__(self, *_: object) -> None:
        self._answering.set()
        super().__exit__()


def _path(request: Received) -> str:
    return request.target.removeprefix("/")
