"""A fetched body in, a ParsedFeed (or why it is none) out. The only module that imports feedparser.

The document is decoded and split; what was seen before is cut out of it; feedparser reads the rest; and what it says is
turned into values that are safe to store.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from feeds.outcomes import FailureKind
from feeds.parsing import jsonfeed
from feeds.parsing.encodings import to_utf8, without_forbidden_bytes
from feeds.parsing.feedparser_adapter import MAX_ENTRIES, read_feed
from feeds.parsing.feedparser_parsers import feedparser_result
from feeds.parsing.sanitizer import safe_url
from feeds.parsing.splitter import Split, split
from feeds.parsing.values import Document, ParsedFeed, Unreadable

# Salts the digests of entries: raise it when one that was seen before would be read, split or refused otherwise now.
READING = b"2"

_DECLARATION = re.compile(rb"<\?xml[^>]*\?>\s*")
_START = re.compile(rb"<\?xml|<(?:\w+:)?(?:rss|rdf|feed)\b", re.IGNORECASE)
_ROOT = re.compile(rb"<\w+")
_BLANKS = re.compile(rb"\s{2,}")
_ENDING = re.compile(rb"</(?:\w+:)?(?:rss|feed|rdf|channel)\s*>", re.IGNORECASE)

_LINK_HEADER = re.compile(r"<([^>]*)>([^<]*)")
_REL = re.compile(r";\s*rel\s*=\s*\"?([^\";]*)", re.IGNORECASE)


def parse(document: Document, seen: frozenset[bytes] = frozenset()) -> ParsedFeed | Unreadable:
    """Read a feed; entries whose digest is in `seen` may be left out of `entries`, never out of `digests`."""
    base = safe_url(document.content_location, document.url) or document.url
    body = to_utf8(document.body, document.content_type).lstrip()
    if body.startswith(b"{"):
        parsed = jsonfeed.parse(without_forbidden_bytes(body), base, seen, salt=READING)
    else:
        parsed = _parse_xml(_tidy(body), base, document.content_language, seen)
    if isinstance(parsed, Unreadable):
        return parsed
    return replace(
        parsed,
        hubs=tuple(dict.fromkeys((*_header_hubs(document.links, base), *parsed.hubs))),
        complete=parsed.complete and not document.is_delta,
    )


# The document


def _tidy(body: bytes) -> bytes:
    """Return the document from its declaration on, but without it: it may name another encoding.

    Blank lines, comments or warnings of a script before the declaration would make it not well-formed.
    """
    found = _START.search(body, 0, 5_000)
    start = found.start() if found and found[0] == b"<?xml" else 0
    root = _ROOT.search(body, start)
    end = root.start() if root else len(body)
    prolog = _DECLARATION.sub(b"", body[start:end], count=1)
    # feedparser's search for a DOCTYPE is quadratic in the blank lines before the root.
    return _BLANKS.sub(b"\n", prolog) + body[end:]


def _parse_xml(body: bytes, base: str, language: str, seen: frozenset[bytes]) -> ParsedFeed | Unreadable:
    if _root_name(body) in (b"", b"html"):
        return _not_a_feed()
    parts = split(body, "\n".join((READING.decode(), base, language)).encode())
    if isinstance(parts, Unreadable):
        return parts
    if parts is not None:
        return _parse_split(parts, base, language, seen)
    clean = without_forbidden_bytes(body)
    return _parse_whole(body, base, language) if clean == body else _parse_xml(clean, base, language, seen)


def _root_name(body: bytes) -> bytes:
    root = _ROOT.search(body)
    return root[0][1:].lower() if root else b""


def _parse_whole(body: bytes, base: str, language: str) -> ParsedFeed | Unreadable:
    parsed = _parsed(body, base, language)
    if isinstance(parsed, ParsedFeed):
        ended = _ENDING.search(body, max(len(body) - 1_000, 0)) is not None
        return replace(parsed, complete=parsed.complete and ended, cut_short=not ended)
    return parsed


def _parse_split(parts: Split, base: str, language: str, seen: frozenset[bytes]) -> ParsedFeed | Unreadable:
    rest = parts.without(seen, MAX_ENTRIES)
    parsed = _parsed(rest.body, base, language)
    if isinstance(parsed, Unreadable):
        return parsed
    if len(parsed.entries) != len(rest.digests):  # the two disagree about what an entry is
        return _parse_whole(parts.body, base, language)
    return replace(
        parsed,
        entries=tuple(
            replace(entry, digest=digest) for entry, digest in zip(parsed.entries, rest.digests, strict=True)
        ),
        digests=parts.digests[:MAX_ENTRIES],
        complete=len(parts.entries) <= MAX_ENTRIES,
    )


def _parsed(body: bytes, base: str, language: str) -> ParsedFeed | Unreadable:
    try:
        result = feedparser_result(body, base, language)
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        return Unreadable(kind=FailureKind.NOT_A_FEED, text=f"feedparser failed: {type(error).__name__}")
    if not result.version and not result.entries:
        return _not_a_feed()
    return read_feed(result.feed, result.entries, result.version or "", base)


def _not_a_feed() -> Unreadable:
    return Unreadable(kind=FailureKind.NOT_A_FEED, text="the document is neither RSS nor Atom nor JSON Feed")


def _header_hubs(headers: Iterable[str], base: str) -> Iterator[str]:
    """Yield the hubs of Link headers (RFC 8288, WebSub §4)."""
    for header in headers:
        for target, parameters in _LINK_HEADER.findall(header[:10_000]):
            rel = _REL.search(parameters)
            if rel and "hub" in rel[1].lower().split() and (url := safe_url(target, base)):
                yield url
