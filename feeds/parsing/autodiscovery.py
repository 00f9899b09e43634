"""The feeds that an HTML page leads to, the likeliest first.

HTML: https://html.spec.whatwg.org/multipage/links.html#rel-alternate. The page is scanned once from front to back, and
each byte is looked at a few times whatever the page is: html.parser takes quadratic time for some (CVE-2025-6069).
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from urllib.parse import urljoin

from feeds import canonical_urls
from feeds.exceptions import InvalidURL
from feeds.parsing.html.tokens import unescaped
from feeds.parsing.values import Document, Link

MAX_PAGE = 2 * 1024 * 1024  # bytes looked at; video channels have their link behind 600 kB of script
MAX_TAGS = 20_000  # links, anchors, scripts and comments looked at
MAX_URLS = 1_000  # resolved of links, and of anchors; one takes 70 µs
MAX_LINKS = 100
MAX_VALUE = 8_192  # bytes of an attribute
MAX_HEADER = 10_000  # characters of a Link header
MAX_TITLE = 200  # characters of the title of a link
MAX_PATH = 200  # characters of the end of a path, by which a feed is known
FEED_TYPES = {
    "application/rss+xml": "RSS",
    "application/atom+xml": "Atom",
    "application/feed+json": "JSON Feed",
    "application/rdf+xml": "RSS 1.0",
    "text/xml": "XML",
    "application/xml": "XML",
    "": "feed",  # of no type that the page tells
}
JSON = "application/json"  # what JSON Feed 1.0 asked for, and what WordPress gives its API, which is no feed

# What may hold a tag that is none, and the tags that matter.
_TAG = re.compile(
    rb"<(?:(!--)|(script|style|template|title|textarea|iframe|noembed|xmp)(?=[\s/>])|(link|base|a)(?=[\s/>]))"
)
# Nothing here is tried twice: a quote that is not closed ends a value at white space, and there is one of each kind.
_ATTRIBUTE = re.compile(rb"[\s/]*([^\s/>=]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]*)))?")
_ENTRY = re.compile(r";\s*type\s*=\s*\"?entry\b")  # RFC 5023 §12.1
COMMENTS = re.compile(r"\bcomments?\b", re.IGNORECASE)
_NO_FEED = re.compile(r"/wp-json(?:/|$)|[?&]rest_route=|\boembed\b|\bsitemap", re.IGNORECASE)
_FEED_PATH = re.compile(
    r"(?:^|/)(?:rss|atom|rdf|feeds?)\d?(?:[./](?:xml|rss|rdf|atom|php|json))?/?$"
    r"|(?:^|/)(?:rss|feeds?)/[^/]+\.xml$|(?:^|/)index\.(?:xml|rdf)$|\.(?:rss|atom|rdf)$|(?:^|/)feeds/posts/default$",
    re.IGNORECASE,
)
_FEED_QUERY = re.compile(r"[?&](?:feed|format|type)=(?:rss2?|atom|feed)(?:&|$)", re.IGNORECASE)
_FEED_HOST = re.compile(r"feeds?\d*\.")
_BURNT = re.compile(r"(?:https?:)?//feeds\d?\.feedburner\.com/[\w.-]+/?")  # whose URLs say nothing but a name
_VIDEOS = re.compile(
    r"https?://(?:(?:www|m|music)\.)?youtube\.com/"
    r"(?:channel/(UC[\w-]{22})(?:[/?]|$)|playlist\?(?:[^#]{0,200}&)?list=([\w-]{10,64})(?:&|$))"
)

_LINK_HEADER = re.compile(r"<([^<>]*)>([^<]*)")
_PARAMETER = re.compile(r";\s*(\w+)\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))")

_WANTED = frozenset({"href", "rel", "title", "type"})
_SURE = frozenset({"application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml"})

Attributes = dict[str, str]


def feed_links(page: Document) -> list[Link]:
    """Return the feeds that a page in UTF-8 leads to, the likeliest first, and of equals in its order.

    Those of a video channel or playlist by its URL, those that a `link` or a Link header declares by their type, those
    of no type that tells; and where there is none of all these, anchors of such a type, or whose URL looks like one.
    """
    tags = list(_tags(page.body[:MAX_PAGE]))
    base = next((url for name, values in tags if name == "base" and (url := _absolute(page.url, values))), page.url)
    links = (values for name, values in tags if name == "link" and _may_be_feed(values))
    in_page = (_declared(base, values) for values in islice(links, MAX_URLS))
    in_headers = (_declared(page.url, values) for values in header_links(page.links))
    declared = filter(None, chain(in_headers, in_page))
    found = [*_videos(page.url), *sorted(islice(declared, MAX_LINKS), key=_doubt)]
    if not found:
        anchors = (values for name, values in tags if name == "a" and (_may_be_feed(values) or _looks_like_one(values)))
        named = (_declared(base, values) or _anchor(base, page.url, values) for values in islice(anchors, MAX_URLS))
        found = list(islice(filter(None, named), MAX_LINKS))
    unique: dict[str, Link] = {}
    for link in found:
        unique.setdefault(link.url, link)
    return list(unique.values())


def header_links(headers: Iterable[str]) -> Iterator[Attributes]:
    """Yield what Link headers say of each link (RFC 8288), as the attributes of an element would."""
    for header in headers:
        for target, parameters in _LINK_HEADER.findall(header[:MAX_HEADER]):
            values = {"href": target}
            for name, quoted, bare in _PARAMETER.findall(parameters):
                values.setdefault(name.lower(), quoted or bare)
            yield values


# What a link means


def _videos(url: str) -> Iterator[Link]:
    """Yield the feed of a channel or a playlist, by the URL of its page: the page differs for each reader."""
    if match := _VIDEOS.match(url):
        query = f"channel_id={match[1]}" if match[1] else f"playlist_id={match[2]}"
        yield Link(url=f"https://www.youtube.com/feeds/videos.xml?{query}", type="application/atom+xml")


def _may_be_feed(values: Attributes) -> bool:
    """Tell by the relation and the type of a link, before its URL is resolved."""
    rel = values.get("rel", "").lower().split()
    kind = _kind(values)
    if kind is None or ("alternate" not in rel and "feed" not in rel):
        return False
    return bool(kind or "feed" in rel or _is_feed_path(values.get("href", "").strip()))


def _looks_like_one(values: Attributes) -> bool:
    """Tell by the reference of an anchor, before it is resolved, whether its path or its query may be one of a feed."""
    path, _, query = values.get("href", "").strip().partition("#")[0].partition("?")
    return bool(_is_feed_path(path) or _FEED_QUERY.search(f"?{query}") or _BURNT.fullmatch(path))


def _declared(base: str, values: Attributes) -> Link | None:
    if not _may_be_feed(values):
        return None
    kind = _kind(values)
    url = _absolute(base, values)
    # Of a type that others have, too, not all are feeds.
    if not url or (kind not in _SURE and _NO_FEED.search(url)):
        return None
    return Link(url=url, type=kind or "", title=_title(values))


def _kind(values: Attributes) -> str | None:
    """Return the type under its proper name, "" where none is given, None for what is no feed."""
    declared = values.get("type", "").lower()
    kind = declared.partition(";")[0].strip()
    if kind in FEED_TYPES or kind == JSON:
        return None if _ENTRY.search(declared) else kind
    if kind.endswith(("rss+xml", "rss")):  # application/x-rss+xml, text/rss …
        return "application/rss+xml"
    return "application/atom+xml" if kind.endswith(("atom+xml", "atom")) else None


def _doubt(link: Link) -> tuple[bool, bool]:
    return link.type == JSON, link.type not in _SURE


def _anchor(base: str, page: str, values: Attributes) -> Link | None:
    """Return what an anchor that looks like a feed leads to on this site, or on one that serves feeds only."""
    url = _absolute(base, values)
    if not url or _NO_FEED.search(url):
        return None
    host = canonical_urls.host_key(url)
    if host.removeprefix("www.") != canonical_urls.host_key(page).removeprefix("www.") and not _FEED_HOST.match(host):
        return None
    return Link(url=url, type="", title=_title(values))


def _is_feed_path(path: str) -> bool:
    return _FEED_PATH.search(path[-MAX_PATH:]) is not None


def _title(values: Attributes) -> str:
    return " ".join(values.get("title", "").split())[:MAX_TITLE]


def _absolute(base: str, values: Attributes) -> str:
    """Return the canonical URL, without credentials: a page has none to give. "" where there is none."""
    reference = values.get("href", "").strip()
    try:
        return canonical_urls.split_url(urljoin(base, reference)).public if reference else ""
    except (InvalidURL, ValueError):
        return ""


# The page


def _tags(page: bytes) -> Iterator[tuple[str, Attributes]]:
    """Yield the name and the attributes of each link, base and anchor."""
    lower, at = page.lower(), 0
    for _ in range(MAX_TAGS):
        tag = _TAG.search(lower, at)
        if tag is None:
            return
        comment, text, name = tag.groups()
        if name:
            values, at = _attributes(page, tag.end())
            yield name.decode(), values
        else:
            at = lower.find(b"-->" if comment else b"</" + text, tag.end() - 2 if comment else tag.end())
            if at < 0:  # to the end of the page
                return


def _attributes(page: bytes, at: int) -> tuple[Attributes, int]:
    """Return the attributes that stand from here on, and where they end."""
    values: Attributes = {}
    while attribute := _ATTRIBUTE.match(page, at):
        at = attribute.end()
        name = attribute[1].lower().decode("ascii", "replace")
        if name in _WANTED:
            written = attribute[2] or attribute[3] or attribute[4] or b""
            values.setdefault(name, unescaped(written[:MAX_VALUE].decode("utf-8", "replace")))
    return values, at
