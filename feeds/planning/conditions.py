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
    is_due = now >= _full_at(feed) + FULL_AFTER * JITTER * jitter
    return replace(feed.request, etag="", last_modified="") if is_due else feed.request


def _full_at(feed: FeedState) -> datetime:
    return (feed.history.received_at or feed.history.created_at) + FULL_AFTER


def ignored(feed: FeedState, fetched: Fetched | NotModified, now: datetime, *, has_news: bool) -> int:
    """Return how many conditional requests in a row have been ignored, now that this answer has come."""
    before = feed.history.ignored
    if fetched.status != 200:
        return 0
    had_conditions = bool(feed.request.etag or feed.request.last_modified) and now < _full_at(feed)
    return min(before + 1, MOST_IGNORED) if had_conditions and not has_news else before
