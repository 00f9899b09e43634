"""The health pages: `/healthz` says that the process is up, `/readyz` which of its servers answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import dramatiq
from django.core.cache import caches
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from feeds import brokers, clock, locking, parsing, scheduling
from feeds.brokers import TIMEOUT
from feeds.conf import feeds_settings
from feeds.databases import outside_transactions, primary_database
from feeds.exceptions import describe
from feeds.locking import LockStore

logger = logging.getLogger(__name__)

TEST_LOCK_EXPIRE = 10  # seconds until the lock store drops a test lock that could not be deleted


def readiness() -> dict[str, bool]:
    """Ask database, lock store and broker, one after the other, which of them work; log why one does not.

    Each has its own time-outs: to connect, those of the settings (PostgreSQL `connect_timeout`, memcached 0.5 s), and
    for an answer `TIMEOUT` or, of memcached, 1 s. Without a bound is one wait only: for a PostgreSQL that was connected
    to before and answers nothing, while the system under it still acknowledges what is sent.
    """
    parts = {
        "database": ask_database,
        "lock_store": ask_lock_store,
        "broker": ask_broker,
        "parser": parsing.start_problem,
    }
    return {name: _works(name, question) for name, question in parts.items()}


def _works(name: str, question: Callable[[], str]) -> bool:
    try:
        problem = question()
    except Exception as error:  # each client has its own
        problem = describe(error)
    if problem:
        logger.warning("readyz %s=failed: %s", name, problem)
    return not problem


# The questions. Each returns a problem or "", or raises what the client of the server raises.


def ask_database() -> str:
    """Ask the database which migrations it has."""
    connection = connections[primary_database()]
    with _statement_timeout(connection):
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"migrations not applied: {len(plan)}, from {plan[0][0]} on" if plan else ""


@contextmanager
def _statement_timeout(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let PostgreSQL end a statement that takes longer than `TIMEOUT`. SQLite has a time-out in its settings."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{TIMEOUT}s'")
        yield


def ask_lock_store() -> str:
    """Take a lock that nobody else wants, read it, give it back."""
    alias = feeds_settings().lock_cache
    for problem in locking.store_problems(alias, dramatiq.get_broker()):
        return problem
    store = caches[alias]
    if not isinstance(store, LockStore):
        return ""  # in memory, where this process is all
    key, token = f"readyz-{uuid4().hex}", uuid4().hex
    if not store.add(key, token, TEST_LOCK_EXPIRE):
        return "a lock that nobody holds was refused"
    if store.add(key, uuid4().hex, TEST_LOCK_EXPIRE):
        return "a lock that is held was granted once more: it excludes nobody"
    if store.get(key) != token:
        return "a lock just taken holds another value"
    return "" if store.compare_and_delete(key, token) else "a lock just taken could not be given back"


def ask_broker() -> str:
    """Ask a broker that has a server whether it answers, by a connection of our own. A queue in memory always does."""
    brokers.server(dramatiq.get_broker()).ping()
    return ""


def ask_workers() -> str:
    """Ask the database for a document that no worker could read lately."""
    return scheduling.unread(clock.now())


@outside_transactions
@cache_control(no_store=True)
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer without any I/O."""
    return JsonResponse({"status": "ok"})


@outside_transactions
@cache_control(no_store=True)
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200, or 503 where a part failed. Reasons are for the log: anybody may ask."""
    parts = readiness()
    ready = all(parts.values())
    if parts["database"]:  # it is told, but the site need not go down because a worker cannot start its children
        parts["workers"] = _works("workers", ask_workers)
    words = {name: "ok" if works else "failed" for name, works in {"status": ready, **parts}.items()}
    return JsonResponse(words, status=200 if ready else 503)
