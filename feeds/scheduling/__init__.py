"""Decide when which feed may be fetched: claims, one request at a time to a host, slow servers, outages."""

from feeds.scheduling.admission import Admission, Admitted, Postponed
from feeds.scheduling.dispatch import postpone, send_due, unread
from feeds.scheduling.hosts import forget, pause
from feeds.scheduling.outage import OutageDetector
from feeds.scheduling.rate_limit import FARTHEST, LONGEST_DELAY, is_for_the_schedule
from feeds.scheduling.slow_servers import Bulkhead

__all__ = [
    "FARTHEST",
    "LONGEST_DELAY",
    "Admission",
    "Admitted",
    "Bulkhead",
    "OutageDetector",
    "Postponed",
    "forget",
    "is_for_the_schedule",
    "pause",
    "postpone",
    "send_due",
    "unread",
]
