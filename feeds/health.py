"""The health pages: `/healthz` says that the process is up, `/readyz` whether its servers are there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import dramatiq
from django.core.cache import BaseCache, caches
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker

from feeds.conf import feeds_settings
from feeds.exceptions import describe

if TYPE_CHECKING:
    from dramatiq import Broker

OK = "ok"
PATIENCE = 3.0  # seconds for all three together; the slowest honest answer, of a memcached that hangs, takes 2 to 3
PROBE_LIFE = 10  # seconds until the lock store drops a probe that could not be deleted


def readiness(patience: float = PATIENCE) -> dict[str, str]:
    """Ask database, lock store and broker at once, and wait for the answers at most `patience` seconds in all."""
    deadline = time.monotonic() + patience
    # Looked up here: Django keeps one cache object per thread, and the probes' threads are short-lived.
    locks = caches[feeds_settings().lock_cache]
    answers = {
        "database": DATABASE.ask(ask_database),
        "lock_store": LOCK_STORE.ask(partial(ask_lock_store, locks)),
        "broker": BROKER.ask(partial(ask_broker, dramatiq.get_broker())),
    }
    return {name: _await(answer, deadline) for name, answer in answers.items()}


# The questions. Each returns OK or a problem; what the libraries raise is described by the probe.


def ask_database() -> str:
    """Ask the database which migrations it has."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"migrations not applied: {len(plan)}, from {plan[0][0]} on" if plan else OK


def ask_lock_store(locks: BaseCache) -> str:
    """Take a lock that nobody else wants, read it, give it back."""
    key, token = f"readyz-{uuid4().hex}", uuid4().hex
    if not locks.add(key, token, PROBE_LIFE):
        return "a lock that nobody holds was refused"
    if locks.get(key) != token:
        return "a lock just taken holds another value"
    return OK if _give_back(locks, key, token) else "a lock just taken could not be given back"


def _give_back(locks: Any, key: str, token: str) -> bool:
    """Delete by owner, where the cache can: Django's own have only `delete`."""
    if hasattr(locks, "compare_and_delete"):
        return bool(locks.compare_and_delete(key, token))
    return bool(locks.delete(key))


def ask_broker(broker: Broker) -> str:
    """Ask a broker with a server whether it is there. A queue inside this process always is."""
    if isinstance(broker, RedisBroker):
        broker.client.ping()
    elif isinstance(broker, RabbitmqBroker):
        try:
            broker.connection.process_data_events()  # the property connects: one connection for each thread
        finally:
            del broker.connection
    return OK


class Probe:
    """Asks one question in a thread of its own: not every wait in the libraries has a bound.

    One thread at a time. Who asks while a question is open waits for the same answer, so a server that hangs costs one
    thread however often somebody looks.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._answer: Future[str] | None = None

    def ask(self, question: Callable[[], str]) -> Future[str]:
        with self._mutex:
            if self._answer is None or self._answer.done():
                self._answer = Future()
                # A daemon, so that a hanging server does not keep the process from ending.
                threading.Thread(target=_answer, args=(question, self._answer), name="readyz", daemon=True).start()
            return self._answer


DATABASE, LOCK_STORE, BROKER = Probe(), Probe(), Probe()


def _answer(question: Callable[[], str], answer: Future[str]) -> None:
    try:
        try:
            text = question()
        finally:
            connections.close_all()  # those of this thread
            caches.close_all()
    except Exception as error:
        text = describe(error)
    answer.set_result(text)


def _await(answer: Future[str], deadline: float) -> str:
    try:
        return answer.result(timeout=max(0.0, deadline - time.monotonic()))
    except TimeoutError:
        return "TimeoutError: no answer in time"


@cache_control(no_store=True)
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer without any I/O."""
    return JsonResponse({"status": "ok"})


@cache_control(no_store=True)
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200, or 503 with what is wrong under the name of each part that failed."""
    parts = readiness()
    ready = all(answer == OK for answer in parts.values())
    return JsonResponse({"status": "ok" if ready else "failed", **parts}, status=200 if ready else 503)
