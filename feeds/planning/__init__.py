"""What is known, what was fetched and what was read to what is written and when to look again. Pure."""

from feeds.planning.identity import identify, name_entries, names_of, not_parsed, recognise, seems_moved
from feeds.planning.planner import EXPIRED, plan
from feeds.planning.redirects import Rule, decided, feed_of, sighted
from feeds.planning.schedule import Pace, with_slot
from feeds.planning.values import (
    FeedState,
    HostState,
    ImportPlan,
    ImportReport,
    Move,
    NextCheck,
    Pause,
    PlannedEntry,
    RedirectStreak,
    StoredEntry,
)

__all__ = [
    "EXPIRED",
    "FeedState",
    "HostState",
    "ImportPlan",
    "ImportReport",
    "Move",
    "NextCheck",
    "Pace",
    "Pause",
    "PlannedEntry",
    "RedirectStreak",
    "Rule",
    "StoredEntry",
    "decided",
    "feed_of",
    "identify",
    "name_entries",
    "names_of",
    "not_parsed",
    "plan",
    "recognise",
    "seems_moved",
    "sighted",
    "with_slot",
]
