"""The locks that are held, whichever store keeps them, and how to break one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from django.core.cache import caches

from feeds import canonical_urls, locking
from feeds.conf import feeds_settings
from feeds.locking import LockStore, Token
from feeds.management.progress import printable
from feeds.models import Feed

DIGEST = re.compile("-lock-([0-9a-f]{32})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A lock that somebody holds. Set by hand, or by something that is not ours, it has no times and no holder."""

    token: str  # what to break it by: a lock taken meanwhile under the same key has another
    subject: str  # the URL of the feed that is being imported, else the key
    held: int | None  # seconds
    ends: int | None  # seconds until then
    process: str
    message: str


def held(now: float, most: int | None = None) -> list[Held]:
    """Return the locks that are held, those first that have been for the longest; raise LockStoreError."""
    rows = list(islice(_store().held(), most))
    subjects = _subjects(key for key, _ in rows)
    locks = [_held(subjects.get(key, key), value, now) for key, value in rows]
    return sorted(locks, key=lambda lock: -(lock.held or 0))


def break_lock(token: str) -> str | None:
    """Delete the lock that goes by this, and no other; return its key, None if there is none."""
    store = _store()
    for key, value in store.held():
        if _name(value) == token and store.compare_and_delete(key, value):
            return key
    return None


def _held(subject: str, value: str, now: float) -> Held:
    token = Token.parse(value)
    return Held(
        token=_name(value),
        subject=printable(subject),
        held=round(now - token.begun) if token else None,
        ends=round(max(0, token.until - now)) if token else None,
        process=printable(token.process) if token else "not a token of ours",
        message=printable(token.owner) if token else "",
    )


def _name(value: str) -> str:
    token = Token.parse(value)
    return printable(token.nonce if token else value)


def _subjects(keys: Iterable[str]) -> dict[str, str]:
    """Return the URLs of the feeds that are being imported, by key: the digest in the key is the feed's."""
    by_digest = {UUID(found[1]): key for key in keys if (found := DIGEST.search(key))}
    feeds = Feed.objects.filter(url_md5__in=by_digest).values_list("url_md5", "url") if by_digest else ()
    return {by_digest[digest]: canonical_urls.redacted(url) for digest, url in feeds}


def _store() -> LockStore:
    store = caches[feeds_settings().lock_cache]
    if not isinstance(store, LockStore):
        raise locking.LockStoreError(f"{type(store).__name__} cannot list its keys; a feeds.locking.LockStore can.")
    return store
