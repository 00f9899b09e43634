"""Feeds and plans for tests of what is decided."""

from datetime import UTC, datetime
from typing import Any

from feeds.fetching import FeedRequest, FetchOutcome
from feeds.parsing import ParsedFeed, Unreadable
from feeds.planning import (
    Circumstances,
    DocumentState,
    FeedState,
    History,
    ImportPlan,
    PlannedEntry,
    Rules,
    Streak,
    plan,
)

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)  # a Wednesday
URL = "https://example.org/feed"
RULES = Rules(daily_entries=0)


def feed_state(
    url: str = URL,
    *,
    request: FeedRequest | None = None,
    failures: Streak | None = None,
    document: DocumentState | None = None,
    found_on: str = "",
    **history: Any,
) -> FeedState:
    """Return a feed; further arguments are of its history."""
    return FeedState(
        id=1,
        url=url,
        revision=3,
        request=request or FeedRequest(url=url),
        history=History(**{"created_at": NOW} | history),
        document=document or DocumentState(),
        failures=failures or Streak(),
        found_on=found_on,
    )


def make_plan(
    feed: FeedState,
    response: FetchOutcome,
    document: ParsedFeed | Unreadable | None = None,
    entries: tuple[PlannedEntry, ...] = (),
    *,
    now: datetime = NOW,
    **circumstances: Any,
) -> ImportPlan:
    """Return the plan of a check that began and ended at `now`."""
    given = {"started_at": now, "now": now, "jitter": 0.0} | circumstances
    return plan(feed, response, document, entries, RULES, Circumstances(**given))
