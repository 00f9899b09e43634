"""The lock over a cache that cannot compare and delete, and over stores that fail."""

import pytest
from django.core.cache.backends.locmem import LocMemCache

from feeds.locking import lock
from feeds.locking.lock import Acquired, Busy, Release, Unknown


@pytest.fixture
def store(request: pytest.FixtureRequest) -> LocMemCache:
    return LocMemCache(request.node.name, {})


class FailingStore:
    """A store that follows a script: each step a value to return or an error to raise."""

    def __init__(self, *script: object) -> None:
        self.script = list(script)

    def _step(self, *arguments: object, **options: object) -> object:
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    add = get = delete = compare_and_delete = _step


def test_the_first_gets_the_lock_and_the_second_learns_who_has_it(store):
    first, second = lock.claim("key", "message-1", 600), lock.claim("key", "message-2", 600)
    assert lock.acquire(store, first) == Acquired()
    assert lock.acquire(store, second) == Busy(first.token)
    token = lock.Token.parse(first.token)
    assert token is not None
    assert token.owner == "message-1"


def test_a_released_lock_can_be_taken_again(store):
    first, second = lock.claim("key", "message-1", 600), lock.claim("key", "message-2", 600)
    lock.acquire(store, first)
    assert lock.release(store, first) is Release.RELEASED
    assert lock.acquire(store, second) == Acquired()


def test_another_ones_lock_is_not_released(store):
    first, second = lock.claim("key", "message-1", 600), lock.claim("key", "message-1", 600)
    lock.acquire(store, first)
    assert lock.release(store, second) is Release.NOT_OURS
    assert store.get("key") == first.token


def test_three_seconds_before_its_expiry_a_lock_is_no_longer_released(store):
    lease = lock.claim("key", "message-1", 600, monotonic=lambda: 1000.0)
    lock.acquire(store, lease)
    assert lock.release(store, lease, monotonic=lambda: 1597.0) is Release.EXPIRED
    assert store.get("key") == lease.token
    assert lock.release(store, lease, monotonic=lambda: 1596.9) is Release.RELEASED


def test_a_stale_socket_is_tried_once_more():
    assert lock.acquire(FailingStore(OSError("closed"), True), lock.claim("key", "m", 600)) == Acquired()


def test_a_lost_reply_is_found_by_reading_the_token_back():
    lease = lock.claim("key", "m", 600)
    assert lock.acquire(FailingStore(OSError("lost"), False, lease.token), lease) == Acquired()


def test_a_store_that_fails_twice_leaves_the_answer_unknown():
    answer = lock.acquire(FailingStore(OSError("down"), OSError("still down")), lock.claim("key", "m", 600))
    assert answer == Unknown("OSError: still down")


def test_a_store_that_fails_at_release_raises_nothing():
    lease = lock.claim("key", "m", 600)
    assert lock.release(FailingStore(OSError("down"), OSError("down")), lease) is Release.UNKNOWN


def test_a_key_that_is_taken_and_gone_again_is_asked_for_once_more():
    assert lock.acquire(FailingStore(False, None, False, None, True), lock.claim("key", "m", 600)) == Acquired()


def test_a_key_that_is_always_taken_and_gone_leaves_the_answer_unknown():
    answer = lock.acquire(FailingStore(*[False, None] * lock.TRIES), lock.claim("key", "m", 600))
    assert isinstance(answer, Unknown)


@pytest.mark.parametrize("text", ["1", "", "a b c", "a b c d e", "not ours at all, but long"])
def test_a_key_set_by_hand_is_no_token(text):
    assert lock.Token.parse(text) is None


@pytest.mark.parametrize("owner", ["message-1", "an id with spaces", ""])
def test_a_token_survives_its_text(owner):
    token = lock.Token.make(owner, 1700000000.5, 600)
    assert lock.Token.parse(str(token)) == token
    assert token.until == 1700000600.5
