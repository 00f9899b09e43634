"""manage.py locks, on both lock stores."""

import json
import time
from contextlib import closing
from io import StringIO
from typing import Any

import pytest
from django.core.cache import caches
from django.core.management import CommandError, call_command

from feeds import canonical_urls, storage
from feeds.locking import lock
from feeds.locking.lock import lock_key
from feeds.storage import Subscription
from tests.rigs.servers.memcached import Memcached, locks_in

pytestmark = pytest.mark.django_db(transaction=True)

URL = "http://example.com/feed.xml"


@pytest.fixture(params=["database", "memcached"], autouse=True)
def store(request: pytest.FixtureRequest, settings: Any) -> Any:
    if request.param == "memcached":
        server: Memcached = request.getfixturevalue("memcached")
        settings.CACHES = settings.CACHES | locks_in(server.location)
    with closing(caches["locks"]) as store:
        yield store


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("locks", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def hold(key: str) -> lock.Token:
    lease = lock.claim(key, "message-1", 600)
    assert lock.acquire(caches["locks"], lease) == lock.Acquired()
    token = lock.Token.parse(lease.token)
    assert token is not None
    return token


def test_who_holds_which_lock_is_listed_with_the_feed_it_is_for():
    storage.register([Subscription(url=URL)])
    feed = hold(lock_key("import_feed", URL))
    other = hold(lock_key("sync_account", "17"))
    lines = run().splitlines()
    assert len(lines) == 2
    (line,) = [line for line in lines if feed.nonce in line]
    assert line.endswith(URL)
    assert "held " in line
    assert "message-1" in line
    assert any(line.endswith(lock_key("sync_account", "17")) for line in lines if other.nonce in line)


def test_locks_are_listed_as_json_on_request():
    caches["locks"].add("a-lock-1", "by hand", 60)
    token = hold("a-lock-2")
    locks = {lock["token"]: lock for lock in json.loads(run("--format", "json"))}
    assert locks.keys() == {"by hand", token.nonce}
    assert locks["by hand"]["held"] is None
    ours = locks[token.nonce]
    assert (ours["subject"], ours["message"], ours["process"]) == ("a-lock-2", "message-1", token.process)


def test_a_lock_is_broken_by_its_token():
    first, second = hold("a-lock-1"), hold("a-lock-2")
    assert "a-lock-1" in run("--break", first.nonce)
    assert caches["locks"].get("a-lock-1") is None
    assert caches["locks"].get("a-lock-2") == str(second)


def test_a_token_that_holds_nothing_breaks_nothing():
    token = hold("a-lock-1")
    with pytest.raises(CommandError, match="No lock is held"):
        run("--break", "0123456789abcdef")
    assert caches["locks"].get("a-lock-1") == str(token)


def test_a_key_set_by_hand_is_listed_and_broken_by_its_value():
    caches["locks"].add("a-lock-1", "by hand", 60)
    assert "by hand  not a token of ours  a-lock-1" in run()
    run("--break", "by hand")
    assert caches["locks"].get("a-lock-1") is None


GARBAGE = [
    "\x1b[2J\x1b]0;title\x07",
    "a" * 100_000,
    f"nonce owner \x1b[31mhost:1 {time.time():.3f} 600",
    f"nonce owner host:1 {time.time():.3f} {10**400}",
    "nonce owner host:1 nan 600",
    "nonce owner host:1 1e300 600",
    "",
]


@pytest.mark.parametrize("value", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_listed_without_doing_anything_to_a_terminal_and_can_be_broken(store: Any, value: str):
    store.add("a-lock-1", value, 60)
    (line,) = run().splitlines()
    assert line.isprintable()
    assert len(line) < 2000
    run("--break", line.split("  ")[0])
    assert store.get("a-lock-1") is None


def test_a_token_that_says_it_lives_for_years_is_none_of_ours(store: Any):
    store.add("a-lock-1", f"nonce owner host:1 {time.time():.3f} {10**9}", 60)
    assert "not a token of ours" in run()


@pytest.mark.parametrize("store", ["memcached"], indirect=True)
def test_bytes_that_are_no_text_and_keys_that_are_no_keys_of_ours_do_no_harm_in_memcached(
    store: Any, memcached: Memcached
):
    memcached.set(":1:a-lock-1", b"\xff\xfe\x1b", 60)
    memcached.set(":1:b\x1b[2J", b"whatever", 60)
    (line,) = run().splitlines()
    assert line.endswith("a-lock-1")
    assert line.isprintable()
    run("--break", line.split("  ")[0])
    assert memcached.get(":1:a-lock-1") is None


def test_a_cache_that_cannot_list_says_so(settings):
    settings.CACHES = {**settings.CACHES, "locks": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    with pytest.raises(CommandError, match="cannot list"):
        run()


def test_the_digest_in_the_key_is_the_feeds():
    assert lock_key("import_feed", URL).endswith(canonical_urls.url_md5(URL).hex)
