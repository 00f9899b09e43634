"""When which feed may be fetched."""

from feeds.scheduling.admission import Admission, Admitted, Postponed
from feeds.scheduling.dispatch import claim, postpone, send_due
from feeds.scheduling.hosts import annotated, known, pause
from feeds.scheduling.outage import OutageDetector
from feeds.scheduling.rate_limit import LONGEST_DELAY, is_for_the_schedule

__all__ = [
    "LONGEST_DELAY",
    "Admission",
    "Admitted",
    "OutageDetector",
    "Postponed",
    "annotated",
    "claim",
    "is_for_the_schedule",
    "known",
    "pause",
    "postpone",
    "send_due",
]
