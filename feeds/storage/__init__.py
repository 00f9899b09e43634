"""The only writer of import results: a feed's state out of the database, a plan into it."""

from feeds.storage.entries import CHUNK, chunked, newest_entries, stored_entries
from feeds.storage.feeds import Registered, Subscription, adopt, apply, find, load, note_slowness, register
from feeds.storage.merging import add_alias, remove_alias, url_columns
from feeds.storage.retention import Keep, feeds_to_prune, prune, prune_some

__all__ = [
    "CHUNK",
    "Keep",
    "Registered",
    "Subscription",
    "add_alias",
    "adopt",
    "apply",
    "chunked",
    "feeds_to_prune",
    "find",
    "load",
    "newest_entries",
    "note_slowness",
    "prune",
    "prune_some",
    "register",
    "remove_alias",
    "stored_entries",
    "url_columns",
]
