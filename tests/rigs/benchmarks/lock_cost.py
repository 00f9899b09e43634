"""What the lock costs: messages per second of an empty actor without and with it, on Redis and memcached.

    uv run python -m tests.rigs.benchmarks.lock_cost [--messages 3000] [--rounds 5] [--threads 8]

Every round works off the same number of messages twice, once without and once with the lock, so that what else the
machine does meets both. The last line says the medians and their ratio.
"""

import argparse
import logging
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import django
import dramatiq
from django.conf import settings
from dramatiq import Worker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, CurrentMessage, Retries, ShutdownNotifications, TimeLimit

from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.redis_server import RedisServer


class Countdown:
    """An actor's body that does nothing, and tells when it has done so often enough."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._left = 0
        self.done = threading.Event()

    def begin(self, count: int) -> None:
        self._left = count
        self.done.clear()

    def __call__(self, number: int) -> None:
        with self._mutex:
            self._left -= 1
            if not self._left:
                self.done.set()


def main() -> None:
    options = _parser().parse_args()
    logging.getLogger("dramatiq").setLevel(logging.WARNING)
    with ExitStack() as stack:
        memcached, redis = (
            stack.enter_context(kind(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
            for kind in (Memcached, RedisServer)
        )
        settings.configure(
            CACHES={"locks": {"BACKEND": "feeds.locking.MemcachedLocks", "LOCATION": memcached.location}},
            INSTALLED_APPS=[],
        )
        django.setup()
        measure(redis.url, **vars(options))


def measure(redis_url: str, *, messages: int, rounds: int, threads: int) -> None:
    from feeds.locking.middleware import LockMiddleware

    order = [AgeLimit(), CurrentMessage(), Retries(), LockMiddleware(), ShutdownNotifications(), TimeLimit()]
    broker = RedisBroker(url=redis_url, middleware=order)
    countdown = Countdown()
    given: dict[str, Any] = {"broker": broker, "time_limit": 60_000}
    plain = dramatiq.actor(countdown, actor_name="plain", queue_name="plain", **given)
    locked = dramatiq.actor(countdown, actor_name="locked", queue_name="locked", lock_key=str, **given)
    rates: dict[str, list[float]] = {"plain": [], "locked": []}
    for number in range(rounds + 1):
        for actor in (plain, locked) if number % 2 else (locked, plain):
            rate = messages / run(broker, actor, countdown, messages, threads)
            if number:  # the first round warms up
                rates[actor.actor_name].append(rate)
                print(f"round {number}  {actor.actor_name:6}  {rate:7.0f} messages/s", flush=True)
    without, with_lock = (statistics.median(rates[name]) for name in ("plain", "locked"))
    print(f"without the lock {without:.0f}/s, with it {with_lock:.0f}/s: {with_lock / without:.0%}")


def run(broker: RedisBroker, actor: Any, countdown: Countdown, messages: int, threads: int) -> float:
    """Return the seconds in which a worker works off so many messages, each with a key of its own."""
    countdown.begin(messages)
    for number in range(messages):
        actor.send(number)
    worker = Worker(broker, queues={actor.queue_name}, worker_threads=threads, worker_timeout=100)
    began = time.perf_counter()
    worker.start()
    countdown.done.wait()
    seconds = time.perf_counter() - began
    broker.join(actor.queue_name, interval=10)
    worker.stop()
    broker.middleware = [item for item in broker.middleware if type(item).__name__ != "_WorkerMiddleware"]
    return seconds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=8)
    return parser


if __name__ == "__main__":
    main()
