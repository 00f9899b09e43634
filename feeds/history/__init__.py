"""The history of imports: a row for each that did something or failed. Checks without news are counted only."""

from feeds.history.records import DAYS, KEPT, counts, is_eventful, prune, record

__all__ = ["DAYS", "KEPT", "counts", "is_eventful", "prune", "record"]
