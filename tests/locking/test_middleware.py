"""The lock middleware around actors that have nothing to do with feeds, on real worker threads."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import dramatiq
import pytest
from django.core.cache import caches
from django_dramatiq.middleware import DbConnectionsMiddleware
from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import AgeLimit, AsyncIO, Middleware, Retries, ShutdownNotifications, TimeLimit

from feeds.locking import lock
from feeds.locking.lock import lock_key
from feeds.locking.memcached import MemcachedLocks
from feeds.locking.middleware import LONGEST_DELAY, LockConfigurationError, LockMiddleware, rest
from feeds.tasks import import_feed
from tests.locking.stores import DownStore
from tests.rigs.servers.daemon import eventually
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.workers import PROJECT

pytestmark = pytest.mark.django_db(transaction=True)

WAIT = 30_000  # ms


def make_broker(*middleware: Middleware) -> StubBroker:
    chosen = middleware or (
        AgeLimit(),
        DbConnectionsMiddleware(),
        Retries(),
        LockMiddleware(),
        ShutdownNotifications(),
        TimeLimit(),
    )
    return StubBroker(middleware=list(chosen), fail_fast_default=False)


@pytest.fixture
def broker() -> Iterator[StubBroker]:
    broker = make_broker()
    broker.emit_after("process_boot")
    yield broker
    broker.close()


@pytest.fixture
def work(broker: StubBroker) -> Iterator[None]:
    worker = Worker(broker, worker_timeout=50, worker_threads=4)
    worker.start()
    yield
    worker.stop()


class Sync:
    """The body of an actor; it tells when it began, and goes on when told."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.runs: list[str] = []

    def __call__(self, account: str) -> None:
        self.runs.append(account)
        self.begun.set()
        assert self.go_on.wait(30)


def declare(broker: StubBroker, body, **options) -> dramatiq.Actor:
    given = {"lock_key": str, "time_limit": 60_000, "actor_name": "sync", "broker": broker}
    return dramatiq.actor(body, **(given | options))


