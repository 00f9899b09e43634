"""Feeds for the tests of a host project: served from loopback, imported here and now, without servers or workers.

class PlanetTests(TestCase):
    def test_a_new_post_is_shown(self):
        with FeedSite({"/feed.xml": rss("One", "Two")}) as site:
            feed = site.import_feed("/feed.xml")
        self.assertContains(self.client.get("/"), feed.entries.get(title="Two").url)
"""

import hashlib
from collections.abc import Mapping
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self
from urllib.parse import quote

from django.test import TestCase, override_settings

from feeds.models import Feed

__all__ = ["FeedSite", "rss"]

LOOPBACK = "127.0.0.1"


def rss(*titles: str, feed: str = "A feed") -> str:
    """Return an RSS document that has an entry for each title, the first one on top."""
    items = (
        f"<item><title>{escape(title)}</title><link>https://feed.example/{quote(title, safe='')}</link></item>"
        for title in titles
    )
    return f'<rss version="2.0"><channel><title>{escape(feed)}</title>{"".join(items)}</channel></rss>'


class FeedSite(ThreadingHTTPServer):
    """A server on a loopback port, for as long as a `with` block lasts, in which feeds of this host may be fetched.

    `documents` are texts, bytes or, as a number, an HTTP status, by their paths, and may be changed between imports.
    What is served has an ETag, and is answered with 304 where it has not changed. `requested` are the paths so far.
    """

    def __init__(self, documents: Mapping[str, str | bytes | int]) -> None:
        self.documents = dict(documents)
        self.requested: list[str] = []
        self._settings = override_settings(
            FEEDS_ALLOWED_NETWORKS=[f"{LOOPBACK}/32"], FEEDS_HOST_DELAY=0.0, FEEDS_PROXY=""
        )

    def __enter__(self) -> Self:
        super().__init__((LOOPBACK, 0), _Handler)  # anew for each block
        self._settings.enable()
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._settings.disable()

    def url(self, path: str) -> str:
        return f"http://{LOOPBACK}:{self.server_port}{path}"

    def import_feed(self, path: str) -> Feed:
        """Import the feed at `path` as `Feed.objects.import_feed` does; in a `TestCase`, too, signals are sent."""
        with TestCase.captureOnCommitCallbacks(execute=True):
            return Feed.objects.import_feed(self.url(path))


class _Handler(BaseHTTPRequestHandler):
    server: FeedSite

    def do_GET(self) -> None:
        self.server.requested.append(self.path)
        document = self.server.documents.get(self.path, 404)
        if isinstance(document, int):
            self._answer(document)
            return
        body = document.encode() if isinstance(document, str) else document
        etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        if self.headers["If-None-Match"] == etag:
            self._answer(304, ETag=etag)
        else:
            kind = "application/feed+json" if body.startswith(b"{") else "application/xml"
            self._answer(200, body, **{"ETag": etag, "Content-Type": kind})

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
