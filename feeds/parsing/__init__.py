"""The bytes of a document to what it says."""

from feeds.parsing.autodiscovery import COMMENTS, FEED_TYPES, JSON, Link, feed_links
from feeds.parsing.encodings import to_utf8, without_forbidden
from feeds.parsing.feedparser_parsers import author_guard_installed
from feeds.parsing.sandbox import parse
from feeds.parsing.sanitizer import safe_url
from feeds.parsing.values import Category, Document, Enclosure, ParsedEntry, ParsedFeed, Person, Unreadable

__all__ = [
    "COMMENTS",
    "FEED_TYPES",
    "JSON",
    "Category",
    "Document",
    "Enclosure",
    "Link",
    "ParsedEntry",
    "ParsedFeed",
    "Person",
    "Unreadable",
    "author_guard_installed",
    "feed_links",
    "parse",
    "safe_url",
    "to_utf8",
    "without_forbidden",
]
