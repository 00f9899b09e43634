"""A feed's URL to what its server says: one conditional GET, redirects followed, whatever the server does a value."""

from feeds.fetching.fetcher import Fetcher
from feeds.fetching.ip_policy import IPPolicy, is_private_host
from feeds.fetching.requests import plan_calls
from feeds.fetching.responses import freshness, into_private, retry_after
from feeds.fetching.sockets import ALERT, Patience
from feeds.fetching.values import (
    Failed,
    FeedRequest,
    Fetched,
    FetchOutcome,
    FetchSettings,
    Gone,
    NotModified,
    Redirect,
    TooMany,
)

__all__ = [
    "ALERT",
    "Failed",
    "FeedRequest",
    "FetchOutcome",
    "FetchSettings",
    "Fetched",
    "Fetcher",
    "Gone",
    "IPPolicy",
    "NotModified",
    "Patience",
    "Redirect",
    "TooMany",
    "freshness",
    "into_private",
    "is_private_host",
    "plan_calls",
    "retry_after",
]
