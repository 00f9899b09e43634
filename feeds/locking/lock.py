"""The lock: a key in a store, taken by `add`, given back by its owner only.

`acquire` has three answers, `release` four; neither raises. A store is a Django cache, or what has its `add`, `get` and
`delete`; one with `compare_and_delete` makes the release exact. Neither Django nor Dramatiq is needed for it.

A store with an expiry makes double work rare; it cannot make it impossible. What writes under such a lock needs a fence
of its own: see Martin Kleppmann, "How to do distributed locking".
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self
from uuid import UUID

if TYPE_CHECKING:
    from django.core.cache.backends.base import BaseCache

LONGEST_EXPIRE = 30 * 24 * 3600  # seconds; memcached reads more than that as a date (its protocol.txt)
LATEST = 1e11  # wall time that a token may name: the year 5138
SAFETY = 3  # seconds: the recipe's; a lock this close to its expiry may be another's by the time our delete arrives
HOST = socket.gethostname()
TRIES = 6  # while the key is taken when we add and gone when we read; the second error ends them

Clock = Callable[[], float]


def lock_key(actor_name: str, subject: str | UUID) -> str:
    """Return the recipe's key for a text or its MD5, which makes it short and printable; it protects nothing."""
    if isinstance(subject, UUID):
        return f"{actor_name}-lock-{subject.hex}"
    return f"{actor_name}-lock-{hashlib.md5(subject.encode(), usedforsecurity=False).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """The value of a lock: its owner and its time. As text: `nonce owner host:pid begun expire`."""

    nonce: str
    owner: str  # the message id
    process: str  # host:pid
    begun: float  # wall time
    expire: int  # seconds

    @property
    def until(self) -> float:
        """Return the wall time at which the lease ends."""
        return self.begun + self.expire

    @classmethod
    def make(cls, owner: str, begun: float, expire: int) -> Self:
        process = f"{HOST}:{os.getpid()}"
        return cls(nonce=secrets.token_hex(8), owner=owner, process=process, begun=round(begun, 3), expire=expire)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the token, or None for a text that is not one: a key set by hand, or numbers that no lock has."""
        try:
            nonce, rest = text.split(" ", 1)
            owner, process, begun, expire = rest.rsplit(" ", 3)
            token = cls(nonce=nonce, owner=owner, process=process, begun=float(begun), expire=int(expire))
        except ValueError:
            return None
        return token if 0 <= token.begun < LATEST and 0 < token.expire <= LONGEST_EXPIRE else None

    def __str__(self) -> str:
        return f"{self.nonce} {self.owner} {self.process} {self.begun:.3f} {self.expire}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A claim on a key, made before the store is asked, so that it can be given back whatever interrupts the asking."""

    key: str
    token: str
    expire: int  # seconds
    begun: float  # monotonic, before `add` was sent

    @property
    def deadline(self) -> float:
        return self.begun + self.expire - SAFETY


def claim(key: str, owner: str, expire: int, *, monotonic: Clock = time.monotonic) -> Lease:
    """Return a lease on `key` that is still to be acquired."""
    return Lease(key=key, token=str(Token.make(owner, time.time(), expire)), expire=expire, begun=monotonic())


@dataclass(frozen=True, slots=True)
class Acquired:
    """The lock is ours."""


@dataclass(frozen=True, slots=True)
class Busy:
    """The lock is another's."""

    holder: str  # the text under the key


@dataclass(frozen=True, slots=True)
class Unknown:
    """The store gave no usable answer, twice."""

    reason: str


Answer = Acquired | Busy | Unknown


def acquire(store: BaseCache, lease: Lease) -> Answer:
    """Try to take the lock.

    After an error a second try follows at once, since a pooled socket may be stale after a restart of the store. A lost
    reply may have been a success: then the key holds our own token.
    """
    errors = 0
    for _ in range(TRIES):
        try:
            answer = _ask(store, lease)
        except Exception as error:
            errors += 1
            if errors > 1:
                return Unknown(f"{type(error).__name__}: {error}")
        else:
            if answer is not None:
                return answer
    return Unknown(f"the key was taken, then gone, {TRIES} times")


def _ask(store: BaseCache, lease: Lease) -> Acquired | Busy | None:
    """Return None where the holder gave the lock back between our two questions."""
    if store.add(lease.key, lease.token, lease.expire):
        return Acquired()
    holder = store.get(lease.key)
    if holder is None:
        return None
    return Acquired() if holder == lease.token else Busy(str(holder))


class Release(StrEnum):
    RELEASED = "released"
    NOT_OURS = "not_ours"  # the key is gone or another's: evicted, flushed, restarted
    EXPIRED = "expired"  # too close to the expiry, or past it: nothing was sent
    UNKNOWN = "unreleased"  # the store did not answer: the lock ends with its expiry


def release(store: BaseCache, lease: Lease, *, monotonic: Clock = time.monotonic) -> Release:
    """Give the lock back if it is still ours."""
    for _ in range(2):
        if monotonic() >= lease.deadline:
            return Release.EXPIRED
        try:
            return Release.RELEASED if delete_own(store, lease.key, lease.token) else Release.NOT_OURS
        except Exception:  # noqa: S112  # a stale socket; then the store is down, and the expiry will do it
            continue
    return Release.UNKNOWN


def delete_own(store: BaseCache, key: str, token: str) -> bool:
    """Delete `key` if it holds `token`; in one step where the store can. Raise what the store raises."""
    compare_and_delete = getattr(store, "compare_and_delete", None)
    if compare_and_delete is not None:
        return bool(compare_and_delete(key, token))
    # Django's own caches cannot do it in one step; the deadline in `release` is the recipe's answer to that.
    return store.get(key) == token and bool(store.delete(key))
