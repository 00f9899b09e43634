"""The lock, seen from memcached and from the server that is fetched from."""

import hashlib

from tests.acceptance.conftest import StartWorkers
from tests.acceptance.deployment import Deployment
from tests.rigs.servers.counting import CountingServer
from tests.rigs.servers.daemon import eventually
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.samples import ENTRIES


def lock_key(url: str) -> str:
    """Return the recipe's key, with the prefix and the version that Django's caches put before it."""
    return f":1:import_feed-lock-{hashlib.md5(url.encode()).hexdigest()}"


def test_memcached_holds_the_key_while_an_import_runs_and_not_afterwards(
    deployment: Deployment, start_workers: StartWorkers, counting_server: CountingServer, memcached: Memcached
) -> None:
    url = counting_server.url("feed")
    start_workers(1, 2)
    with counting_server.holding():
        deployment.send([url])
        counting_server.wait_for_requests(1)
        ttl = memcached.ttl(lock_key(url))
        assert ttl is not None
        assert 0 < ttl <= 600
    deployment.wait_until_imported(1, within=15)
    eventually(lambda: memcached.get(lock_key(url)) is None, within=30, what="the lock is released")


def test_a_key_set_by_hand_keeps_a_feed_from_being_imported(
    deployment: Deployment, start_workers: StartWorkers, counting_server: CountingServer, memcached: Memcached
) -> None:
    url = counting_server.url("feed")
    memcached.set(lock_key(url), b"by hand", 600)
    workers = start_workers(1, 2)
    deployment.send([url])
    deployment.wait_until_queued(0, 0, 0, within=15)
    assert counting_server.requests.total() == 0
    assert deployment.imported() == 0
    assert memcached.get(lock_key(url)) == b"by hand"
    assert f"Feed {url} is already being imported by another worker" in workers.output()


def test_a_thousand_messages_for_one_slow_feed_cost_at_most_two_fetches(
    deployment: Deployment, start_workers: StartWorkers, counting_server: CountingServer
) -> None:
    url = counting_server.url("feed")
    deployment.send([url] * 1000)
    with counting_server.holding():
        start_workers(2, 8)
        counting_server.wait_for_requests(1)
    deployment.wait_until_queued(0, 0, 0, within=60)
    assert counting_server.peak["feed"] == 1
    assert counting_server.requests["feed"] <= 2
    assert deployment.entries() == ENTRIES


def test_while_memcached_is_down_nothing_is_imported_and_nothing_is_lost(
    deployment: Deployment, start_workers: StartWorkers, counting_server: CountingServer, memcached: Memcached
) -> None:
    feeds = 20
    start_workers(2, 4)
    memcached.stop()
    deployment.send(counting_server.url(f"feed-{number}") for number in range(feeds))
    deployment.wait_until_queued(0, feeds, 0, within=20)  # each was tried, and went back with a delay
    assert counting_server.requests.total() == 0
    assert deployment.imported() == 0

    memcached.start()
    deployment.wait_until_imported(feeds, within=60)
    deployment.wait_until_queued(0, 0, 0, within=10)
    assert counting_server.requests.total() == feeds
    assert deployment.entries() == feeds * ENTRIES
