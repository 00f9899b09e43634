"""System checks: their ids and hints, and the boot that refuses what would switch the lock off."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from django.core.cache import caches
from django.core.checks import CheckMessage, run_checks
from dramatiq import Worker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import AgeLimit, CurrentMessage, Middleware, Retries, TimeLimit

from feeds import checks
from feeds.locking.checks import order_problems
from feeds.locking.middleware import LockConfigurationError, LockMiddleware
from tests.rigs.brokers import global_broker
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.redis_server import RedisServer
from tests.rigs.servers.workers import PROJECT

OURS = "feeds.locking.MemcachedLocks"
DJANGO = "django.core.cache.backends"
ONE = "127.0.0.1:11211"


def found(identity: str, *, deploy: bool = False) -> list[CheckMessage]:
    messages = run_checks(tags=["feeds"], include_deployment_checks=deploy)
    return [message for message in messages if message.id == identity]


def assert_found(identity: str, *, deploy: bool = False) -> None:
    (message,) = found(identity, deploy=deploy)
    assert message.hint


@pytest.fixture
def lock_cache(settings: Any) -> Any:
    """Return a function that sets the lock cache's configuration."""

    def configure(**configuration: Any) -> None:
        settings.CACHES = {**settings.CACHES, "locks": configuration}

    return configure


def networked_broker() -> dramatiq.Broker:
    return RedisBroker(url="redis://127.0.0.1:1/0", middleware=[Retries(), LockMiddleware(), TimeLimit()])


def test_as_shipped_nothing_is_found():
    assert run_checks(tags=["feeds"]) == []


UNFIT = [
    {"BACKEND": "no.such.Cache"},
    {"BACKEND": OURS, "LOCATION": "not a server"},
    {"BACKEND": OURS, "LOCATION": "localhost"},
    {"BACKEND": OURS, "LOCATION": "memcached://localhost"},
    {"BACKEND": OURS, "LOCATION": "localhost:0"},
    {"BACKEND": OURS, "LOCATION": "pymemcache://localhost:11211"},
    {"BACKEND": OURS, "LOCATION": "memcached://user:secret@localhost:11211"},
    {"BACKEND": OURS, "LOCATION": ONE, "OPTIONS": {"serde": None}},
    {"BACKEND": OURS, "LOCATION": f"{ONE},127.0.0.1:11212"},
    {"BACKEND": OURS, "LOCATION": [ONE, "127.0.0.1:11212"]},
    {"BACKEND": OURS, "LOCATION": ONE, "OPTIONS": {"ignore_exc": True}},
    {"BACKEND": OURS, "LOCATION": ONE, "OPTIONS": {"timeout": None}},
    {"BACKEND": OURS, "LOCATION": ONE, "OPTIONS": {"connect_timeout": 0}},
    {"BACKEND": f"{DJANGO}.dummy.DummyCache"},
    {"BACKEND": f"{DJANGO}.filebased.FileBasedCache", "LOCATION": "/nowhere"},
    {"BACKEND": f"{DJANGO}.db.DatabaseCache", "LOCATION": "table"},
    {"BACKEND": f"{DJANGO}.memcached.PyMemcacheCache", "LOCATION": ONE},
    {"BACKEND": f"{DJANGO}.redis.RedisCache", "LOCATION": "redis://127.0.0.1"},
]


@pytest.mark.parametrize("configuration", UNFIT)
def test_a_cache_that_cannot_hold_locks_is_found_and_no_worker_boots_on_it(lock_cache, configuration):
    lock_cache(**configuration)
    (message,) = found("feeds.E004")
    assert message.hint
    with pytest.raises(LockConfigurationError) as refused:
        Worker(StubBroker(middleware=[Retries(), LockMiddleware(), TimeLimit()])).start()
    assert message.msg == f"FEEDS_LOCK_CACHE: {refused.value}"


@pytest.mark.parametrize(
    "location", ["cache-1.example:11211", f"memcached://{ONE}", f"memcached://{ONE}/", "[::1]:11211"]
)
def test_a_server_is_named_with_or_without_a_scheme(lock_cache, location):
    lock_cache(BACKEND=OURS, LOCATION=location)
    assert found("feeds.E004") == []


def test_a_cache_alias_that_is_not_configured_is_found(settings):
    settings.FEEDS_LOCK_CACHE = "no-such-cache"
    assert_found("feeds.E004")


