"""The tables: fields, constraints and indexes. `storage` is the only writer of import results."""

from feeds.models.feeds import Alias, Entry, Feed, FetchOptions, Host, Tombstone
from feeds.models.records import Import, Lock, Minute, Process

__all__ = [
    "Alias",
    "Entry",
    "Feed",
    "FetchOptions",
    "Host",
    "Import",
    "Lock",
    "Minute",
    "Process",
    "Tombstone",
]
