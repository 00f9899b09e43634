"""The servers that the other tests stand on."""

import urllib.request
from urllib.error import HTTPError

import psycopg
import pytest

from tests.rigs.servers.counting import CountingServer
from tests.rigs.servers.daemon import eventually
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.nginx import Nginx
from tests.rigs.servers.postgresql import PostgreSQL
from tests.rigs.servers.rabbitmq import RabbitMQ
from tests.rigs.servers.redis_server import RedisServer


def test_memcached_starts_again_on_the_same_port_and_has_forgotten_everything(memcached: Memcached) -> None:
    memcached.set("key", b"value", 100)
    assert memcached.get("key") == b"value"
    assert memcached.ttl("key") in (99, 100)
    memcached.stop()
    with pytest.raises(ConnectionRefusedError):
        memcached.get("key")
    memcached.start()
    assert memcached.get("key") is None


def test_a_paused_memcached_does_not_answer_until_it_is_resumed(memcached: Memcached) -> None:
    memcached.pause()
    with pytest.raises(TimeoutError):
        memcached.get("key")
    memcached.resume()
    assert memcached.get("key") is None


def test_nginx_logs_conditional_requests(nginx: Nginx) -> None:
    (nginx.root / "feed.xml").write_bytes(b"<rss/>")
    with urllib.request.urlopen(nginx.url("feed.xml")) as answer:
        etag = answer.headers["ETag"]
    request = urllib.request.Request(nginx.url("feed.xml"), headers={"If-None-Match": etag})
    with pytest.raises(HTTPError, match="304") as not_modified:
        urllib.request.urlopen(request)
    not_modified.value.close()
    eventually(lambda: len(nginx.requests()) == 2, within=30, what="nginx has logged both requests")
    assert [(request.path, request.status, request.etag) for request in nginx.requests()] == [
        ("/feed.xml", 200, ""),
        ("/feed.xml", 304, etag),
    ]


def test_a_database_is_made_and_dropped(postgresql: PostgreSQL) -> None:
    name = postgresql.create_database()
    with psycopg.connect(postgresql.url(name)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    postgresql.drop_database(name)


def test_brokers_start(redis_server: RedisServer, rabbitmq: RabbitMQ) -> None:
    assert redis_server.answers()
    assert rabbitmq.answers()


def test_the_counting_server_holds_answers(counting_server: CountingServer) -> None:
    with counting_server.holding(), pytest.raises(TimeoutError):
        urllib.request.urlopen(counting_server.url("a"), timeout=0.2)
    with urllib.request.urlopen(counting_server.url("a")) as answer:
        assert answer.read().count(b"<entry>") == 3
    assert counting_server.requests["a"] == 2
