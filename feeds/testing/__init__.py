"""Feeds for the tests of a host project: served from loopback, imported here and now, without servers or workers.

class PlanetTests(TestCase):
    def test_a_new_post_is_shown(self):
        with FeedSite({"/feed.xml": rss("One", "Two")}) as site:
            feed = site.import_feed("/feed.xml")
        self.assertContains(self.client.get("/"), feed.entries.get(title="Two").url)
"""

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
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


class FeedSite:
    """A server on a loopback port, for as long as a `with` block lasts, in which feeds of this host may be fetched.

    `documents` are texts, bytes or, as a number, an HTTP status, by their paths, and may be changed between imports.
    What is served has an ETag, and is answered with 304 where it has not changed. `requested` are the paths so far.
    """

    def __init__(self, documents: Mapping[str, str | bytes | int]) -> None:
        self.documents = dict(documents)
        self.requested: list[str] = []

    def __enter__(self) -> Self:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site._answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        with ExitStack() as stack:
            stack.callback(self._server.server_close)
            Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            stack.callback(self._server.shutdown)
            stack.enter_context(
                override_settings(FEEDS_ALLOWED_NETWORKS=[f"{LOOPBACK}/32"], FEEDS_HOST_DELAY=0.0, FEEDS_PROXY="")
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def url(self, path: str) -> str:
        return f"http://{LOOPBACK}:{self._server.server_port}{path}"

    def import_feed(self, path: str) -> Feed:
        """Import the feed at `path` as `Feed.objects.import_feed` does; in a `TestCase`, too, signals are sent."""
        with TestCase.captureOnCommitCallbacks(execute=True):
            return Feed.objects.import_feed(self.url(path))

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.requested.append(request.path)
        document = self.documents.get(request.path, 404)
        body = document.encode() if isinstance(document, str) else document if isinstance(document, bytes) else b""
        etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        status = document if isinstance(document, int) else 304 if request.headers["If-None-Match"] == etag else 200
        request.send_response(status)
        request.send_header("Content-Type", "application/feed+json" if body.startswith(b"{") else "application/xml")
        request.send_header("Content-Length", str(len(body) if status == 200 else 0))
        if status in (200, 304):
            request.send_header("ETag", etag)
        request.end_headers()
        if status == 200:
            request.wfile.write(body)
