"""Feeds of a few words, parsed in this process."""

from typing import Any

from feeds.parsing import parser
from feeds.parsing.values import ParsedEntry, ParsedFeed
from tests.rigs.golden import fetched

NAMESPACES = (
    'xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/"'
    ' xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
)


def parsed(body: str | bytes, seen: frozenset[bytes] = frozenset(), **values: Any) -> ParsedFeed:
    body = body.encode() if isinstance(body, str) else body
    result = parser.parse(fetched(body, **values), seen)
    assert isinstance(result, ParsedFeed)
    return result


def rss(inner: str) -> str:
    return f'<rss version="2.0" {NAMESPACES}><channel><title>t</title>{inner}</channel></rss>'


def atom(inner: str) -> str:
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{inner}</feed>'


def item(inner: str) -> ParsedEntry:
    (entry,) = parsed(rss(f"<item>{inner}</item>")).entries
    return entry


def atom_entry(inner: str) -> ParsedEntry:
    (entry,) = parsed(atom(f"<entry>{inner}</entry>")).entries
    return entry
