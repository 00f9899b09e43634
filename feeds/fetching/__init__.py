"""Fetch a feed: one conditional GET, its redirects followed. Whatever a server does comes back as a value."""

from feeds.fetching.fetcher import Fetcher
from feeds.fetching.ip_policy import IPPolicy, doubts, is_private_host
from feeds.fetching.proxies import Proxies
from feeds.fetching.requests import OWN_HEADERS, plan_calls
from feeds.fetching.transport import DELTA
from feeds.fetching.values import (
    Admit,
    Allowance,
    Failed,
    FeedRequest,
    Fetched,
    FetchOutcome,
    FetchSettings,
    NotModified,
    Redirect,
)

__all__ = [
    "DELTA",
    "OWN_HEADERS",
    "Admit",
    "Allowance",
    "Failed",
    "FeedRequest",
    "FetchOutcome",
    "FetchSettings",
    "Fetched",
    "Fetcher",
    "IPPolicy",
    "NotModified",
    "Proxies",
    "Redirect",
    "doubts",
    "is_private_host",
    "plan_calls",
]
