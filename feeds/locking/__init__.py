"""One at a time: a lock around any Dramatiq actor that asks for one."""

from feeds.locking.checks import (
    expire_problems,
    missing_middleware,
    order_problems,
    store_problems,
    time_limit_problems,
)
from feeds.locking.lock import Token, lock_key
from feeds.locking.memcached import MemcachedLocks
from feeds.locking.middleware import LockMiddleware
from feeds.locking.store import LockStore, LockStoreError

__all__ = [
    "LockMiddleware",
    "LockStore",
    "LockStoreError",
    "MemcachedLocks",
    "Token",
    "expire_problems",
    "lock_key",
    "missing_middleware",
    "order_problems",
    "store_problems",
    "time_limit_problems",
]
