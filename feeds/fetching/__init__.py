"""Fetch a feed: one conditional GET, its redirects followed. Whatever a server does comes back as a value."""

from feeds.fetching.fetcher import Fetcher
from feeds.fetching.ip_policy import IPPolicy, is_private_host, network_warnings
from feeds.fetching.proxies import Proxies
from feeds.fetching.requests import RESERVED_HEADERS, plan_calls
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
    "RESERVED_HEADERS",
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
    "is_private_host",
    "network_warnings",
    "plan_calls",
]
