"""The two locks that are compared, each in the order of middleware in which it would be used."""

from dataclasses import dataclass
from typing import Any

from dramatiq.middleware import AgeLimit, Middleware, Retries, ShutdownNotifications, TimeLimit

from feeds.locking.memcached import MemcachedLocks
from feeds.locking.middleware import LockMiddleware
from tests.rigs.faults.recipe import RecipeMiddleware


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    name: str
    fenced: bool  # whether the work looks at its revision again before it writes
    options: dict[str, Any]  # of the actor

    def middleware(
        self, location: str, *, outside: list[Middleware], inside: list[Middleware], interval: int = 20
    ) -> list[Middleware]:
        """Return middleware, `outside` above and `inside` below the lock; the time limit looks every `interval` ms."""
        limit = TimeLimit(interval=interval)
        if self is OURS:
            lock = LockMiddleware(MemcachedLocks(location, {}))
            return [AgeLimit(), Retries(), *outside, lock, *inside, ShutdownNotifications(), limit]
        # Added to Dramatiq's own list, at its end.
        return [AgeLimit(), limit, ShutdownNotifications(), Retries(), *outside, RecipeMiddleware(location), *inside]

    def cache(self, middleware: list[Middleware]) -> Any:
        """Return the Django cache that this thread's locks are in."""
        if self is OURS:
            return next(each.store for each in middleware if isinstance(each, LockMiddleware))
        return next(each.cache for each in middleware if isinstance(each, RecipeMiddleware))

    def close(self, middleware: list[Middleware]) -> None:
        """Close the connections to memcached."""
        for each in middleware:
            if isinstance(each, LockMiddleware):
                each.store.close()
            if isinstance(each, RecipeMiddleware):
                each.close()


OURS = Variant(name="ours", fenced=True, options={"lock_conflict": "delay"})
RECIPE = Variant(name="recipe", fenced=False, options={})
VARIANTS = {variant.name: variant for variant in (OURS, RECIPE)}
