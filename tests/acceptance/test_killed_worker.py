"""What a worker was doing when kill -9 met it, or when it froze, is done in the end, without anybody's help."""

import pytest

from tests.acceptance.conftest import StartWorkers, on_both_brokers
from tests.acceptance.deployment import Deployment
from tests.rigs.servers.counting import CountingServer
from tests.rigs.servers.postgresql import PostgreSQL
from tests.rigs.servers.samples import ENTRIES


@pytest.fixture
def extra_environment() -> dict[str, str]:
    """Shorten the times after which others may go on: the killed worker's lock, and what it had taken from Redis."""
    return {
        "DJANGO_SETTINGS_MODULE": "tests.acceptance.settings",
        "FEEDS_LOCK_EXPIRE": "8",
        "FEEDS_TIME_LIMIT": "3",
        "FEEDS_FETCH_DEADLINE": "2",
        "FEEDS_PARSE_LIMIT": "0.5",
    }


@on_both_brokers
def test_another_pool_imports_the_feed_of_a_pool_that_was_killed_in_the_middle(
    deployment: Deployment, start_workers: StartWorkers, counting_server: CountingServer
) -> None:
    killed = start_workers(2, 2)
    with counting_server.holding(), deployment.sending(counting_server.url("feed")):
        counting_server.wait_for_requests(1)
        killed.pause()  # its time limit must not end the import before the others have booted
        start_workers(1, 2)
        killed.kill()
    assert deployment.imported() == 0

    deployment.wait_until_imported(1, within=60)
    assert counting_server.requests["feed"] == 2
    assert deployment.entries() == ENTRIES


def test_a_pool_that_ended_with_its_killed_worker_imports_the_feed_when_it_is_started_again(
    deployment: Deployment, start_workers: StartWorkers, counting_server: CountingServer
) -> None:
    workers = start_workers(1, 2)
    with counting_server.holding(), deployment.sending(counting_server.url("feed")):
        counting_server.wait_for_requests(1)
        workers.kill_one()
    assert deployment.imported() == 0

    workers.start()
    deployment.wait_until_imported(1, within=60)
    assert counting_server.requests["feed"] == 2
    assert deployment.entries() == ENTRIES


def test_rows_that_a_frozen_worker_would_keep_locked_for_ever_are_warned_of(
    deployment: Deployment, postgresql: PostgreSQL
) -> None:
    assert "feeds.W014" in deployment.manage("check", "--deploy")
    name = deployment.database_url.rpartition("/")[2]
    postgresql.execute(f"ALTER DATABASE {name} SET idle_in_transaction_session_timeout = '1min'")
    assert "feeds.W014" not in deployment.manage("check", "--deploy")
