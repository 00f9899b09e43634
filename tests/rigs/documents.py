"""Bodies in, imports out: the whole way of a feed, but for the network."""

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

from feeds.fetching.values import FeedRequest, Fetched, FetchOutcome, NotModified
from feeds.planning.values import ImportReport
from tests.rigs.importing import import_feed

URL = "http://10.0.0.1/feed"  # a private host has no door to wait at


def rss(*items: str, title: str = "A feed") -> bytes:
    return f'<rss version="2.0"><channel><title>{title}</title>{"".join(items)}</channel></rss>'.encode()


def item(number: int, text: str = "", **elements: str) -> str:
    """Return an item; `elements` replace its own, "" leaves one out."""
    values = {
        "guid": f"urn:{number}",
        "link": f"http://example.org/{number}",
        "title": f"Title {number}",
        "pubDate": f"Mon, 02 Mar 2026 {number // 60 % 24:02}:{number % 60:02}:00 GMT",
        "description": text or f"Text {number}",
    }
    return (
        f"<item>{''.join(f'<{name}>{value}</{name}>' for name, value in (values | elements).items() if value)}</item>"
    )


def items(numbers: Iterable[int]) -> list[str]:
    return [item(number) for number in numbers]


def import_document(
    body: bytes | None, url: str = URL, *, before: Callable[[], object] = lambda: None, **fetched: Any
) -> ImportReport:
    """Import a body as if it had just been fetched; None = 304. `before` is called while it is fetched."""
    outcome: FetchOutcome = NotModified(url=url, etag="x")
    if body is not None:
        digest = blake2b(body, digest_size=16).digest()
        outcome = Fetched(**{"url": url, "body": body, "body_digest": digest, "etag": "x"} | fetched)

    def fetch(request: FeedRequest, *_: object) -> FetchOutcome:
        before()
        return outcome

    return import_feed(url, fetch=fetch)
