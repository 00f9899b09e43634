"""The lock under faults of its store, of threads and of other middleware, on a real memcached behind a proxy."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.rigs.faults.playing import Result, chosen, play, play_all
from tests.rigs.faults.rows import ROWS, Row
from tests.rigs.faults.variants import OURS, RECIPE

# Faults in which the plain recipe fails at once: were it not to, the rows would prove nothing.
FATAL = (
    "acquire: memcached refuses connections",
    "acquire: the key function fails",
    "acquire: memcached was restarted, the pooled socket is stale",
    "interrupt in acquire, between request and reply: the next lock",
    "interrupt in release: the work is not done again",
    "release: delayed until another holds the lock",
    "memcached restarts while a lock is held; both locks have one CAS",
    "the lock is lost while it is held, another has it: release leaves it",
    "a message sent while a run is under way is served by a later run",
    "a message comes again after its worker was killed: its own lock still stands",
)


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Result]]]:
    with ThreadPoolExecutor(4) as pool:
        yield play_all(pool, chosen(request), OURS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_our_lock_holds(row: Row, played: dict[str, Future[Result]]) -> None:
    assert played[row.name].result().problems == []


@pytest.mark.parametrize("name", FATAL)
def test_the_plain_recipe_does_not(name: str) -> None:
    (row,) = (row for row in ROWS if row.name == name)
    assert play(row, RECIPE).problems != []
