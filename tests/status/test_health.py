"""The health pages, over HTTP as a load balancer asks for them; servers that fail are real sockets."""

import ast
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from dramatiq import Broker
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from pymemcache import PooledClient

from feeds import exceptions
from feeds.models import Lock
from tests.rigs.brokers import global_broker
from tests.rigs.servers.daemon import free_port
from tests.rigs.servers.memcached import Memcached, locks_in
from tests.rigs.servers.postgresql import PostgreSQL
from tests.rigs.servers.rabbitmq import RabbitMQ
from tests.rigs.servers.redis_server import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)  # as in production: no transaction is open around the questions


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def server_counts(memcached: Memcached) -> dict[bytes, Any]:
    with closing(PooledClient(memcached.location)) as client:
        return client.stats()


def readyz(client: Client) -> tuple[int, dict[str, Any]]:
    answer = client.get("/readyz")
    return answer.status_code, answer.json()


def readiness_with(database_url: str) -> dict[str, bool]:
    """Ask a process of its own that has this database; here the database is the tests'."""
    program = "import django; django.setup(); from feeds.status import health; print(health.readiness())"
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "feeds_project.settings"}
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | {"DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=True,
    )
    parts: dict[str, bool] = ast.literal_eval(answer.stdout)
    return parts


ALL_OK = dict.fromkeys(("status", "database", "lock_store", "broker", "parser", "workers"), "ok")


def failing(part: str) -> tuple[int, dict[str, Any]]:
    """Return the answer when this part fails and no other."""
    asked = {name: word for name, word in ALL_OK.items() if (name, part) != ("workers", "database")}
    return 503, asked | {"status": "failed", part: "failed"}


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
    assert readyz(client) == (200, ALL_OK)
    assert not Lock.objects.exists()


# The database


def test_a_migration_that_is_not_applied_fails_the_database(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    migrations = MigrationRecorder(connection)
    last = migrations.migration_qs.filter(app="feeds").latest("id")
    migrations.record_unapplied(last.app, last.name)
    try:
        assert readyz(client) == failing("database")
    finally:
        migrations.record_applied(last.app, last.name)
    assert f"readyz database=failed: migrations not applied: 1, from feeds.{last.name} on" in caplog.text


def test_a_database_that_takes_connections_and_never_answers_fails(silent_port: int) -> None:
    url = f"postgres://feeds@127.0.0.1:{silent_port}/feeds?connect_timeout=2"
    parts = readiness_with(url)
    assert (parts["database"], parts["broker"]) == (False, True)


def test_a_database_whose_answer_waits_for_a_lock_fails(postgresql: PostgreSQL) -> None:
    url = postgresql.url(postgresql.create_database())
    with psycopg.connect(url.replace("postgres://", "postgresql://")) as other:
        other.execute("CREATE TABLE django_migrations (id int, app text, name text, applied timestamptz)")
        other.commit()
        other.execute("LOCK TABLE django_migrations")
        assert readiness_with(url)["database"] is False


# The lock store


def test_a_lock_store_that_is_down_fails(client: Client, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.CACHES = locks_in(f"127.0.0.1:{free_port()}")
    assert readyz(client) == failing("lock_store")
    assert "readyz lock_store=failed: LockStoreError: memcached at 127.0.0.1" in caplog.text


def test_a_lock_store_that_never_answers_fails(client: Client, settings: Any, silent_port: int) -> None:
    settings.CACHES = locks_in(f"127.0.0.1:{silent_port}")
    assert readyz(client) == failing("lock_store")


def test_a_cache_that_is_no_lock_store_fails(client: Client, settings: Any) -> None:
    settings.CACHES = {"locks": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    assert readyz(client) == failing("lock_store")


def test_memcached_is_ready_and_gets_the_test_lock_back(client: Client, settings: Any, memcached: Memcached) -> None:
    settings.CACHES = locks_in(memcached.location)
    assert readyz(client) == (200, ALL_OK)
    counts = server_counts(memcached)  # not curr_items: memcached counts what has expired until it tidies up
    assert (counts[b"cmd_set"], counts[b"cas_hits"]) == (3, 1)  # one of them in vain


# The broker


def brokers_at(port: int) -> list[Broker]:
    return [
        RedisBroker(url=f"redis://user:secret@127.0.0.1:{port}/0"),
        RabbitmqBroker(url=f"amqp://user:secret@127.0.0.1:{port}/"),
        RabbitmqBroker(url=[f"amqp://user:secret@127.0.0.1:{port}/"]),
    ]


def test_a_broker_that_is_down_fails_and_its_password_is_not_logged(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for broker in brokers_at(free_port()):
        with global_broker(broker):
            assert readyz(client) == failing("broker")
    assert caplog.text.count("readyz broker=failed: ") == 3
    assert "secret" not in caplog.text


def test_a_broker_that_never_answers_fails(client: Client, silent_port: int) -> None:
    for broker in brokers_at(silent_port)[:2]:
        with global_broker(broker):
            assert readyz(client) == failing("broker")


def test_redis_is_ready(client: Client, redis_server: RedisServer) -> None:
    with global_broker(RedisBroker(url=redis_server.url)):
        assert readyz(client) == (200, ALL_OK)


def test_rabbitmq_is_ready(client: Client, rabbitmq: RabbitMQ) -> None:
    with global_broker(RabbitmqBroker(url=rabbitmq.url)):
        assert readyz(client) == (200, ALL_OK)


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
