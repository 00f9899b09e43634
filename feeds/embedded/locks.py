"""Locks in the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.db import Error as AnyDatabaseError
from django.db import IntegrityError, connections, router, transaction
from django.db.models import QuerySet

from feeds.clock import Now
from feeds.locking import LockStore, LockStoreError

if TYPE_CHECKING:
    from feeds.models import Lock


class DatabaseLocks(LockStore):
    """Locks in the database, by the database's clock. Every statement is atomic on PostgreSQL and SQLite alike."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.database: str | None = self.options.get("database")

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        made = self._key(key, version)
        values = {"token": self._text(key, value), "expires_at": Now() + timedelta(seconds=self._seconds(timeout))}

        def take(locks: QuerySet[Lock]) -> bool:
            try:
                with transaction.atomic(using=locks.db):
                    locks.create(key=made, **values)
            except IntegrityError:
                return bool(locks.filter(key=made, expires_at__lte=Now()).update(**values))
            return True

        return bool(self._ask(take))

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        made = self._key(key, version)
        found = self._ask(lambda locks: locks.filter(key=made, expires_at__gt=Now()).values_list("token", flat=True))
        return next((self._value(text) for text in found), default)

    def delete(self, key: str, version: int | None = None) -> bool:
        made = self._key(key, version)
        return bool(self._ask(lambda locks: locks.filter(key=made).delete()[0]))

    def compare_and_delete(self, key: str, value: str, version: int | None = None) -> bool:
        made, text = self._key(key, version), self._text(key, value)
        return bool(self._ask(lambda locks: locks.filter(key=made, token=text).delete()[0]))

    def held(self) -> Iterator[tuple[str, str]]:
        rows = self._ask(lambda locks: locks.filter(expires_at__gt=Now()).order_by("key").values_list("key", "token"))
        for made, text in rows:
            yield from self._lock(made, text)

    def _ask(self, question: Callable[[QuerySet[Lock]], Any]) -> Any:
        model: type[Lock] = apps.get_model("feeds", "Lock")  # caches are built before the models are
        alias = self.database or router.db_for_write(model)
        try:
            answer = question(model._default_manager.using(alias))
            return list(answer) if isinstance(answer, QuerySet) else answer
        except AnyDatabaseError as error:
            connections[alias].close_if_unusable_or_obsolete()  # so that a second try gets a new one
            raise LockStoreError(f"the database of the locks: {type(error).__name__}: {error}") from error
