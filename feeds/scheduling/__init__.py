"""When which feed may be fetched."""

from feeds.scheduling.admission import Admitted, Fetch, Postponed, admit
from feeds.scheduling.dispatch import claim, postpone, send_due
from feeds.scheduling.hosts import pause
from feeds.scheduling.outage import OutageDetector
from feeds.scheduling.rate_limit import LONGEST_DELAY, is_for_the_schedule

__all__ = [
    "LONGEST_DELAY",
    "Admitted",
    "Fetch",
    "OutageDetector",
    "Postponed",
    "admit",
    "claim",
    "is_for_the_schedule",
    "pause",
    "postpone",
    "send_due",
]
