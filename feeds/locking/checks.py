"""Checks of the configuration: what would keep the lock from holding, in words.

Asked when actors are declared, when a worker boots, and by `manage.py check`. No server is asked here.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from django.core.cache import caches
from django.core.cache.backends.base import InvalidCacheBackendError
from django.core.cache.backends.locmem import LocMemCache
from django.core.exceptions import ImproperlyConfigured
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import AgeLimit, CurrentMessage, Middleware, Retries, ShutdownNotifications, TimeLimit

from feeds.locking.lock import LONGEST_EXPIRE, lock_key
from feeds.locking.store import LockStore, key_problems

if TYPE_CHECKING:
    from dramatiq import Actor, Broker

MARGIN = 4  # seconds between an actor's time limit and its lock's expiry: the recipe's 3 and the limit's 1 s tick
DEFAULT_EXPIRE = 600  # seconds: the recipe's
SHORTEST_EXPIRE = MARGIN + 1  # seconds
CONFLICTS = ("skip", "delay")


# Actors


def option_problems(actor: Actor[..., Any]) -> list[str]:
    """Say what is wrong with an actor's lock options."""
    name, options = actor.actor_name, actor.options
    if "lock_key" not in options:
        stray = sorted(option for option in options if option.startswith("lock_"))
        return [f"{name} has {', '.join(stray)} but no lock_key"] if stray else []
    problems = [f"{name} is no name for a key: {problem}" for problem in key_problems(lock_key(name, ""))]
    if not callable(options["lock_key"]):
        problems.append(f"lock_key of {name} must be a callable on the actor's arguments")
    if inspect.iscoroutinefunction(inspect.unwrap(actor.fn)):
        problems.append(f"{name} is asynchronous: interrupted, it may run on after its lock is released")
    expire = options.get("lock_expire", DEFAULT_EXPIRE)
    problems += [f"lock_expire of {name} {problem}" for problem in expire_problems(expire)]
    if (conflict := options.get("lock_conflict", "skip")) not in CONFLICTS:
        problems.append(f"lock_conflict of {name} must be one of {', '.join(CONFLICTS)}, not {conflict!r}")
    if not _takes_one_text(message := options.get("lock_busy_message", "%s")):
        problems.append(f"lock_busy_message of {name} must be a text with one %s, not {message!r}")
    return problems


def _takes_one_text(message: object) -> bool:
    try:
        return isinstance(message, str) and message % "a text" != ""
    except (TypeError, ValueError):
        return False


def expire_problems(expire: object) -> list[str]:
    if type(expire) is int and SHORTEST_EXPIRE <= expire <= LONGEST_EXPIRE:
        return []
    return [f"must be a whole number of seconds from {SHORTEST_EXPIRE} to {LONGEST_EXPIRE}, not {expire!r}"]


def time_limit_problems(broker: Broker, expire: int) -> list[str]:
    """Say which actors may run longer than their lock lives: `expire` seconds, if they do not say otherwise."""
    limits = [item.time_limit for item in broker.middleware if isinstance(item, TimeLimit)]
    if not limits:
        return ["TimeLimit is missing from the broker: an actor could run on when its lock has expired"]
    return [
        f"{actor.actor_name} may run for {limit:g} s, but its lock expires after {life} s: "
        f"time_limit must be below {life - MARGIN} s"
        for actor in broker.actors.values()
        if "lock_key" in actor.options
        for limit in [(actor.options.get("time_limit") or limits[0]) / 1000]
        if limit >= (life := actor.options.get("lock_expire", expire)) - MARGIN
    ]


# The broker


def missing_middleware(broker: Broker, lock: type[Middleware]) -> list[str]:
    """Say which middleware the broker lacks without which locked actors cannot be declared, or run otherwise."""
    needed: list[tuple[str, type[Middleware], str]] = [
        ("dramatiq.middleware", CurrentMessage, "an actor could not know when it was asked for"),
        ("dramatiq.middleware", Retries, "what the database refused would not be tried again"),
        ("feeds.locking", lock, "everything would run without the lock"),
        ("dramatiq.middleware", TimeLimit, "an actor could run on when its lock has expired"),
    ]
    return [
        f"{package}.{kind.__name__} is missing from MIDDLEWARE of DRAMATIQ_BROKER: {why}"
        for package, kind, why in needed
        if not any(isinstance(item, kind) for item in broker.middleware)
    ]


def order_problems(broker: Broker, lock: type[Middleware]) -> list[str]:
    """Say what stands on the wrong side of the lock: after-hooks run backwards, see docs/lock.md."""
    kinds = [type(middleware) for middleware in broker.middleware]
    ours = next(index for index, kind in enumerate(kinds) if issubclass(kind, lock))
    above = [kind for kind in kinds[:ours] if issubclass(kind, ShutdownNotifications | TimeLimit)]
    below = [kind for kind in kinds[ours:] if issubclass(kind, AgeLimit | Retries)]
    return [
        *(f"{kind.__name__} must stand below {lock.__name__}: it could interrupt the release" for kind in above),
        *(f"{kind.__name__} must stand above {lock.__name__}: it acts while the lock is held" for kind in below),
    ]


# The store


def store_problems(alias: str, broker: Broker) -> list[str]:
    """Say why a cache cannot hold locks.

    Most caches cannot: they answer False where their server is down, or store what they should only add. LocMemCache
    excludes threads, which is enough where one process is all: with a StubBroker, such as in tests.
    """
    try:
        store = caches[alias]
    except (InvalidCacheBackendError, ImproperlyConfigured) as error:
        return [f"the cache {alias!r} cannot hold locks: {error}"]
    if isinstance(store, LockStore) or (isinstance(store, LocMemCache) and isinstance(broker, StubBroker)):
        return []
    return [f"the cache {alias!r} cannot hold locks: {type(store).__name__} is no feeds.locking.LockStore"]


def key_prefix_problems(broker: Broker, store: LockStore) -> list[str]:
    """Say which actors' keys are no keys once the cache has put its prefix before them."""
    return [
        f"{actor.actor_name} is no name for a key: {problem}"
        for actor in broker.actors.values()
        if "lock_key" in actor.options
        for problem in key_problems(store.make_key(lock_key(actor.actor_name, "")))
    ]
