"""The project as somebody runs it: the environment in, commands, messages and workers as processes of their own out."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pika
import psycopg
import redis

from tests.rigs.servers.daemon import BUSY, eventually
from tests.rigs.servers.rabbitmq import KINDS
from tests.rigs.servers.workers import PROJECT

SEND = """
import sys
from feeds.tasks import import_feed
for url in sys.stdin.read().split():
    import_feed.send(url)
"""

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")

LOCAL = {
    "FEEDS_ALLOWED_NETWORKS": "127.0.0.0/8",
    "FEEDS_HOST_DELAY": "0",
    "FEEDS_LOG_LEVEL": "DEBUG",
    "PYTHONUNBUFFERED": "1",
    "SECRET_KEY": "test",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One installation: where its database, its broker and its lock store are."""

    database_url: str
    broker_url: str = ""
    memcached_url: str = ""
    extra_environment: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        servers = {"BROKER_URL": self.broker_url, "MEMCACHED_URL": self.memcached_url}
        named = {name: url for name, url in servers.items() if url}
        return inherited | LOCAL | named | {"DATABASE_URL": self.database_url} | self.extra_environment

    def spawn(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command of manage.py; what it prints, on both streams, can be read from `stdout`."""
        return subprocess.Popen(
            [sys.executable, str(PROJECT / "manage.py"), *arguments],
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def manage(self, *arguments: str, given: str = "", status: int = 0) -> str:
        """Run a command of manage.py to its end and return what it printed; `given` is its standard input."""
        process = self.spawn(*arguments)
        output = finish(process, given)
        assert process.returncode == status, f"{arguments} ended with {process.returncode}:\n{output}"
        return output

    def send(self, urls: Iterable[str]) -> None:
        """Send one message for each URL, as `import_feed.send(url)` in somebody's code does."""
        self.manage("shell", "-c", SEND, given="\n".join(urls))

    @contextmanager
    def sending(self, url: str) -> Iterator[None]:
        """Send one message, and go on before the command that sends it has ended, which may take a second."""
        process = self.spawn("shell", "-c", SEND)
        assert process.stdin is not None
        process.stdin.write(url)
        process.stdin.close()
        process.stdin = None
        yield
        finish(process)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what the database answers."""
        with closing(self._connection()) as connection:
            return list(connection.execute(query))

    def imported(self) -> int:
        """Return how many feeds have been imported."""
        return int(self.rows("SELECT count(*) FROM feeds_feed WHERE imported_at IS NOT NULL")[0][0])

    def entries(self) -> int:
        return int(self.rows("SELECT count(*) FROM feeds_entry")[0][0])

    def wait_until_imported(self, feeds: int, *, within: float) -> None:
        eventually(lambda: self.imported() == feeds, within=within, what=f"{feeds} feeds are imported")

    def queued(self) -> tuple[int, ...]:
        """Return how many messages that somebody sent, not the schedule, are due, delayed and dead.

        Redis counts those that a worker has taken and not finished, too; RabbitMQ does not.
        """
        return self._queued_on_redis() if self.broker_url.startswith("redis") else self._queued_on_rabbitmq()

    def wait_until_queued(self, *counts: int, within: float) -> None:
        """Wait until so many messages are due, delayed and dead."""
        eventually(lambda: self.queued() == counts, within=within, what=f"the queues hold {counts}")

    def _connection(self) -> Any:
        if self.database_url.startswith("postgres"):
            return psycopg.connect(self.database_url)
        return sqlite3.connect(self.database_url.removeprefix("sqlite:///"))

    def _queued_on_redis(self) -> tuple[int, ...]:
        with redis.Redis.from_url(self.broker_url) as client:
            return tuple(client.hlen(f"dramatiq:feeds{kind}.msgs") for kind in KINDS)

    def _queued_on_rabbitmq(self) -> tuple[int, ...]:
        with pika.BlockingConnection(pika.URLParameters(self.broker_url)) as connection:
            channel = connection.channel()
            return tuple(channel.queue_declare(f"feeds{kind}", passive=True).method.message_count for kind in KINDS)


def finish(process: subprocess.Popen[str], given: str = "") -> str:
    """Wait for a command's end and return what it printed; kill it after 50 seconds, on a busy machine more."""
    with process:
        try:
            return process.communicate(given, timeout=50 * BUSY)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()[0]
