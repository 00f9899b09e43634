"""Parsing: from the bytes of a document to what it says, as values that are safe to store."""

from feeds.parsing.autodiscovery import COMMENTS, FEED_TYPES, JSON
from feeds.parsing.caps import bytes_of
from feeds.parsing.encodings import to_utf8, without_forbidden
from feeds.parsing.interpreter import start_problem
from feeds.parsing.parser import Parser
from feeds.parsing.reading import READING
from feeds.parsing.rss_atom import author_guard_installed
from feeds.parsing.values import Document, Link, ParsedEntry, ParsedFeed, SandboxUnavailable, Unreadable

__all__ = [
    "COMMENTS",
    "FEED_TYPES",
    "JSON",
    "READING",
    "Document",
    "Link",
    "ParsedEntry",
    "ParsedFeed",
    "Parser",
    "SandboxUnavailable",
    "Unreadable",
    "author_guard_installed",
    "bytes_of",
    "start_problem",
    "to_utf8",
    "without_forbidden",
]
