"""RSS and Atom: what feedparser, corrected, says of a document, as values that are safe to store."""

from feeds.parsing.rss_atom.adapter import read_feed
from feeds.parsing.rss_atom.parsers import author_guard_installed, feedparser_result

__all__ = ["author_guard_installed", "feedparser_result", "read_feed"]
