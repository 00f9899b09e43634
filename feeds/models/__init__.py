"""The tables: fields, constraints and indexes. `storage` is the only writer of import results."""

from feeds.models.entries import Entry, Tombstone
from feeds.models.feeds import Alias, Feed, FetchOptions, Host
from feeds.models.records import Import, Lock, Minute, Process

__all__ = ["Alias", "Entry", "Feed", "FetchOptions", "Host", "Import", "Lock", "Minute", "Process", "Tombstone"]
