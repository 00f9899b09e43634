"""Real workers on a real broker and a real memcached, to be killed, stopped and cut off."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import dramatiq
import pytest
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker

from tests.rigs import history
from tests.rigs.faults.variants import Variant
from tests.rigs.faults.work import ACTOR, Revisions, lock_key
from tests.rigs.servers.daemon import eventually
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.proxy import Proxy
from tests.rigs.servers.redis_server import RedisServer
from tests.rigs.servers.workers import PROJECT

ENVIRONMENT = dict(os.environ)  # at rest: pytest changes it while threads of a rig read it


class Worker:
    """One `dramatiq` with one worker process, in a process group of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def tell(self, number: signal.Signals) -> None:
        os.killpg(self._process.pid, number)

    def end(self, number: signal.Signals, *, grace: float = 10.0) -> None:
        """Send a signal, and kill what is left after `grace` seconds, as a supervisor does."""
        if self._process.poll() is not None:
            return
        self.tell(number)
        try:
            self._process.wait(timeout=grace)
        except subprocess.TimeoutExpired:
            self.tell(signal.SIGKILL)
            self._process.wait(timeout=10)

    def kill(self) -> None:
        self.end(signal.SIGKILL)


class Crew:
    """Workers of one variant, what they share, and what can be seen of them."""

    def __init__(
        self,
        variant: Variant,
        folder: Path,
        *,
        rabbitmq_url: str = "",
        expire: int = 5,
        body_seconds: float = 0.0,
        limit_interval: int = 1_000,
    ) -> None:
        self.variant = variant
        self.memcached = Memcached(folder)
        self._redis = None if rabbitmq_url else RedisServer(folder)
        self.broker_url = self._redis.url if self._redis is not None else rabbitmq_url
        self.proxied_broker_url = self.broker_url  # where the workers find it
        self.queue = f"faults-{uuid4().hex[:8]}"
        self.expire = expire
        self.workers: list[Worker] = []
        self._body_seconds = body_seconds
        self._limit_interval = limit_interval  # ms between two looks at the time limit
        self._folder = folder
        self._recorder = history.Recorder(folder / "history")
        Revisions(folder / "revisions")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.memcached)
        if self._redis is not None:
            self._stack.enter_context(self._redis)
        self.proxy = self._stack.enter_context(Proxy(self.memcached.port))
        self._log = self._stack.enter_context((self._folder / "workers.log").open("ab"))
        self._broker = self._make_broker()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
        self._broker.close()
        self._recorder.close()
        self._stack.close()

    # What a row does

    def start(self) -> Worker:
        """Start a worker and wait until it has booted."""
        boots = len(self.history().noted("boot"))
        worker = Worker(self._spawn())
        self.workers.append(worker)
        eventually(lambda: len(self.history().noted("boot")) > boots, within=30, what="a worker has booted")
        return worker

    def send(self, key: str) -> None:
        self._recorder.write("request", key=key)
        self._broker.enqueue(
            dramatiq.Message(queue_name=self.queue, actor_name=ACTOR, args=(key,), kwargs={}, options={})
        )

    def note(self, event: str, **facts: Any) -> None:
        self._recorder.write(event, **facts)

    def stop_at(self, point: str) -> None:
        """Let every worker that comes to `point` stay there."""
        (self._folder / f"{point}.point").touch()

    def go_on(self, point: str) -> None:
        (self._folder / f"{point}.point").unlink()

    def wait_for(self, check: Callable[[], object], *, within: float, what: str) -> None:
        eventually(check, within=within, what=what)

    def wait_at(self, point: str) -> None:
        eventually(lambda: self.history().noted("point"), within=15, what=f"a worker is at {point!r}")

    # What a row sees

    def history(self) -> history.History:
        return history.read(self._folder / "history")

    def locked(self, key: str) -> bool:
        return self.memcached.get(lock_key(key)) is not None

    def begun(self, key: str) -> int:
        return sum(run.key == key for run in self.history().runs)

    def outstanding(self) -> int:
        """Return how many messages are in the broker or with a worker, by what the workers have recorded."""
        seen = self.history()
        return len(seen.requests) + len(seen.noted("enqueue")) - len(seen.noted("ack"))

    def settle(self, within: float) -> list[str]:
        """Wait until no message is left; say if some are."""
        try:
            eventually(lambda: self.outstanding() <= 0, within=within, what="no message is left")
        except pytest.fail.Exception:
            return [f"{self.outstanding()} messages are left after {within:g} s"]
        return []

    def output(self) -> str:
        return (self._folder / "workers.log").read_text(errors="replace")

    # The parts

    def _make_broker(self) -> Any:
        kind = RedisBroker if self._redis is not None else RabbitmqBroker
        broker = kind(url=self.broker_url, middleware=[])
        broker.declare_queue(self.queue)
        return broker

    def _spawn(self) -> subprocess.Popen[bytes]:
        facts = {
            "FAULTS_FOLDER": str(self._folder),
            "VARIANT": self.variant.name,
            "BROKER_URL": self.proxied_broker_url,
            "MEMCACHED_URL": self.proxy.location,
            "STORE_PORT": str(self.memcached.port),
            "QUEUE": self.queue,
            "EXPIRE": str(self.expire),
            "LIMIT_INTERVAL": str(self._limit_interval),
            "BODY_SECONDS": str(self._body_seconds),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "dramatiq", "tests.rigs.faults.actors", "-p", "1", "-t", "2"],
            cwd=PROJECT,
            env=ENVIRONMENT | facts,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
