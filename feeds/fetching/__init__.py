"""A feed's URL to what its server says: one conditional GET, redirects followed, whatever the server does a value."""

from feeds.fetching.bulk import Turn, leave
from feeds.fetching.fetcher import Fetcher
from feeds.fetching.ip_policy import IPPolicy, is_private_host
from feeds.fetching.names import AddressInfo, GetAddressInfo
from feeds.fetching.requests import OWN_HEADERS, plan_calls
from feeds.fetching.responses import DELTA, freshness, into_private, retry_after
from feeds.fetching.sockets import ALERT, Patience
from feeds.fetching.transport import KNOWN_ENCODINGS
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
    "DELTA",
    "KNOWN_ENCODINGS",
    "OWN_HEADERS",
    "AddressInfo",
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
    "Patience",
    "Redirect",
    "TooMany",
    "Turn",
    "freshness",
    "into_private",
    "is_private_host",
    "leave",
    "plan_calls",
    "retry_after",
]
