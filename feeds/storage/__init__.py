"""The only writer of import results: a feed's state out of the database, a plan into it."""

from feeds.storage.entries import CHUNK, EntryRows, chunked
from feeds.storage.feeds import forget_documents, load, note_slowness, url_of
from feeds.storage.fields import UNSEEN, no_error
from feeds.storage.merging import change_url
from feeds.storage.refusals import apply
from feeds.storage.retention import Retention, feeds_to_prune, prune, prune_flood, prune_some
from feeds.storage.subscriptions import Registered, Subscription, register

__all__ = [
    "CHUNK",
    "UNSEEN",
    "EntryRows",
    "Registered",
    "Retention",
    "Subscription",
    "apply",
    "change_url",
    "chunked",
    "feeds_to_prune",
    "forget_documents",
    "load",
    "no_error",
    "note_slowness",
    "prune",
    "prune_flood",
    "prune_some",
    "register",
    "url_of",
]
