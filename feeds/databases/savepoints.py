"""Rows written together, or one by one, so that one which the database refuses stops no other."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connections, transaction

from feeds.databases.primary import primary_database
from feeds.exceptions import describe

Item = TypeVar("Item")
Refusal = tuple[Item, Exception]

UNAVAILABLE = (OperationalError, InterfaceError)  # the next try may do


def is_away(error: BaseException) -> bool:
    """Tell whether the database could not be asked: no connection, or a server that begins or ends (SQLSTATE 08, 57P).

    Another error that may pass, such as a time-out of a statement, comes after the feed was fetched.
    """
    state = getattr(error.__cause__, "sqlstate", "")  # None: psycopg has heard of no server; SQLite has none
    return isinstance(error, UNAVAILABLE) and (state is None or state.startswith(("08", "57P")))


@contextmanager
def receivers_refuse() -> Iterator[None]:
    """Raise IntegrityError for whatever a receiver of the project's raises: it refuses, as the database may."""
    try:
        yield
    except DatabaseError:
        raise
    except Exception as error:
        raise IntegrityError(describe(error)) from error


def together(items: list[Item], write: Callable[[list[Item]], object]) -> tuple[list[Item], list[Refusal[Item]]]:
    """Write all items at once, or one by one where that is refused; return the same as `one_by_one`."""
    if not one_by_one([items] if items else [], write)[1]:
        return items, []
    return one_by_one(items, lambda item: write([item]))


def one_by_one(items: Iterable[Item], write: Callable[[Item], object]) -> tuple[list[Item], list[Refusal[Item]]]:
    """Write each item in a savepoint of its own; return those that were written, and those that were refused.

    Receivers of the project's signals may refuse, too, and raise what they like.
    """
    written, refused, connection = [], [], connections[primary_database()]
    for item in items:
        try:
            with transaction.atomic(using=primary_database()):
                write(item)
                if connection.vendor == "postgresql":  # what it would refuse at the commit only
                    connection.check_constraints()
        except UNAVAILABLE:
            raise
        except Exception as error:  # a receiver's
            refused.append((item, error))
        else:
            written.append(item)
    return written, refused