def test_a_cache_of_one_process_holds_locks_with_a_stub_broker_only(lock_cache):
    lock_cache(BACKEND=f"{DJANGO}.locmem.LocMemCache")
    assert found("feeds.E004") == []
    with global_broker(networked_broker()):
        assert_found("feeds.E004")


@pytest.mark.parametrize(
    "values",
    [
        {"FEEDS_PROXY": "proxy:3128"},
        {"FEEDS_PROXY": "ftp://me:geheim@proxy"},
        {"FEEDS_PROXY": "http://me:geheim@proxy/path"},
        {"FEEDS_NO_PROXY": ["http://example.org/"]},
        {"FEEDS_PROXY_NETWORKS": ["intranet"]},
        {"FEEDS_ALLOWED_NETWORKS": ["intranet"]},
    ],
)
def test_proxies_and_networks_that_are_none_are_found(settings, values):
    for name, value in values.items():
        setattr(settings, name, value)
    (message,) = found("feeds.E001")
    assert message.msg.startswith(f"{name}: ")
    assert "geheim" not in message.msg


@pytest.mark.parametrize(
    "network",
    [
        "0.0.0.0/0",
        "::/0",
        "0.0.0.0/1",
        "169.254.0.0/16",
        "169.254.169.254",
        "fe80::/10",
        "168.63.129.16",
        "100.64.0.0/10",
        "192.0.0.192",
        "fd00::/8",
        "fd20:ce::/64",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "10.0.0.5/8",
        "fd12::1/64",
        "192.168.1.7/24",
    ],
)
def test_networks_that_are_probably_not_meant_are_found(settings, network):
    settings.FEEDS_ALLOWED_NETWORKS = ["10.1.0.0/16", network]
    messages = found("feeds.W008")
    assert messages
    assert all(f" {network} " in message.msg and message.hint for message in messages)


def test_private_networks_are_allowed_without_a_word(settings):
    settings.FEEDS_ALLOWED_NETWORKS = ["10.0.0.0/8", "127.0.0.1", "192.168.1.0/24", "172.16.0.0/12", "fd1::/32", "::1"]
    assert run_checks(tags=["feeds"]) == []


@pytest.mark.parametrize("expire", [4, 0, 31 * 24 * 3600])
def test_an_expiry_that_cannot_be_kept_is_found(settings, expire):
    settings.FEEDS_LOCK_EXPIRE = expire
    assert_found("feeds.E006")


def test_an_expiry_that_is_no_whole_number_is_found(settings):
    settings.FEEDS_LOCK_EXPIRE = 9.5
    assert_found("feeds.E001")


@pytest.mark.parametrize("values", [{"PARSE_LIMIT": 300}, {"FETCH_DEADLINE": 300}, {"PARSE_LIMIT": 240}])
def test_a_time_limit_too_short_to_fetch_and_parse_is_found(settings, values):
    for name, seconds in values.items():
        setattr(settings, f"FEEDS_{name}", seconds)
    assert_found("feeds.E013")


def test_a_wrong_order_is_found():
    with global_broker(StubBroker(middleware=[TimeLimit(), CurrentMessage(), Retries(), LockMiddleware()])):
        (message,) = checks.check_middleware(None)
    assert message.id == "feeds.E002"
    assert message.hint


def test_the_right_order_is_not():
    assert (
        order_problems(StubBroker(middleware=[AgeLimit(), Retries(), LockMiddleware(), TimeLimit()]), LockMiddleware)
        == []
    )


@pytest.mark.parametrize("missing", [CurrentMessage, Retries, LockMiddleware, TimeLimit])
def test_a_missing_middleware_is_found(missing: type[Middleware]):
    chain = [CurrentMessage(), Retries(), LockMiddleware(), TimeLimit()]
    with global_broker(StubBroker(middleware=[item for item in chain if not isinstance(item, missing)])):
        (message,) = checks.check_middleware(None)
    assert message.id == "feeds.E012"
    assert missing.__name__ in message.msg
    assert message.hint


