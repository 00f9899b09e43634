"""Sample feeds, and a server for them on a loopback port that counts what it is asked. For `manage.py demo`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread

FOLDER = Path(__file__).parent
MISSING = "gone-missing.rss"
NAMES = ("news.rss", "library.rdf", "journal.atom", "tides.json", "page.html", MISSING)
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
    daemon_threads = True

    def __init__(self, delay: float) -> None:
        super().__init__(("127.0.0.1", 0), partial(SampleHandler, directory=str(FOLDER)))
        self.delay = delay
        self.asked = {name: Asked() for name in NAMES}
        self.mutex = Lock()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class SampleHandler(SimpleHTTPRequestHandler):
    """Serves the samples, slowly, and counts. Python's own handler gives each a Last-Modified, and answers with 304."""

    server: SampleServer
    extensions_map = {
        ".rss": "application/rss+xml",
        ".rdf": "application/rdf+xml",
        ".atom": "application/atom+xml",
        ".json": "application/feed+json",
        ".html": "text/html; charset=utf-8",
    }

    def do_GET(self) -> None:
        self._asked = asked = self.server.asked.get(self.path.lstrip("/"), Asked())
        with self.server.mutex:
            asked.requests += 1
            asked.conditional += "If-Modified-Since" in self.headers
            asked.at_once += 1
            asked.most_at_once = max(asked.most_at_once, asked.at_once)
        time.sleep(self.server.delay)
        super().do_GET()
        with self.server.mutex:
            asked.at_once -= 1

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        self._asked.not_modified += code == HTTPStatus.NOT_MODIFIED

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
