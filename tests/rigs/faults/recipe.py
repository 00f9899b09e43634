"""The cookbook's recipe as somebody in a hurry would port it: `cache.add` in a before-hook, `cache.delete` after.

It is what our middleware is measured against. Nothing of it is used anywhere else.
"""

import hashlib
import threading
import time
from typing import Any

from django.core.cache.backends.memcached import PyMemcacheCache
from dramatiq.middleware import Middleware, SkipMessage


class RecipeMiddleware(Middleware):
    """Take `<actor>-lock-<MD5>` by `cache.add`; delete it afterwards unless the expiry is near."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._threads = threading.local()
        self._caches: list[PyMemcacheCache] = []
        self._held: dict[str, tuple[str, float]] = {}  # by message id: the key, and until when it may be deleted

    @property
    def actor_options(self) -> set[str]:
        return {"lock_key", "lock_expire", "lock_conflict"}  # the last is ignored: what is busy is skipped

    @property
    def cache(self) -> PyMemcacheCache:
        """Return this thread's cache, as `django.core.cache.caches` does."""
        if not hasattr(self._threads, "cache"):
            self._threads.cache = PyMemcacheCache(self._location, {})
            self._caches.append(self._threads.cache)
        return self._threads.cache

    def before_process_message(self, broker: Any, message: Any) -> None:
        options = broker.get_actor(message.actor_name).options
        if "lock_key" not in options:
            return
        digest = hashlib.md5(options["lock_key"](*message.args).encode()).hexdigest()
        key = f"{message.actor_name}-lock-{digest}"
        deadline = time.monotonic() + options["lock_expire"] - 3
        if not self.cache.add(key, "true", options["lock_expire"]):
            raise SkipMessage("already being worked on")
        self._held[message.message_id] = key, deadline

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        key, deadline = self._held.pop(message.message_id, ("", 0.0))
        if time.monotonic() < deadline:
            self.cache.delete(key)

    def after_skip_message(self, broker: Any, message: Any) -> None:
        self.after_process_message(broker, message)

    def close(self) -> None:
        for cache in self._caches:
            cache.close()
