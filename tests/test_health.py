"""The health pages, over HTTP as a load balancer asks for them; servers that fail are real sockets."""

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import dramatiq
import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from dramatiq import Broker
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from pymemcache import PooledClient

from feeds import exceptions, health
from feeds.models import Lock
from tests.rigs.servers.daemon import free_port
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.redis_server import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)  # the probes have connections of their own


@pytest.fixture
def original_broker() -> Iterator[Broker]:
    """Put back, after the test, the broker that was set before."""
    broker = dramatiq.get_broker()
    yield broker
    dramatiq.set_broker(broker)


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def server_counts(memcached: Memcached) -> dict[bytes, Any]:
    with closing(PooledClient(memcached.location)) as client:
        return client.stats()


def readyz(client: Client) -> tuple[int, dict[str, Any]]:
    answer = client.get("/readyz")
    return answer.status_code, answer.json()


def with_memcached(location: str) -> dict[str, Any]:
    return {"locks": {"BACKEND": "feeds.locking.MemcachedLocks", "LOCATION": location}}


def test_healthz_answers_without_a_query(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = client.get("/healthz")
    assert answer.json() == {"status": "ok"}


@pytest.mark.parametrize("url", ["/healthz", "/readyz"])
def test_health_pages_are_for_reading_and_never_cached(client: Client, url: str) -> None:
    assert client.head(url).status_code == 200
    for answer in (client.get(url), client.post(url)):
        assert answer["Cache-Control"] == "no-store"
    assert client.post(url).status_code == 405


def test_an_embedded_process_is_ready_and_leaves_no_lock_behind(client: Client) -> None:
    assert readyz(client) == (200, {"status": "ok", "database": "ok", "lock_store": "ok", "broker": "ok"})
    assert not Lock.objects.exists()


def test_a_migration_that_is_not_applied_fails_the_database(client: Client) -> None:
    migrations = MigrationRecorder(connection)
    last = migrations.migration_qs.filter(app="feeds").latest("id")
    migrations.record_unapplied(last.app, last.name)
    try:
        status, parts = readyz(client)
    finally:
        migrations.record_applied(last.app, last.name)
    assert status == 503
    assert parts["database"] == f"migrations not applied: 1, from feeds.{last.name} on"
    assert parts["broker"] == "ok"


def test_a_lock_store_that_is_down_is_named(client: Client, settings: Any) -> None:
    settings.CACHES = with_memcached(f"127.0.0.1:{free_port()}")
    status, parts = readyz(client)
    assert status == 503
    assert parts["lock_store"].startswith("LockStoreError: memcached at 127.0.0.1")
    assert parts["database"] == parts["broker"] == "ok"


def test_memcached_is_ready_and_gets_its_probe_taken_back(client: Client, settings: Any, memcached: Memcached) -> None:
    settings.CACHES = with_memcached(memcached.location)
    assert readyz(client)[0] == 200
    counts = server_counts(memcached)  # not curr_items: memcached counts what has expired until it tidies up
    assert (counts[b"cmd_set"], counts[b"cas_hits"]) == (2, 1)


def test_a_broker_that_is_down_is_named_without_its_password(client: Client, original_broker: Broker) -> None:
    for broker in (
        RedisBroker(url=f"redis://user:secret@127.0.0.1:{free_port()}/0"),
        RabbitmqBroker(url=f"amqp://user:secret@127.0.0.1:{free_port()}/"),
    ):
        dramatiq.set_broker(broker)
        status, parts = readyz(client)
        assert status == 503
        assert parts["broker"].split(":")[0] in ("ConnectionError", "AMQPConnectionError", "TimeoutError")
        assert "secret" not in parts["broker"]
        assert parts["database"] == parts["lock_store"] == "ok"


def test_redis_is_ready(client: Client, original_broker: Broker, redis_server: RedisServer) -> None:
    dramatiq.set_broker(RedisBroker(url=redis_server.url))
    assert readyz(client)[0] == 200


def test_a_broker_that_hangs_costs_no_more_than_the_patience_and_one_thread(
    original_broker: Broker, deaf_port: int
) -> None:
    broker = RedisBroker(url=f"redis://127.0.0.1:{deaf_port}/0")
    dramatiq.set_broker(broker)
    for _ in range(3):
        parts = health.readiness(patience=0.2)
    assert parts["broker"] == "TimeoutError: no answer in time"
    hanging = health.BROKER.ask(lambda: "another question")
    assert not hanging.done()
    broker.client.connection_pool.disconnect()
    hanging.result(timeout=30)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot reach redis://user:secret@host:6379/0", "ValueError: cannot reach redis://…host:6379/0"),
        ('authentication failed for user "anna"', "ValueError: authentication failed for user …"),
        ("one line\nand another", "ValueError: one line"),
        ("", "ValueError"),
    ],
)
def test_errors_are_described_in_one_line_without_credentials(text: str, shown: str) -> None:
    assert exceptions.describe(ValueError(text)) == shown
