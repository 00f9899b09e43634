"""Stand-ins for servers: a queue in memory, locks in the database."""

from feeds.embedded.broker import EmbeddedBroker
from feeds.embedded.locks import DatabaseLocks

__all__ = ["DatabaseLocks", "EmbeddedBroker"]
