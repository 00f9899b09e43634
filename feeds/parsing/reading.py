"""What a decoded document says, as values that are safe to store: by feedparser, or by the reader of JSON Feed."""

import re
from dataclasses import replace

from feeds.outcomes import FailureKind
from feeds.parsing import jsonfeed
from feeds.parsing.encodings import without_forbidden_bytes
from feeds.parsing.rss_atom import feedparser_result, read_feed
from feeds.parsing.values import Document, ParsedFeed, Unreadable

# Salts the digests of entries: raise it when one that was seen before would be read, split or refused otherwise now.
READING = b"12"

_ENDING = re.compile(rb"</(?:\w+:)?(?:rss|feed|rdf|channel)\s*>", re.IGNORECASE)
_FAULTS = (ArithmeticError, LookupError, TypeError, ValueError, AttributeError)  # of feedparser
NOT_A_FEED = Unreadable(kind=FailureKind.NOT_A_FEED, text="the document is neither RSS nor Atom nor JSON Feed")


def read(document: Document, seen: frozenset[bytes] = frozenset()) -> ParsedFeed | Unreadable:
    """Read all of a document in UTF-8; items of JSON whose digest is in `seen` may be left out of `entries`."""
    if document.is_json:
        return jsonfeed.parse(without_forbidden_bytes(document.body), document.url, seen, salt=READING)
    try:
        result = feedparser_result(document.body, document.url, document.content_language)
    except _FAULTS as error:
        return Unreadable(kind=FailureKind.NOT_A_FEED, text=f"feedparser failed: {type(error).__name__}")
    if not result.version and not result.entries:
        return NOT_A_FEED
    if result.partial and not result.entries:
        return Unreadable(kind=FailureKind.HOSTILE, text="one entry says more than is read of a document")
    parsed = read_feed(result.feed, result.entries, result.version or "", document)
    has_ended = _ENDING.search(document.body, max(len(document.body) - 1_000, 0)) is not None
    return replace(parsed, complete=parsed.complete and has_ended and not result.partial, cut_short=not has_ended)
