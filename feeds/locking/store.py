"""A Django cache that may hold locks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache, memcache_key_warnings

from feeds.locking.lock import LONGEST_EXPIRE

BEHIND_KEY = "\t"  # which no token has


class LockStoreError(Exception):
    """The lock store gave no usable answer, so it is not known who holds the lock. A retry can help."""


class LockStore(BaseCache):
    """A cache backend made for locks: checked keys, text values, expiries of whole positive seconds.

    It adds atomically, can delete a key only while that holds a given value, and raises LockStoreError where its server
    gives no usable answer: never `False`, which would read "another holds it".
    """

    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.options: dict[str, Any] = params.get("OPTIONS", {})

    def compare_and_delete(self, key: str, value: str, version: int | None = None) -> bool:
        """Delete `key` if it holds `value`, atomically. Return whether it did."""
        raise NotImplementedError

    def held(self) -> Iterator[tuple[str, str]]:
        """Yield every lock that is held: its key, as the caller of `add` named it, and its value."""
        raise NotImplementedError

    def server_problems(self) -> Iterable[str]:
        """Ask the server for what would switch the lock off."""
        return ()

    def server_warnings(self) -> Iterable[str]:
        """Ask the server for what could lose a lock that is held."""
        return ()

    def clear(self) -> None:
        raise NotImplementedError("clearing the locks would let everybody in at once; delete them by key")

    def _key(self, key: str, version: int | None) -> str:
        made: str = self.make_key(key, version=version)
        for problem in key_problems(made):
            raise LockStoreError(f"not a key: {problem}")
        return made

    def _seconds(self, timeout: float | object | None) -> int:
        """Return the expiry. Refuse what memcached would turn into an immortal lock, or into none at all."""
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        if not isinstance(seconds, int) or not 0 < seconds <= LONGEST_EXPIRE:
            raise LockStoreError(f"a lock's expiry is a whole number of seconds from 1 to 30 days, not {seconds!r}")
        return seconds

    def _text(self, key: str, value: Any) -> str:
        """Return what is stored: the value, and the key too where KEY_FUNCTION makes something else of it, a hash."""
        if not isinstance(value, str):
            raise LockStoreError(f"a lock holds a text, not {type(value).__name__}")
        return value if self.make_key(key).endswith(key) else f"{key}{BEHIND_KEY}{value}"

    def _value(self, text: str) -> str:
        return text.rpartition(BEHIND_KEY)[2]

    def _lock(self, made: str, text: str) -> Iterator[tuple[str, str]]:
        """Yield the lock that is stored as `text` under the key `made`, if it is one of this cache."""
        key, _, value = text.rpartition(BEHIND_KEY)
        key = key or made.removeprefix(self.make_key(""))
        if self.make_key(key) == made:
            yield key, value


GOOD_KEY = re.compile(r"[!-~]{1,250}")


def key_problems(key: str) -> list[str]:
    """Say what memcached would not take in a key."""
    if GOOD_KEY.fullmatch(key):
        return []
    return [*memcache_key_warnings(key), *([] if key.isascii() else [f"{key!r} has characters outside ASCII"])]
