"""What a response and a document mean for a feed: which entry is which, what to write, when to look again. Pure."""

from feeds.planning.conditions import request
from feeds.planning.identity import match_entries
from feeds.planning.planner import EXPIRED, plan
from feeds.planning.redirects import is_same_site
from feeds.planning.schedule import ASKED_AT_THE_LAST_CHECK, UNREAD, UNREAD_AGAIN, unread, with_slot
from feeds.planning.values import (
    Budget,
    Circumstances,
    DocumentState,
    FeedState,
    History,
    HostState,
    ImportPlan,
    ImportReport,
    Move,
    NextCheck,
    Pause,
    PlannedEntry,
    RedirectStreak,
    Rules,
    StoredEntry,
    Streak,
    Trace,
)

__all__ = [
    "ASKED_AT_THE_LAST_CHECK",
    "EXPIRED",
    "UNREAD",
    "UNREAD_AGAIN",
    "Budget",
    "Circumstances",
    "DocumentState",
    "FeedState",
    "History",
    "HostState",
    "ImportPlan",
    "ImportReport",
    "Move",
    "NextCheck",
    "Pause",
    "PlannedEntry",
    "RedirectStreak",
    "Rules",
    "StoredEntry",
    "Streak",
    "Trace",
    "is_same_site",
    "match_entries",
    "plan",
    "request",
    "unread",
    "with_slot",
]
