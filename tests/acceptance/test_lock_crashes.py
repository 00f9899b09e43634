"""The lock and real worker processes: killed at exact points, stopped, and cut off from Redis and RabbitMQ."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from feeds.locking.lock import lock_key
from tests.acceptance.conftest import StartWorkers
from tests.acceptance.deployment import Deployment
from tests.rigs.faults.crashes import CRASHES, Node
from tests.rigs.faults.playing import Result, chosen, play_all
from tests.rigs.faults.random_run import random_run
from tests.rigs.faults.rows import Row
from tests.rigs.faults.variants import OURS
from tests.rigs.servers.counting import CountingServer
from tests.rigs.servers.daemon import eventually
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.rabbitmq import RabbitMQ
from tests.rigs.servers.samples import ENTRIES


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest, rabbitmq_node: RabbitMQ) -> Iterator[dict[str, Future[Result]]]:
    Node.running = rabbitmq_node
    with ThreadPoolExecutor(4) as pool:
        yield play_all(pool, chosen(request), OURS)


@pytest.mark.parametrize("row", CRASHES, ids=lambda row: row.name)
def test_our_lock_holds(row: Row, played: dict[str, Future[Result]]) -> None:
    assert played[row.name].result().problems == []


@pytest.fixture
def extra_environment() -> dict[str, str]:
    """Shorten the lock's life; the time limit strikes when the stopped worker wakes, unless it is quicker."""
    seconds = {"LOCK_EXPIRE": "8", "TIME_LIMIT": "3", "FETCH_DEADLINE": "2", "PARSE_LIMIT": "0.5"}
    return {f"FEEDS_{name}": value for name, value in seconds.items()}


def test_an_import_that_slept_past_its_lock_stores_nothing_and_leaves_its_successors_lock(
    deployment: Deployment, start_workers: StartWorkers, counting_server: CountingServer, memcached: Memcached
) -> None:
    url = counting_server.url("feed")
    key = lock_key("import_feed", url)
    sleeper = start_workers(1, 1)
    with counting_server.holding():
        deployment.send([url])
        counting_server.wait_for_requests(1)
        sleeper.pause()
    eventually(lambda: memcached.get(f":1:{key}") is None, within=15, what="the lock has expired")
    deployment.manage("shell", "-c", f"from feeds.models import Feed; Feed.objects.import_feed({url!r})")
    before = deployment.rows("SELECT revision, checked_at FROM feeds_feed")
    memcached.set(f":1:{key}", b"the successor", 60)
    sleeper.resume()
    sleeper.stop()  # waits until the message is done with
    assert deployment.rows("SELECT revision, checked_at FROM feeds_feed") == before
    assert deployment.entries() == ENTRIES
    assert memcached.get(f":1:{key}") == b"the successor"


def test_a_randomised_run_of_faults_leaves_no_request_unserved_and_no_two_commits_overlapping(tmp_path: Path) -> None:
    assert random_run(tmp_path, seconds=8, seed=1) == []
