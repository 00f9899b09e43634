"""Fetch a feed: one conditional GET, its redirects followed. Whatever a server does comes back as a value."""

from feeds.fetching.fetcher import Fetcher
from feeds.fetching.ip_policy import IPPolicy, is_private_host
from feeds.fetching.requests import OWN_HEADERS, plan_calls
from feeds.fetching.resolver import AddressInfo, GetAddressInfo
from feeds.fetching.responses import DELTA, freshness, into_private, retry_after
from feeds.fetching.transport import KNOWN_ENCODINGS
from feeds.fetching.values import (
    Allowance,
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
    "DELTA",
    "KNOWN_ENCODINGS",
    "OWN_HEADERS",
    "AddressInfo",
    "Allowance",
    "Failed",
    "FeedRequest",
    "FetchOutcome",
    "FetchSettings",
    "Fetched",
    "Fetcher",
    "GetAddressInfo",
    "Gone",
    "IPPolicy",
    "NotModified",
    "Redirect",
    "TooMany",
    "freshness",
    "into_private",
    "is_private_host",
    "plan_calls",
    "retry_after",
]
