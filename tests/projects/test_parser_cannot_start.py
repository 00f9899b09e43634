"""Systems on which no child can start that reads a document: the fault is ours, and no feed is blamed."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.foreign_project import ForeignProject
from tests.rigs.parsing_children import NOT_WELL_FORMED
from tests.rigs.servers.feed_server import FeedServer, answer

IMPORT = """
import io, json, multiprocessing, resource
from multiprocessing.spawn import set_executable
from django.core.management import CommandError
from django.test import RequestFactory
from feeds.status import readyz
from feeds.models import Feed

def ready():
    response = readyz(RequestFactory().get("/"))
    parts = json.loads(response.content)
    print("ready:", response.status_code, parts["parser"], parts["workers"])

def imported():
    feed = Feed.objects.import_feed("{url}")
    wait = (feed.next_check_at - feed.created_at).total_seconds() / 60
    state = feed.last_outcome or "-", feed.error_kind or "-", feed.error_count
    print(*state, f"{{min(wait, 60):.0f}}", feed.entries.count())
    return feed

call_command("migrate", verbosity=0)
"""


@pytest.fixture
def broken_feed() -> Iterator[FeedServer]:
    with FeedServer(routes={"/feed": answer(200, NOT_WELL_FORMED)}) as server:
        yield server


def lines(tmp_path: Path, server: FeedServer, code: str) -> list[str]:
    return ForeignProject(tmp_path).run(IMPORT.format(url=server.url()) + code).splitlines()


def test_where_the_executable_is_no_python_a_feed_is_fetched_again_later_and_readyz_says_so(
    tmp_path: Path, broken_feed: FeedServer
) -> None:
    """As under uWSGI, where `sys.executable` is the server."""
    code = f"""
set_executable("/bin/true")
print(imported().next_check_reason)
imported()
ready()
try:
    call_command("probe_feed", {broken_feed.url()!r}, stdout=io.StringIO())
except CommandError as error:
    print(error)
set_executable({sys.executable!r})
ready()
print(imported().next_check_reason.partition(" ")[0])
ready()
"""
    assert lines(tmp_path, broken_feed, code)[:9] == [
        "- - 0 1 0",
        "never checked; no process could read the document: no process for parsing can start: /bin/true is no Python",
        "- - 0 15 0",
        "ready: 503 failed failed",
        "no process for parsing can start: /bin/true is no Python",
        "ready: 200 ok failed",
        "imported - 0 60 1",
        "no",
        "ready: 200 ok ok",
    ]


def test_a_limit_of_the_host_that_is_lower_than_ours_keeps_no_document_from_being_read(
    tmp_path: Path, broken_feed: FeedServer
) -> None:
    code = """
resource.setrlimit(resource.RLIMIT_CPU, (15, 15))
imported()
"""
    assert lines(tmp_path, broken_feed, code) == ["imported - 0 60 1"]
