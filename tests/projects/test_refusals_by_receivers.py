"""Projects that refuse what is not an entry: by their receivers, by an index, or in the rows of feeds and history."""

import json
from typing import Any

import pytest

from tests.projects.test_refusals import Leaving, document
from tests.rigs.foreign_project import ForeignProject
from tests.rigs.servers.feed_server import FeedServer, answer

pytestmark = pytest.mark.slow

LIFE = """
import json
from datetime import timedelta
from django.db import connection, transaction
from django.db.models.signals import post_save, pre_delete
from feeds.exceptions import OpenTransaction
from feeds.models import Feed

call_command("migrate", verbosity=0)
found = {{}}

def state(path):
    feed = Feed.objects.import_feed("{0}" + path)
    waits = feed.next_check_at - feed.checked_at >= timedelta(hours=1) if feed.checked_at else None
    return [feed.error_kind, feed.error_text, feed.entries.count(), feed.imports.count(), waits]

def execute(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)

execute("CREATE UNIQUE INDEX one_url ON feeds_entry(url)")
found["index"] = state("/twins")
execute("DROP INDEX one_url")

def audit(instance, **_):
    instance.audited_name
post_save.connect(audit)
found["receiver"] = state("/audited")
post_save.disconnect(audit)

execute("CREATE TRIGGER refuse BEFORE INSERT ON feeds_import BEGIN SELECT RAISE(ABORT, 'no history'); END")
found["history"] = state("/noted")
execute("DROP TRIGGER refuse")

execute("CREATE TRIGGER refuse BEFORE INSERT ON feeds_entry BEGIN SELECT RAISE(ROLLBACK, 'nothing at all'); END")
found["rollback"] = state("/ending")
execute("DROP TRIGGER refuse")

execute(
    "CREATE TRIGGER refuse BEFORE UPDATE ON feeds_feed WHEN NEW.checked_at IS NOT NULL "
    "BEGIN SELECT RAISE(ABORT, 'no checks'); END"
)
found["checks"] = state("/checked")
execute("DROP TRIGGER refuse")

def keep(instance, **_):
    raise ValueError("there are orders")
pre_delete.connect(keep, sender=Feed)
state("/there")
state("/leaving")
found["merge"] = state("/leaving")

transaction.set_autocommit(False)
try:
    state("/twins")
except OpenTransaction:
    found["manual"] = "refused"
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    twins = (
        b'<rss version="2.0"><channel><title>t</title>'
        b"<item><guid>1</guid><title>One</title><link>https://a.example/</link></item>"
        b"<item><guid>2</guid><title>Two</title><link>https://a.example/</link></item></channel></rss>"
    )
    with FeedServer() as server:
        plain = answer(body=document("One", "Two"))
        server.routes = {"/twins": answer(body=twins), "/leaving": Leaving(), "/there": answer(body=document("m1"))}
        server.routes |= dict.fromkeys(("/audited", "/noted", "/ending", "/checked"), plain)
        settings = "FEEDS_REDIRECT_CHECKS, FEEDS_REDIRECT_DAYS = 1, 0.0"
        project = ForeignProject(tmp_path_factory.mktemp("receiving"), settings)
        printed = project.run(LIFE.format(server.url("")))
    return json.loads(next(line for line in printed.splitlines() if line.startswith("{")))


def test_an_entry_that_an_index_of_the_projects_refuses_is_named(found: Any) -> None:
    text = "the database refuses the entry “Two”: IntegrityError: UNIQUE constraint failed: feeds_entry.url"
    assert found["index"] == ["database", text, 1, 1, True]


@pytest.mark.parametrize("what", ["receiver", "history"])
def test_what_is_refused_of_the_history_costs_no_import(found: Any, what: str) -> None:
    assert found[what] == ["", "", 2, 0, True]


def test_a_refusal_that_ends_the_transaction_is_recorded(found: Any) -> None:
    assert found["rollback"] == [
        "database",
        "the database refuses the import: IntegrityError: nothing at all",
        0,
        1,
        True,
    ]


def test_where_a_check_may_not_be_recorded_its_error_is(found: Any) -> None:
    assert found["checks"] == ["database", "the database refuses the import: IntegrityError: no checks", 0, 0, None]


def test_a_receiver_that_refuses_a_merge_is_no_fault_of_the_document(found: Any) -> None:
    text = "the database refuses the import: IntegrityError: ValueError: there are orders"
    assert found["merge"] == ["database", text, 1, 2, True]


def test_an_import_is_refused_where_autocommit_is_off(found: Any) -> None:
    assert found["manual"] == "refused"
