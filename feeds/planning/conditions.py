"""Conditional requests: when a check goes without conditions, and when a server's validators count as none. Pure.

Some servers answer 304 for ever, as a cache of theirs compares what never changes. Others give validators, and the
whole document all the same.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from feeds.fetching import FeedRequest, Fetched, NotModified
from feeds.planning.schedule import JITTER
from feeds.planning.values import FeedState

FULL_AFTER = timedelta(days=7)  # without a document
MOST_IGNORED = 3  # conditional requests in a row that brought a whole document and nothing new


def request(feed: FeedState, now: datetime, jitter: float) -> FeedRequest:
    """Return what to ask for: without conditions where nothing but 304 has come for a week. `jitter` is in [0, 1)."""
    is_due = _without_document(feed, now) >= FULL_AFTER * (1 + JITTER * jitter)
    return replace(feed.request, etag="", last_modified="") if is_due else feed.request


def _without_document(feed: FeedState, now: datetime) -> timedelta:
    """Return for how long checks have brought no document; none, if there was no check since the last one."""
    received_at = feed.history.received_at or feed.history.created_at
    checked_at = feed.history.checked_at or received_at
    return now - received_at if checked_at > received_at else timedelta()


def ignored(feed: FeedState, fetched: Fetched | NotModified, now: datetime, *, has_news: bool) -> int:
    """Return how many conditional requests in a row have been ignored, now that this answer has come."""
    before = feed.history.validators_ignored
    if fetched.status != 200:
        return 0
    has_validators = bool(feed.request.etag or feed.request.last_modified)
    had_conditions = has_validators and _without_document(feed, now) < FULL_AFTER
    return min(before + 1, MOST_IGNORED) if had_conditions and not has_news else before
