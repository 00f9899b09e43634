"""The locks that are held, whichever store keeps them, and how to break one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from django.core.cache import caches

from feeds import canonical_urls, locking
from feeds.conf import feeds_settings
from feeds.locking import LockStore
from feeds.management.progress import printable
from feeds.models import Feed

DIGEST = re.compile("-lock-([0-9a-f]{32})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A lock that somebody holds."""

    key: str
    value: str
    token: locking.Token | None  # None: set by hand, or by something that is not ours

    @property
    def name(self) -> str:
        """Return what to break it by: a lock taken meanwhile under the same key has another name."""
        return printable(self.token.nonce if self.token else self.value)


def held(most: int | None = None) -> list[Held]:
    """Return the locks that are held, those first that have been for the longest; raise LockStoreError."""
    rows = islice(_store().held(), most)
    locks = [Held(key=key, value=value, token=locking.Token.parse(value)) for key, value in rows]
    return sorted(locks, key=lambda lock: lock.token.begun if lock.token else 0)


def break_lock(name: str) -> str | None:
    """Delete the lock of this name, and no other; return its key, None if there is none."""
    store = _store()
    for lock in held():
        if lock.name == name and store.compare_and_delete(lock.key, lock.value):
            return lock.key
    return None


def subjects(locks: Iterable[Held]) -> dict[str, str]:
    """Return the URLs of the feeds that are being imported, by key: the digest in the key is the feed's."""
    keys = {UUID(found[1]): lock.key for lock in locks if (found := DIGEST.search(lock.key))}
    feeds = Feed.objects.filter(url_md5__in=keys).values_list("url_md5", "url")
    return {keys[digest]: canonical_urls.redacted(url) for digest, url in feeds}


def _store() -> LockStore:
    store = caches[feeds_settings().lock_cache]
    if not isinstance(store, LockStore):
        raise locking.LockStoreError(f"{type(store).__name__} cannot list its keys; a feeds.locking.LockStore can.")
    return store
