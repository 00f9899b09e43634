"""What an import writes and reads, statement by statement, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from feeds.models import Entry, Feed, Import
from tests.rigs.documents import import_document, item, items, rss

pytestmark = pytest.mark.django_db(transaction=True)

FEED, ENTRY, IMPORT = Feed._meta.db_table, Entry._meta.db_table, Import._meta.db_table


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Make either database the default one."""
    if request.param == "sqlite":
        yield "sqlite"
        return
    request.getfixturevalue("on_postgresql")
    yield "postgresql"


class Statements:
    """What was sent to the database, and with how many parameters."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.sent.append((sql, len(params or ())))
        return execute(sql, params, many, context)

    def of(self, verb: str) -> list[str]:
        """Return the tables of the statements of this kind."""
        return [table(sql) for sql, _ in self.sent if sql.startswith(verb)]

    def writes(self) -> list[str]:
        return [f"{verb} {name}" for verb in ("INSERT", "UPDATE", "DELETE") for name in self.of(verb)]


def table(sql: str) -> str:
    return next(name for name in (IMPORT, ENTRY, FEED) if f'"{name}"' in sql)


@contextmanager
def statements() -> Iterator[Statements]:
    log = Statements()
    with connection.execute_wrapper(log):
        yield log


def versions() -> list[tuple[Any, ...]]:
    """Return which version of which row PostgreSQL holds."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, ctid::text, xmin::text FROM {ENTRY} ORDER BY id")
        return list(cursor.fetchall())


UNCHANGED = {
    "a 304": None,
    "the same body": rss(*items(range(500))),
    "a body with another date on the feed": rss("<lastBuildDate>now</lastBuildDate>", *items(range(500))),
    "the same entries in another order": rss(*reversed(items(range(500)))),
}


@pytest.mark.parametrize("name", UNCHANGED)
def test_an_unchanged_poll_writes_exactly_one_row(database: str, name: str) -> None:
    import_document(rss(*items(range(500))))
    before = versions() if database == "postgresql" else []
    with statements() as log:
        report = import_document(UNCHANGED[name])
    assert (report.failure, report.new, report.changed) == (None, 0, 0)
    assert log.writes() == [f"UPDATE {FEED}"]
    assert ENTRY not in log.of("SELECT"), "nothing is read of entries that were seen before"
    if database == "postgresql":
        assert versions() == before


@pytest.mark.usefixtures("database")
def test_also_where_the_document_has_to_be_parsed_whole() -> None:
    body = rss(*items(range(50))) + b"<"
    import_document(body)
    with statements() as log:
        report = import_document(body + b"<")
    assert (report.failure, report.new, report.changed) == (None, 0, 0)
    assert log.writes() == [f"UPDATE {FEED}"]


@pytest.mark.usefixtures("database")
def test_one_new_entry_in_a_feed_of_500_costs_its_insert_and_one_for_the_history_and_reads_its_own_keys_only() -> None:
    import_document(rss(*items(range(500))))
    with statements() as log:
        report = import_document(rss(item(500), *items(range(1, 500))))
    assert report.new == 1
    assert log.writes() == [f"INSERT {ENTRY}", f"INSERT {IMPORT}", f"UPDATE {FEED}"]
    (keys,) = [count for sql, count in log.sent if sql.startswith("SELECT") and table(sql) == ENTRY]
    assert keys <= 1 + 4, "the feed's id, and the names that this one entry may have"
    assert Entry.objects.count() == 501
