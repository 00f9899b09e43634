"""What is measured side by side: ours, the recipe, newsboat. Each imports a list of URLs and says how long it took."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis

from tests.rigs.servers import processes
from tests.rigs.servers.daemon import Daemon
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.nginx import Nginx
from tests.rigs.servers.postgresql import PostgreSQL
from tests.rigs.servers.redis_server import RedisServer
from tests.rigs.servers.workers import PROJECT, Workers

PROCESSES, THREADS = 2, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    nginx: Nginx
    postgresql: PostgreSQL
    redis: RedisServer
    memcached: Memcached

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator["Servers"]:
        with ExitStack() as stack:

            def start(kind: Callable[[Path], Daemon]) -> Daemon:
                (folder / kind.__name__).mkdir()
                return stack.enter_context(kind(folder / kind.__name__))

            kinds = {"nginx": Nginx, "postgresql": PostgreSQL, "redis": RedisServer, "memcached": Memcached}
            yield cls(**{name: start(kind) for name, kind in kinds.items()})

    @contextmanager
    def environment(self) -> Iterator[dict[str, str]]:
        """Give an empty database and an empty broker."""
        database = self.postgresql.create_database()
        with redis.Redis.from_url(self.redis.url) as client:
            client.flushall()
        self.memcached.flush()
        try:
            yield os.environ | {
                "DATABASE_URL": self.postgresql.url(database),
                "BROKER_URL": self.redis.url,
                "MEMCACHED_URL": self.memcached.location,
                "FEEDS_ALLOWED_NETWORKS": "127.0.0.0/8",
                "FEEDS_HOST_DELAY": "0",
                "FEEDS_CONTACT_URL": "https://example.org/",
                "SECRET_KEY": "benchmark",
                "PYTHONUNBUFFERED": "1",
            }
        finally:
            self.postgresql.drop_database(database)


@dataclass(slots=True, kw_only=True)
class Run:
    """A contestant at work. `group` is the process group of its workers; 0 = it has none."""

    poll: Callable[[list[str]], None]
    group: int = 0
    seconds: float = field(default=0.0, init=False)
    processor: float = field(default=0.0, init=False)  # seconds of the workers

    def measure(self, urls: list[str]) -> None:
        before, started = processes.processor_seconds(self.group) if self.group else 0.0, time.perf_counter()
        self.poll(urls)
        self.seconds = time.perf_counter() - started
        self.processor = processes.processor_seconds(self.group) - before if self.group else 0.0


@contextmanager
def ours(servers: Servers, folder: Path, root: Path = PROJECT) -> Iterator[Run]:
    """Run the project of a checkout: workers, and `import_feeds --wait` for each poll."""
    with servers.environment() as environment:

        def manage(*arguments: str) -> None:
            command = [sys.executable, str(root / "manage.py"), *arguments]
            done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
            if done.returncode > 1:  # 1: some feeds failed, as they should
                sys.exit(f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

        def poll(urls: list[str]) -> None:
            (folder / "urls.txt").write_text("\n".join(urls))
            manage("import_feeds", "--wait", str(folder / "urls.txt"))

        manage("migrate", "--verbosity", "0")
        with _WorkersOf(folder, environment, root) as workers:
            yield Run(poll=poll, group=workers.group)


@contextmanager
def recipe(servers: Servers, folder: Path) -> Iterator[Run]:
    """Run the recipe; a poll is over when no message is left."""
    module = "tests.rigs.benchmarks.recipe.actors"
    with servers.environment() as environment, redis.Redis.from_url(servers.redis.url) as client:

        def poll(urls: list[str], *arguments: str) -> None:
            command = [sys.executable, "-m", module, *arguments]
            subprocess.run(command, cwd=PROJECT, env=environment, input="\n".join(urls), text=True, check=True)
            while client.hlen("dramatiq:default.msgs"):
                time.sleep(0.02)

        poll([], "--tables")
        with _RecipeWorkers(folder, environment, PROJECT) as workers:
            yield Run(poll=poll, group=workers.group)


@contextmanager
def newsboat(servers: Servers, folder: Path) -> Iterator[Run]:
    """Run newsboat, which has neither workers nor a server."""
    (folder / "config").write_text("auto-reload no\nreload-threads 8\nmax-items 0\n")

    def poll(urls: list[str]) -> None:
        (folder / "urls").write_text("\n".join(urls) + "\n")
        names = {"-u": "urls", "-c": "cache.db", "-C": "config"}
        options = [word for option, name in names.items() for word in (option, str(folder / name))]
        subprocess.run(["newsboat", "-q", *options, "-x", "reload"], check=True, capture_output=True)

    yield Run(poll=poll)


def has_newsboat() -> bool:
    return shutil.which("newsboat") is not None


class _WorkersOf(Workers):
    """The workers of any checkout."""

    def __init__(self, folder: Path, environment: dict[str, str], root: Path) -> None:
        super().__init__(folder, environment, processes=PROCESSES, threads=THREADS)
        self.start_in = root

    def command(self) -> list[str]:
        return [sys.executable, str(self.start_in / "manage.py"), "rundramatiq", *self._size]

    @property
    def group(self) -> int:
        assert self._process is not None
        return self._process.pid


class _RecipeWorkers(_WorkersOf):
    def command(self) -> list[str]:
        module = "tests.rigs.benchmarks.recipe.actors"
        return [sys.executable, "-m", "dramatiq", module, "--processes", str(PROCESSES), "--threads", str(THREADS)]
