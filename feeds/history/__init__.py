"""What imports did: a row for each that did something or failed. Checks that find nothing new are counted only."""

from feeds.history.records import DAYS, KEPT, counts, is_eventful, prune, record

__all__ = ["DAYS", "KEPT", "counts", "is_eventful", "prune", "record"]
