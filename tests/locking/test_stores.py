"""What both lock stores promise, on a real memcached and on a real database."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

import pytest
from django.db import connection

from feeds.embedded.locks import DatabaseLocks
from feeds.locking import lock
from feeds.locking.memcached import MemcachedLocks
from feeds.locking.store import LockStore, LockStoreError
from tests.rigs.servers.memcached import Memcached
from tests.rigs.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["memcached", "database"])
def store(request: pytest.FixtureRequest) -> LockStore:
    """Return a store of each kind."""
    return request.getfixturevalue("on_memcached") if request.param == "memcached" else DatabaseLocks("", {})


@pytest.fixture
def on_memcached(memcached: Memcached) -> Iterator[MemcachedLocks]:
    with closing(MemcachedLocks(memcached.location, {})) as store:
        yield store


def hashed(key: str, prefix: str, version: int) -> str:
    return hashlib.sha256(f"{prefix}:{version}:{key}".encode()).hexdigest()


@pytest.mark.parametrize("kind", ["memcached", "database"])
def test_under_hashed_keys_locks_are_listed_by_their_own_names(memcached: Memcached, kind):
    made = (MemcachedLocks, memcached.location) if kind == "memcached" else (DatabaseLocks, "")
    with closing(made[0](made[1], {"KEY_FUNCTION": hashed})) as store, closing(made[0](made[1], {})) as other:
        assert store.add("import_feed-lock-1", "nonce owner", 60)
        assert other.add("import_feed-lock-2", "another's", 60)
        assert list(store.held()) == [("import_feed-lock-1", "nonce owner")]
        assert list(other.held()) == [("import_feed-lock-2", "another's")]
        assert store.get("import_feed-lock-1") == "nonce owner"
        assert store.compare_and_delete("import_feed-lock-1", "nonce owner")
        assert list(store.held()) == []


def test_a_key_is_added_once(store):
    assert store.add("key", "first", 60) is True
    assert store.add("key", "second", 60) is False
    assert store.get("key") == "first"


def test_only_the_value_that_is_there_is_deleted(store):
    store.add("key", "first", 60)
    assert store.compare_and_delete("key", "second") is False
    assert store.get("key") == "first"
    assert store.compare_and_delete("key", "first") is True
    assert store.get("key") is None
    assert store.compare_and_delete("key", "first") is False


def test_an_expired_key_can_be_taken(store):
    store.add("key", "first", 1)
    expired = threading.Event()
    while store.get("key") is not None:
        expired.wait(0.05)
    assert store.add("key", "second", 60) is True
    assert store.compare_and_delete("key", "first") is False
    assert store.get("key") == "second"


@pytest.mark.parametrize("key", ["k" * 247, "k" * 10])
def test_a_key_of_250_characters_is_one(store, key):  # Django puts ":1:" before it
    assert store.add(key, "value", 60) is True


@pytest.mark.parametrize("key", ["k" * 248, "umläut", "with space", "new\nline", "\x7f"])
def test_what_is_no_key_is_an_error_and_never_an_answer(store, key):
    with pytest.raises(LockStoreError):
        store.add(key, "value", 60)


@pytest.mark.parametrize("expire", [None, 0, -1, 0.5, "60", 31 * 24 * 3600])
def test_an_expiry_that_memcached_would_misread_is_an_error(store, expire):
    with pytest.raises(LockStoreError):
        store.add("key", "value", expire)


def test_what_is_held_can_be_listed(store):
    store.add("a-lock-1", "first", 60)
    store.add("b-lock-2", "second", 60)
    store.add("c-lock-3", "third", 60)
    store.delete("c-lock-3")
    assert dict(store.held()) == {"a-lock-1": "first", "b-lock-2": "second"}


def test_clearing_the_locks_is_refused(store):
    with pytest.raises(NotImplementedError):
        store.clear()


def test_of_eight_threads_one_gets_each_lock(store):
    keys, threads = 40, 8
    barrier = threading.Barrier(threads)

    def race(_: int) -> list[str]:
        won = []
        for number in range(keys):
            barrier.wait(timeout=30)
            lease = lock.claim(f"key-{number}", "message", 60)
            if lock.acquire(store, lease) == lock.Acquired():
                won.append(lease.key)
        return won

    assert sorted(chain.from_iterable(at_once(race, range(threads)))) == sorted(
        f"key-{number}" for number in range(keys)
    )


TAKEN = {
    "sqlite": ["CREATE TRIGGER taken BEFORE INSERT ON feeds_lock BEGIN SELECT RAISE(ABORT, 'taken'); END"],
    "postgresql": [
        "CREATE OR REPLACE FUNCTION taken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE unique_violation; END'",
        "CREATE TRIGGER taken BEFORE INSERT ON feeds_lock FOR EACH ROW EXECUTE FUNCTION taken()",
    ],
}


def test_a_lock_that_another_took_meanwhile_and_gave_back_is_refused_without_an_error():
    with connection.cursor() as cursor:
        for statement in TAKEN[connection.vendor]:
            cursor.execute(statement)
        try:
            assert DatabaseLocks("", {}).add("key", "value", 60) is False
        finally:
            cursor.execute("DROP TRIGGER taken" + (" ON feeds_lock" if connection.vendor == "postgresql" else ""))


def test_in_memcached_a_lock_has_its_expiry(memcached: Memcached, on_memcached: MemcachedLocks):
    assert lock.acquire(on_memcached, lock.claim("key", "message", 3600)) == lock.Acquired()
    assert 3000 < (memcached.ttl(":1:key") or 0) <= 3600


def test_after_a_restart_that_gives_another_lock_the_same_cas_that_lock_stays(
    memcached: Memcached, on_memcached: MemcachedLocks
):
    store = on_memcached
    first, second = lock.claim("key", "one", 60), lock.claim("key", "two", 60)
    assert lock.acquire(store, first) == lock.Acquired()
    memcached.kill()
    memcached.start()
    assert lock.acquire(store, second) == lock.Acquired()  # the first item of its server, as the other's was
    assert lock.release(store, first) is lock.Release.NOT_OURS
    assert store.get("key") == second.token


def test_a_memcached_without_cas_is_found_out(tmp_path: Path):
    with Memcached(tmp_path, "-C") as server, closing(MemcachedLocks(server.location, {})) as store:
        assert "without CAS" in "".join(store.server_problems())


def test_a_memcached_that_evicts_is_found_out(on_memcached: MemcachedLocks, tmp_path: Path):
    assert list(on_memcached.server_problems()) == []
    assert "-M" in "".join(on_memcached.server_warnings())
    with Memcached(tmp_path, "-M") as server, closing(MemcachedLocks(server.location, {})) as store:
        assert list(store.server_warnings()) == []