def test_a_project_without_middleware_learns_from_check_what_to_add(tmp_path: Path):
    broker = {"BROKER": "dramatiq.brokers.stub.StubBroker"}
    (tmp_path / "bare.py").write_text(f"from feeds_project.settings import *\nDRAMATIQ_BROKER = {broker}\n")
    found = subprocess.run(
        [sys.executable, "manage.py", "check", "--settings", "bare"],
        cwd=PROJECT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in found.stderr
    assert found.stderr.count("is missing from MIDDLEWARE of DRAMATIQ_BROKER") == 4


def test_a_time_limit_that_outlives_the_lock_is_found():
    broker = StubBroker(middleware=[CurrentMessage(), Retries(), LockMiddleware(), TimeLimit()])
    dramatiq.actor(print, broker=broker, actor_name="slow", lock_key=str, lock_expire=60, time_limit=56_000)
    with global_broker(broker):
        (message,) = [message for message in checks.check_middleware(None) if message.id == "feeds.E003"]
    assert message.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [("KEEP_DAYS", -1), ("HOST_DELAY", -0.1), ("HOST_DELAY", float("nan")), ("PARSE_LIMIT", 0.0), ("CLAIM_LIMIT", 0)],
)
def test_a_setting_out_of_its_range_is_found(settings, name, value):
    setattr(settings, f"FEEDS_{name}", value)
    assert_found("feeds.E001")


def test_a_database_that_commits_nothing_by_itself_is_found(settings, monkeypatch):
    monkeypatch.setitem(settings.DATABASES["default"], "AUTOCOMMIT", False)
    assert_found("feeds.E021")


def test_polling_more_often_than_every_hour_is_warned_of(settings):
    settings.FEEDS_MIN_INTERVAL = 3599
    assert_found("feeds.W006")


def test_no_pause_between_two_requests_to_a_host_is_warned_of_where_workers_share_a_broker(settings):
    settings.FEEDS_HOST_DELAY = 0.0
    assert found("feeds.W007") == []
    with global_broker(networked_broker()):
        assert_found("feeds.W007")


@pytest.mark.parametrize(("policy", "count"), [("noeviction", 0), ("volatile-lru", 0), ("allkeys-lru", 1)])
def test_a_redis_that_may_drop_messages_is_warned_of(redis_server: RedisServer, policy, count):
    broker = RedisBroker(url=redis_server.url, middleware=[Retries(), LockMiddleware(), TimeLimit()])
    broker.client.config_set("maxmemory-policy", policy)
    with global_broker(broker):
        assert len(found("feeds.W011", deploy=True)) == count


def test_a_redis_that_is_away_is_warned_of():
    with global_broker(networked_broker()):
        assert_found("feeds.W010", deploy=True)


def test_a_memcached_without_cas_is_found_when_asked_for_deployment_and_at_boot(lock_cache, tmp_path: Path):
    with Memcached(tmp_path, "-C") as server:
        lock_cache(BACKEND=OURS, LOCATION=server.location)
        assert found("feeds.E010") == []
        with closing(caches["locks"]):
            assert_found("feeds.E010", deploy=True)
            with pytest.raises(LockConfigurationError, match="without CAS"):
                Worker(StubBroker(middleware=[Retries(), LockMiddleware(), TimeLimit()])).start()


def test_a_memcached_that_may_drop_locks_is_warned_of(lock_cache, memcached: Memcached):
    lock_cache(BACKEND=OURS, LOCATION=memcached.location)
    with closing(caches["locks"]):
        assert_found("feeds.W004", deploy=True)


def test_a_memcached_that_is_away_is_warned_of_and_workers_boot_all_the_same(lock_cache, memcached: Memcached, caplog):
    lock_cache(BACKEND=OURS, LOCATION=memcached.location)
    memcached.stop()
    assert_found("feeds.W005", deploy=True)
    worker = Worker(StubBroker(middleware=[Retries(), LockMiddleware(), TimeLimit()]), worker_threads=1)
    worker.start()
    worker.stop()
    assert "cannot be asked" in caplog.text


def test_a_key_prefix_that_makes_keys_too_long_stops_the_boot(lock_cache):
    lock_cache(BACKEND="feeds.embedded.DatabaseLocks", KEY_PREFIX="x" * 220)
    broker = StubBroker(middleware=[Retries(), LockMiddleware(), TimeLimit()])
    dramatiq.actor(print, broker=broker, actor_name="work", lock_key=str, time_limit=1000)
    with pytest.raises(LockConfigurationError, match="no name for a key"):
        Worker(broker).start()
