"""An HTML page in, the best of the feeds that it names out. Pure, and bounded whatever the page is.

HTML: https://html.spec.whatwg.org/multipage/links.html#rel-alternate
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from itertools import islice
from urllib.parse import urljoin

from feeds import canonical_urls, fetching, moves
from feeds.documents import KnownFeed, Move
from feeds.exceptions import InvalidURL
from feeds.fetching import Failed, Fetched, FetchOutcome
from feeds.outcomes import FailureKind

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
_COMMENTS = re.compile(r"\bcomments?\b", re.IGNORECASE)
_API = re.compile(r"/wp-json(?:/|$)|[?&]rest_route=|\boembed\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A feed as a page names it."""

    url: str  # canonical, without credentials
    type: str
    title: str = ""


def feed_of(page: FetchOutcome, outcome: FetchOutcome, known: KnownFeed) -> Move | None:
    """Return the move to the feed that a fetched page names, where `outcome` says that the page itself is none."""
    if isinstance(page, Fetched) and is_worth_a_look(outcome, known):
        return choose(page, known)
    return None


def is_worth_a_look(outcome: FetchOutcome, known: KnownFeed) -> bool:
    """Tell whether a document that is no feed may be the page of one: a feed known as one shows a login page now.

    What a page led to must be a feed itself, so that one import costs one request more at the most.
    """
    is_no_feed = isinstance(outcome, Failed) and outcome.kind is FailureKind.NOT_A_FEED
    return is_no_feed and known.imported_at is None and not known.found_on


def choose(page: Fetched, known: KnownFeed) -> Move | None:
    """Return the move to the best feed that the page names, or None."""
    homes = ((link, moves.home(known, link.url)) for link in links(page))
    found = [replace(link, url=url) for link, url in homes if url and url != known.url]
    if not found:
        return None
    host = canonical_urls.host_key(page.url)
    best = min(found, key=lambda link: _rank(link, host))  # of equals the first
    kind = FEED_TYPES.get(best.type, "JSON")
    reason = f"a page; of {_count(found)} on it this was chosen: {kind}" + (f" {best.title!r}" if best.title else "")
    return Move(url=best.url, reason=reason, found=True)


def links(page: Fetched) -> list[Link]:
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
    # A page of the Internet must not point us into a network that was allowed for feeds that a person names.
    if not fetching.is_private_host(canonical_urls.host_key(page.url)):
        return [link for link in found.values() if not fetching.is_private_host(canonical_urls.host_key(link.url))]
    return list(found.values())


def _rank(link: Link, host: str) -> tuple[bool, bool, bool]:
    is_comments = bool(_COMMENTS.search(link.title) or _COMMENTS.search(link.url.partition("://")[2].partition("/")[2]))
    return is_comments, link.type == JSON, canonical_urls.host_key(link.url) != host


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


def _count(found: list[Link]) -> str:
    return "1 feed" if len(found) == 1 else f"{len(found)} feeds"
