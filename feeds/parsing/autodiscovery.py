"""An HTML page in, the best of the feeds that it names out. Pure, and bounded whatever the page is.

HTML: https://html.spec.whatwg.org/multipage/links.html#rel-alternate
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import islice
from urllib.parse import urljoin

from feeds import canonical_urls
from feeds.exceptions import InvalidURL
from feeds.parsing.values import Document

MAX_PAGE = 512 * 1024  # bytes looked at; links stand in the head
MAX_TAGS = 1_000
MAX_LINKS = 100
FEED_TYPES = {
    "application/rss+xml": "RSS",
    "application/atom+xml": "Atom",
    "application/feed+json": "JSON Feed",
    "application/rdf+xml": "RSS 1.0",
}
JSON = "application/json"  # what JSON Feed 1.0 asked for, and what WordPress gives its API, which is no feed

# html.parser meets single tags only: on a whole page made for it, it takes quadratic time (CVE-2025-6069).
_NO_MARKUP = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style|template)\b.*?(?:</\1|\Z)", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"""<(?:link|base)\b(?>[^<>"']+|"[^"]{0,8192}"|'[^']{0,8192}'){0,200}+>""", re.IGNORECASE)
COMMENTS = re.compile(r"\bcomments?\b", re.IGNORECASE)
_API = re.compile(r"/wp-json(?:/|$)|[?&]rest_route=|\boembed\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A feed as a page names it."""

    url: str  # canonical, without credentials
    type: str
    title: str = ""


def feed_links(page: Document) -> list[Link]:
    """Return the feeds that a page names, in its order."""
    base = page.url
    found: dict[str, Link] = {}
    for name, attributes in _tags(page.body[:MAX_PAGE].decode("utf-8", "replace")):
        if name == "base" and base == page.url and attributes.get("href"):
            base = _absolute(page.url, attributes["href"]) or base
        elif link := _link(base, attributes):
            found.setdefault(link.url, link)
        if len(found) == MAX_LINKS:
            break
    return list(found.values())


def _link(base: str, attributes: dict[str, str]) -> Link | None:
    kind = attributes.get("type", "").partition(";")[0].strip().lower()
    if "alternate" not in attributes.get("rel", "").lower().split() or kind not in {*FEED_TYPES, JSON}:
        return None
    url = _absolute(base, attributes.get("href", ""))
    if not url or (kind == JSON and _API.search(url)):
        return None
    return Link(url=url, type=kind, title=" ".join(attributes.get("title", "").split())[:200])


def _absolute(base: str, reference: str) -> str:
    """Return the canonical URL, without credentials: a page has none to give. "" where there is none."""
    if not reference.strip():
        return ""
    try:
        return canonical_urls.split_url(urljoin(base, reference.strip())).public
    except (InvalidURL, ValueError):
        return ""


def _tags(html: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the name and the attributes of each link and base."""
    for tag in islice(_TAG.finditer(_NO_MARKUP.sub(" ", html)), MAX_TAGS):
        reader = _TagReader()
        reader.feed(tag[0])
        reader.close()
        if reader.name:
            yield reader.name, reader.attributes


class _TagReader(HTMLParser):
    """Reads one tag."""

    def __init__(self) -> None:
        super().__init__()
        self.name = ""
        self.attributes: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.name = self.name or tag
        for name, value in attrs:
            self.attributes.setdefault(name, value or "")
