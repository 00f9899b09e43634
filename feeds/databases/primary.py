"""The database that holds the feeds, and what may not be done inside of a transaction."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.apps import apps
from django.db import connections, router, transaction

from feeds.exceptions import OpenTransaction

View = TypeVar("View", bound=Callable[..., Any])


def primary_database() -> str:
    """Return the alias of the database that holds the feeds: all that belongs together is written there.

    What is read to decide on a write is read there, too. A replica, which a router may name for reading, lags behind.
    """
    return router.db_for_write(apps.get_model("feeds", "Feed"))


def refuse_transaction() -> None:
    """Raise OpenTransaction inside of one, other than that of a test case; and where autocommit is off: that is one."""
    connection = connections[primary_database()]
    try:
        if not connection.in_atomic_block and not connection.get_autocommit():
            raise RuntimeError("autocommit is off")
        with transaction.atomic(using=connection.alias, durable=True):
            pass
    except RuntimeError as error:
        raise OpenTransaction(
            "an import waits for a server, which no transaction should: it holds its locks meanwhile, and would take "
            "back what was imported. Import after it: transaction.on_commit(lambda: import_feed.send(url))"
        ) from error


def outside_transactions(view: View) -> View:
    """Mark a view that is to run in no transaction of its own where a database has `ATOMIC_REQUESTS`."""
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view
