"""The only writer of import results: a feed's state out of the database, a plan into it."""

from feeds.storage.entries import CHUNK, chunked, newest_entries, stored_entries
from feeds.storage.feeds import (
    Registered,
    Subscription,
    adopt,
    apply,
    change_url,
    find,
    load,
    no_error,
    note_slowness,
    register,
)
from feeds.storage.merging import url_columns
from feeds.storage.retention import Keep, feeds_to_prune, prune, prune_some

__all__ = [
    "CHUNK",
    "Keep",
    "Registered",
    "Subscription",
    "adopt",
    "apply",
    "change_url",
    "chunked",
    "feeds_to_prune",
    "find",
    "load",
    "newest_entries",
    "no_error",
    "note_slowness",
    "prune",
    "prune_some",
    "register",
    "stored_entries",
    "url_columns",
]
