"""The database that holds the feeds: which it is, what no transaction may hold, and how much is deleted at once."""

from feeds.databases.deletion import BATCH, Advance, delete_rows, protectors, refuse_protected
from feeds.databases.primary import outside_transactions, primary_database, refuse_transaction
from feeds.databases.savepoints import UNAVAILABLE, Refusal, is_away, one_by_one, receivers_refuse, together

__all__ = [
    "BATCH",
    "UNAVAILABLE",
    "Advance",
    "Refusal",
    "delete_rows",
    "is_away",
    "one_by_one",
    "outside_transactions",
    "primary_database",
    "protectors",
    "receivers_refuse",
    "refuse_protected",
    "refuse_transaction",
    "together",
]