def decisions(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the lock has logged."""
    return [record.getMessage() for record in caplog.records if record.name == "feeds.locking.middleware"]


def wait_for_decision(caplog: pytest.LogCaptureFixture, words: str) -> None:
    eventually(lambda: any(words in line for line in decisions(caplog)), within=10, what=f"the log says {words!r}")


def test_a_message_that_meets_anothers_lock_is_skipped_without_a_warning(broker, work, caplog):
    sync = Sync()
    actor = declare(broker, sync)
    with caplog.at_level(logging.DEBUG, "feeds.locking"):
        actor.send("a")
        assert sync.begun.wait(10)
        actor.send("a")
        wait_for_decision(caplog, "lock=busy")
        sync.go_on.set()
        broker.join("default", timeout=WAIT)
    assert sync.runs == ["a"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("http://example.com/@me/feed", "http://example.com/@me/feed"),
        ("http://me:secret@example.com/feed", "http://example.com/feed"),
        ("me:secret@example.com/feed", "example.com/feed"),
    ],
)
def test_a_skipped_message_is_named_as_the_actor_wishes_but_without_a_login(broker, work, caplog, key, shown):
    actor = declare(broker, print, lock_busy_message="Feed %s is already being imported by another worker")
    caches["locks"].add(lock_key("sync", key), "somebody else", 60)
    with caplog.at_level(logging.DEBUG, "feeds.locking"):
        actor.send(key)
        broker.join("default", timeout=WAIT)
    assert decisions(caplog) == [f"Feed {shown} is already being imported by another worker"]


def test_lock_conflict_delay_brings_the_message_back(broker, work, caplog):
    sync = Sync()
    actor = declare(broker, sync, lock_conflict="delay")
    with caplog.at_level(logging.DEBUG, "feeds.locking"):
        actor.send("a")
        assert sync.begun.wait(10)
        actor.send("a")
        wait_for_decision(caplog, "lock=delayed")
        sync.go_on.set()
        broker.join("default", timeout=WAIT)
    assert sync.runs == ["a", "a"]


@pytest.mark.slow
def test_a_redelivered_message_waits_for_its_own_lease_and_then_runs(broker, work):
    runs: list[str] = []
    actor = declare(broker, runs.append)
    message = actor.message("a")
    dead = lock.claim(lock_key("sync", "a"), message.message_id, 2)
    assert lock.acquire(caches["locks"], dead) == lock.Acquired()
    broker.enqueue(message)
    broker.join("default", timeout=WAIT)
    assert runs == ["a"]


def test_a_message_that_finds_its_own_id_with_an_expiry_beyond_belief_is_not_lost(broker, work, caplog):
    runs: list[str] = []
    actor = declare(broker, runs.append)
    message = actor.message("a")
    caches["locks"].add(lock_key("sync", "a"), f"nonce {message.message_id} host:1 {time.time():.3f} {10**9}", 60)
    with caplog.at_level(logging.DEBUG, "feeds.locking"):
        broker.enqueue(message)
        wait_for_decision(caplog, "lock=delayed")
    (decision,) = decisions(caplog)
    assert LONGEST_DELAY - 1 < float(decision.rpartition("=")[2]) < LONGEST_DELAY + 2
    assert runs == []
    broker.flush_all()


@pytest.mark.slow
def test_a_silent_store_delays_the_message_until_it_answers(settings, broker, work):
    settings.CACHES = settings.CACHES | {"locks": {"BACKEND": "tests.locking.stores.DownStore"}}
    runs: list[str] = []
    actor = declare(broker, runs.append, max_retries=0)
    with DownStore.down():
        actor.send("a")
        assert DownStore.asked.wait(10)
        assert runs == []
    broker.join("default", timeout=WAIT)
    assert runs == ["a"]
    assert broker.dead_letters == []


def test_a_broken_lock_key_never_lets_the_actor_run(broker, work):
    runs: list[str] = []
    actor = declare(broker, runs.append, lock_key=lambda account: 1 / 0, max_retries=0)
    actor.send("a")
    broker.join("default", timeout=WAIT)
    assert runs == []
    assert len(broker.dead_letters) == 1


@pytest.mark.parametrize(
    "middleware",
    [
        (TimeLimit(), Retries(), LockMiddleware()),
        (ShutdownNotifications(), Retries(), LockMiddleware(), TimeLimit()),
        (LockMiddleware(), Retries(), TimeLimit()),
        (Retries(), LockMiddleware(), AgeLimit(), TimeLimit()),
    ],
)
def test_a_wrong_order_refuses_to_boot(middleware):
    with pytest.raises(LockConfigurationError):
        Worker(make_broker(*middleware)).start()


def test_an_actor_that_may_outlive_its_lock_refuses_to_boot(broker):
    declare(broker, print, lock_expire=600, time_limit=596_000)
    with pytest.raises(LockConfigurationError, match="may run for 596 s"):
        Worker(broker).start()


@pytest.mark.parametrize(
    "options",
    [
        {"lock_key": "a"},
        {"lock_expire": 4},
        {"lock_expire": 9.5},
        {"lock_expire": None},
        {"lock_expire": 31 * 24 * 3600},
        {"lock_conflict": "x"},
        {"lock_busy_message": "no place for the text"},
        {"lock_busy_message": "%s and %s"},
        {"lock_busy_message": str},
        {"actor_name": "with-umläut"},
        {"actor_name": "x" * 220},
    ],
)
def test_wrong_options_refuse_to_be_declared(broker, options):
    with pytest.raises(LockConfigurationError):
        declare(broker, print, **options)


def test_lock_options_without_a_key_and_asynchronous_actors_refuse_to_be_declared(broker):
    async def asynchronous(account: str) -> None: ...

    broker.add_middleware(AsyncIO())
    with pytest.raises(LockConfigurationError, match="asynchronous"):
        declare(broker, asynchronous)
    with pytest.raises(LockConfigurationError, match="no lock_key"):
        dramatiq.actor(print, broker=broker, actor_name="sync", lock_expire=60)


@pytest.mark.parametrize(("hours", "seconds"), [(-48, 1.0), (0, 120.0), (48, 120.0)])
def test_a_clock_that_jumps_moves_no_delay_out_of_its_bounds(hours, seconds):
    token = lock.Token.make("message", time.time() + hours * 3600, 120)
    assert seconds - 2 <= rest(token, 120) <= seconds + 2


@pytest.mark.parametrize(("expire", "seconds"), [(10, 10.0), (600, 300.0)])
def test_a_holder_that_says_it_lives_for_years_is_not_believed(expire, seconds):
    token = lock.Token.make("message", time.time(), 10**9)
    assert seconds - 2 <= rest(token, expire) <= seconds + 2


def test_dramatiqs_logger_is_as_it_was_once_the_workers_have_stopped(broker):
    dramatiqs = logging.getLogger("dramatiq.worker.WorkerThread")
    before = list(dramatiqs.filters)
    first, second = Worker(broker, worker_threads=1), Worker(broker, worker_threads=1)
    first.start()
    second.start()
    first.stop()
    assert len(dramatiqs.filters) == len(before) + 1
    second.stop()
    assert dramatiqs.filters == before


def test_store_and_expiry_can_be_given_instead_of_settings(memcached: Memcached):
    runs: list[int | None] = []
    with closing(MemcachedLocks(memcached.location, {})) as store:
        broker = make_broker(Retries(), LockMiddleware(store, expire=3600), TimeLimit())
        actor = declare(broker, lambda key: runs.append(memcached.ttl(f":1:{lock_key('sync', key)}")))
        worker = Worker(broker, worker_timeout=50, worker_threads=1)
        worker.start()
        actor.send("a")
        broker.join("default", timeout=WAIT)
        worker.stop()
    assert 3000 < (runs[0] or 0) <= 3600


def test_spellings_of_one_url_have_one_lock():
    spellings = [
        "http://example.com/feed",
        "HTTP://EXAMPLE.com/feed",
        "http://example.com:80/feed",
        "http://example.com/feed#top",
        " http://example.com/feed ",
    ]
    assert len({lock_key("import_feed", import_feed.options["lock_key"](url)) for url in spellings}) == 1


def test_it_works_without_the_feeds_app(memcached: Memcached):
    """Three lines in somebody else's project: no model of ours, no setting of ours."""
    program = f"""
import threading, django, dramatiq
from django.conf import settings
store = {{"BACKEND": "feeds.locking.MemcachedLocks", "LOCATION": "{memcached.location}"}}
settings.configure(CACHES={{"locks": store}})
django.setup()
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Retries, TimeLimit
from feeds.locking import LockMiddleware
dramatiq.set_broker(StubBroker(middleware=[Retries(), LockMiddleware(), TimeLimit()]))
done = threading.Event()
@dramatiq.actor(lock_key=str, lock_expire=120, time_limit=60_000)
def sync_account(account_id): done.set()
worker = dramatiq.Worker(dramatiq.get_broker(), worker_timeout=20)
worker.start()
sync_account.send(17)
assert done.wait(10)
worker.stop()
import sys
assert "feeds.models" not in sys.modules
print("done")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=PROJECT)
    assert ended.stdout == "done\n", ended.stderr
