"""What an operator looks at: what is wrong, and what to do."""

from feeds.status.diagnosis import Finding, examine

__all__ = [
    "Finding",
    "examine",
]
