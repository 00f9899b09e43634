"""The lock over a cache that cannot compare and delete, and over stores that fail."""

import pytest
from django.core.cache.backends.locmem import LocMemCache

from feeds import locks
from feeds.locks import Acquired, Busy, Release, Unknown


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
    first, second = locks.claim("key", "message-1", 600), locks.claim("key", "message-2", 600)
    assert locks.acquire(store, first) == Acquired()
    assert locks.acquire(store, second) == Busy(first.token)
    token = locks.Token.parse(first.token)
    assert token is not None
    assert token.owner == "message-1"


def test_a_released_lock_can_be_taken_again(store):
    first, second = locks.claim("key", "message-1", 600), locks.claim("key", "message-2", 600)
    locks.acquire(store, first)
    assert locks.release(store, first) is Release.RELEASED
    assert locks.acquire(store, second) == Acquired()


def test_t3_another_ones_lock_is_not_released(store):
    first, second = locks.claim("key", "message-1", 600), locks.claim("key", "message-1", 600)
    locks.acquire(store, first)
    assert locks.release(store, second) is Release.NOT_OURS
    assert store.get("key") == first.token


def test_three_seconds_before_its_expiry_a_lock_is_no_longer_released(store):
    lease = locks.claim("key", "message-1", 600, monotonic=lambda: 1000.0)
    locks.acquire(store, lease)
    assert locks.release(store, lease, monotonic=lambda: 1597.0) is Release.EXPIRED
    assert store.get("key") == lease.token
    assert locks.release(store, lease, monotonic=lambda: 1596.9) is Release.RELEASED


def test_a_stale_socket_is_tried_once_more():
    assert locks.acquire(FailingStore(OSError("closed"), True), locks.claim("key", "m", 600)) == Acquired()


def test_a_lost_reply_is_found_by_reading_the_token_back():
    lease = locks.claim("key", "m", 600)
    assert locks.acquire(FailingStore(OSError("lost"), False, lease.token), lease) == Acquired()


def test_a_store_that_fails_twice_leaves_the_answer_unknown():
    answer = locks.acquire(FailingStore(OSError("down"), OSError("still down")), locks.claim("key", "m", 600))
    assert answer == Unknown("OSError: still down")


def test_a_store_that_fails_at_release_raises_nothing():
    lease = locks.claim("key", "m", 600)
    assert locks.release(FailingStore(OSError("down"), OSError("down")), lease) is Release.UNKNOWN


def test_a_key_that_is_taken_and_gone_again_is_asked_for_once_more():
    assert locks.acquire(FailingStore(False, None, False, None, True), locks.claim("key", "m", 600)) == Acquired()


def test_a_key_that_is_always_taken_and_gone_leaves_the_answer_unknown():
    answer = locks.acquire(FailingStore(*[False, None] * locks.TRIES), locks.claim("key", "m", 600))
    assert isinstance(answer, Unknown)


@pytest.mark.parametrize("text", ["1", "", "a b c", "a b c d e", "not ours at all, but long"])
def test_a_key_set_by_hand_is_no_token(text):
    assert locks.Token.parse(text) is None


@pytest.mark.parametrize("owner", ["message-1", "an id with spaces", ""])
def test_a_token_survives_its_text(owner):
    token = locks.Token.make(owner, 1700000000.5, 600)
    assert locks.Token.parse(str(token)) == token
    assert token.until == 1700000600.5


# One runs, one waits


def holder(store: LocMemCache, owner: str) -> locks.Token:
    lease = locks.claim("key", owner, 600)
    assert locks.acquire(store, lease) == Acquired()
    token = locks.Token.parse(lease.token)
    assert token is not None
    return token


def test_of_those_turned_away_one_waits(store):
    runs = holder(store, "runs")
    assert locks.wait_in_line(store, "key", "first", runs, 60)
    assert not locks.wait_in_line(store, "key", "second", runs, 60)
    assert locks.wait_in_line(store, "key", "first", runs, 60)


def test_who_left_the_line_makes_room_for_the_next(store):
    runs = holder(store, "runs")
    assert locks.wait_in_line(store, "key", "first", runs, 60)
    locks.leave_line(store, "key", "first")
    assert locks.wait_in_line(store, "key", "second", runs, 60)


def test_who_runs_and_did_not_get_to_leave_the_line_holds_nobody_off(store):
    store.set("key-next", "runs", 60)
    assert locks.wait_in_line(store, "key", "second", holder(store, "runs"), 60)
    assert store.get("key-next") == "second"


def test_a_store_that_fails_makes_everybody_wait():
    token = locks.Token.make("runs", 0, 600)
    assert locks.wait_in_line(FailingStore(OSError("down")), "key", "m", token, 60)
