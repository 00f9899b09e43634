"""Actors, brokers and caches in; what would keep the lock from holding, in words, out.

Asked when actors are declared, when a worker boots, and by `manage.py check`. No server is asked here.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.base import InvalidCacheBackendError
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from dramatiq.middleware import AgeLimit, Middleware, Retries, ShutdownNotifications, TimeLimit

from feeds.locking.lock import lock_key
from feeds.locking.store import LONGEST_EXPIRY, LockStore, key_problems

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
    problems += [f"lock_expire of {name} {problem}" for problem in expire_problems(options.get("lock_expire", 600))]
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
    if type(expire) is int and SHORTEST_EXPIRE <= expire <= LONGEST_EXPIRY:
        return []
    return [f"must be a whole number of seconds from {SHORTEST_EXPIRE} to {LONGEST_EXPIRY}, not {expire!r}"]


def key_prefix_problems(broker: Broker, store: LockStore) -> list[str]:
    """Say which actors' keys are no keys once the cache has put its prefix before them."""
    return [
        f"{actor.actor_name} is no name for a key: {problem}"
        for actor in broker.actors.values()
        if "lock_key" in actor.options
        for problem in key_problems(store.make_key(lock_key(actor.actor_name, "")))
    ]


def lock_expire(options: dict[str, Any]) -> int:
    """Return an actor's lock expiry in seconds."""
    return int(options.get("lock_expire") or getattr(settings, "FEEDS_LOCK_EXPIRE", None) or DEFAULT_EXPIRE)


def time_limit_problems(broker: Broker) -> list[str]:
    """Say which actors may run longer than their lock lives."""
    return [
        f"{actor.actor_name} may run for {limit:g} s, but its lock expires after {expire} s: "
        f"time_limit must be below {expire - MARGIN} s"
        for actor in broker.actors.values()
        if "lock_key" in actor.options
        for limit, expire in [(time_limit(broker, actor), lock_expire(actor.options))]
        if limit >= expire - MARGIN
    ]


def time_limit(broker: Broker, actor: Actor[..., Any]) -> float:
    """Return the seconds that an actor may run; infinity without TimeLimit."""
    default = next((item.time_limit for item in broker.middleware if isinstance(item, TimeLimit)), None)
    if default is None:
        return float("inf")
    return float(actor.options.get("time_limit") or default) / 1000


# The broker


def order_problems(broker: Broker, lock: type[Middleware]) -> list[str]:
    """Say what stands on the wrong side of the lock: after-hooks run backwards, see the README."""
    kinds = [type(middleware) for middleware in broker.middleware]
    ours = next((index for index, kind in enumerate(kinds) if issubclass(kind, lock)), None)
    if ours is None:
        return [f"{lock.__module__}.{lock.__name__} is missing from DRAMATIQ_BROKER: every import would run unlocked"]
    above = [kind for kind in kinds[:ours] if issubclass(kind, ShutdownNotifications | TimeLimit)]
    below = [kind for kind in kinds[ours:] if issubclass(kind, AgeLimit | Retries)]
    return [
        *(f"{kind.__name__} must stand below {lock.__name__}: it could interrupt the release" for kind in above),
        *(f"{kind.__name__} must stand above {lock.__name__}: it acts while the lock is held" for kind in below),
    ]


# The cache


class Fault(Enum):
    """How a cache's configuration switches the lock off."""

    UNUSABLE = "cannot be used"
    UNFIT = "does not exclude"
    SEVERAL_SERVERS = "has several servers, so two workers can hold one lock"
    IGNORES_ERRORS = "ignores errors, so a dead server reads as busy"
    NO_TIMEOUT = "has no time-out, so a server that hangs hangs every worker for good"


@dataclass(frozen=True, slots=True)
class Problem:
    fault: Fault
    text: str


# Why the adding of these does not exclude.
UNFIT = {
    "django.core.cache.backends.dummy.DummyCache": "it stores nothing, so everybody gets the lock",
    "django.core.cache.backends.filebased.FileBasedCache": "its add looks first and writes later",
    "django.core.cache.backends.db.DatabaseCache": "its add takes over expired keys without looking (38 of 40 doubled)",
    "django.core.cache.backends.memcached.PyMemcacheCache": "while the server is down its add answers False: busy",
    "django.core.cache.backends.memcached.PyLibMCCache": "its add cannot be told apart from a failure",
}
LOCAL = "django.core.cache.backends.locmem.LocMemCache"
REDIS = "django.core.cache.backends.redis.RedisCache"
TIMEOUTS: dict[str, dict[str, float | None]] = {
    "feeds.locking.memcached.MemcachedLocks": {"connect_timeout": 0.5, "timeout": 1.0},
    "django.core.cache.backends.memcached.PyMemcacheCache": {"connect_timeout": None, "timeout": None},
    REDIS: {"socket_connect_timeout": None, "socket_timeout": None},
}


def configuration_problems(alias: str, *, one_process: bool) -> Iterator[Problem]:
    """Say what of the cache's configuration switches the lock off; no server is asked."""
    configuration = settings.CACHES.get(alias, {})
    texts = list(_configuration_problems(configuration, one_process=one_process))
    if not texts:
        try:
            caches[alias]
        except (InvalidCacheBackendError, ImproperlyConfigured) as error:
            texts.append((Fault.UNUSABLE, str(error)))
    for fault, text in texts:
        yield Problem(fault, f"the lock cache {alias!r} {fault.value}: {text}")


def _configuration_problems(configuration: dict[str, Any], *, one_process: bool) -> Iterator[tuple[Fault, str]]:
    try:
        backend: type = import_string(configuration["BACKEND"])
    except (KeyError, ImportError) as error:
        yield Fault.UNUSABLE, str(error)
        return
    bases = [f"{base.__module__}.{base.__qualname__}" for base in backend.__mro__]
    options = configuration.get("OPTIONS", {})
    yield from ((Fault.UNFIT, UNFIT[base]) for base in bases if base in UNFIT)
    if LOCAL in bases and not one_process:
        yield Fault.UNFIT, "each process has its own"
    if several_servers(configuration.get("LOCATION", "")):
        yield Fault.SEVERAL_SERVERS, f"LOCATION is {configuration['LOCATION']!r}"
    if options.get("ignore_exc"):
        yield Fault.IGNORES_ERRORS, "OPTIONS has ignore_exc"
    defaults = next((TIMEOUTS[base] for base in bases if base in TIMEOUTS), {})
    if missing := [name for name, default in defaults.items() if not options.get(name, default)]:
        yield Fault.NO_TIMEOUT, f"set OPTIONS {' and '.join(missing)}"


def several_servers(location: object) -> bool:
    if isinstance(location, str):
        return "," in location or ";" in location
    return isinstance(location, list | tuple) and len(location) > 1
