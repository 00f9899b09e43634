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
from typing import Any

import psycopg
import redis

from tests.rigs.servers import processes
from tests.rigs.servers.daemon import Daemon, new_folder
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.nginx import Nginx
from tests.rigs.servers.postgresql import PostgreSQL
from tests.rigs.servers.redis_server import RedisServer
from tests.rigs.servers.workers import PROJECT, Workers

PROCESSES, THREADS = 2, 8
MEMORY = ("shared_buffers=1GB",)

SEND = """
import sys
from feeds.tasks import import_feed
for url in sys.stdin.read().split():
    import_feed.send(url)
"""
SIZES = """
SELECT pg_total_relation_size('feeds_feed'), (SELECT count(*) FROM feeds_feed),
       pg_total_relation_size('feeds_entry'), (SELECT count(*) FROM feeds_entry)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    nginx: Nginx
    postgresql: PostgreSQL
    redis: RedisServer
    memcached: Memcached

    @classmethod
    @contextmanager
    def running(cls, folder: Path, settings: tuple[str, ...] = ()) -> Iterator["Servers"]:
        """`settings` are PostgreSQL's, besides its memory."""
        kinds: dict[str, type[Daemon]] = {
            "nginx": Nginx,
            "postgresql": PostgreSQL,
            "redis": RedisServer,
            "memcached": Memcached,
        }
        daemons: dict[str, Any] = {name: kind(new_folder(folder, name)) for name, kind in kinds.items()}
        daemons["postgresql"].settings = (*MEMORY, *settings)
        with ExitStack() as stack:
            yield cls(**{name: stack.enter_context(daemon) for name, daemon in daemons.items()})

    def full_database(self, feeds: int, entries: int) -> str:
        """Make a database with our tables in which so much is stored, and return its name."""
        database = self.postgresql.create_database()
        environment = os.environ | {
            "DATABASE_URL": self.postgresql.url(database),
            "DJANGO_SETTINGS_MODULE": "feeds_project.settings",
        }
        filling = ["-m", "tests.rigs.benchmarks.stored", "--feeds", str(feeds), "--entries", str(entries)]
        for command in (["manage.py", "migrate", "--verbosity", "0"], filling):
            subprocess.run([sys.executable, *command], cwd=PROJECT, env=environment, check=True)
        return database

    @contextmanager
    def environment(self, template: str = "template1") -> Iterator[dict[str, str]]:
        """Give a database like the template, and an empty broker."""
        database = self.postgresql.create_database(template, large=template != "template1")
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
    """A contestant at work. `groups` are the process groups of its workers."""

    poll: Callable[[list[str]], None]
    send: Callable[[list[str]], None] | None = None  # with a message for each URL, be they equal; None = it cannot
    sizes: Callable[[], tuple[int, ...]] | None = None  # bytes of the feeds, feeds, bytes of the entries, entries
    groups: tuple[int, ...] = ()
    seconds: float = field(default=0.0, init=False)
    processor: float = field(default=0.0, init=False)  # seconds of the workers

    def measure(self, urls: list[str], poll: Callable[[list[str]], None]) -> None:
        before, started = self._processor_seconds(), time.perf_counter()
        poll(urls)
        self.seconds = time.perf_counter() - started
        self.processor = self._processor_seconds() - before

    def peak_memory(self) -> int:
        return max((processes.memory(pid) for group in self.groups for pid in processes.members(group)), default=0)

    def _processor_seconds(self) -> float:
        return sum(map(processes.processor_seconds, self.groups))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """The project of a checkout: `import_feeds --wait` for each poll, and workers; `hosts`: processes of each host."""

    root: Path = PROJECT
    python: str = sys.executable
    hosts: tuple[int, ...] = (PROCESSES,)
    template: str = "template1"

    @contextmanager
    def __call__(self, servers: Servers, folder: Path) -> Iterator[Run]:
        with servers.environment(self.template) as environment, ExitStack() as stack:

            def poll(urls: list[str]) -> None:
                (folder / "urls.txt").write_text("\n".join(urls))
                self.manage(environment, "import_feeds", "--wait", str(folder / "urls.txt"))

            def send(urls: list[str]) -> None:
                self.manage(environment, "shell", "-c", SEND, given="\n".join(urls))
                wait_for(servers, "feeds")

            def sizes() -> tuple[int, ...]:
                with psycopg.connect(environment["DATABASE_URL"]) as connection:
                    return connection.execute(SIZES).fetchone() or ()

            self.manage(environment, "migrate", "--verbosity", "0")
            workers = [
                stack.enter_context(
                    _WorkersOf(new_folder(folder, f"host-{number}"), environment, processes, self.root, self.python)
                )
                for number, processes in enumerate(self.hosts)
            ]
            yield Run(poll=poll, send=send, sizes=sizes, groups=tuple(each.group for each in workers))

    def manage(self, environment: dict[str, str], *arguments: str, given: str = "") -> None:
        command = [self.python, str(self.root / "manage.py"), *arguments]
        done = subprocess.run(
            command, cwd=self.root, env=environment, input=given, capture_output=True, text=True, check=False
        )
        if done.returncode > 1:  # 1: some feeds failed, as they should
            sys.exit(f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


@contextmanager
def recipe(servers: Servers, folder: Path) -> Iterator[Run]:
    """Run the recipe; a poll is over when no message is left."""
    module = "tests.rigs.benchmarks.recipe.actors"
    with servers.environment() as environment:

        def poll(urls: list[str], *arguments: str) -> None:
            command = [sys.executable, "-m", module, *arguments]
            subprocess.run(command, cwd=PROJECT, env=environment, input="\n".join(urls), text=True, check=True)
            wait_for(servers, "default")

        poll([], "--tables")
        with _RecipeWorkers(folder, environment, PROCESSES) as workers:
            yield Run(poll=poll, send=poll, groups=(workers.group,))


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


def wait_for(servers: Servers, queue: str) -> None:
    """Wait until no message is left, be it due, delayed or being worked on."""
    with redis.Redis.from_url(servers.redis.url) as client:
        while any(client.hlen(f"dramatiq:{queue}{kind}.msgs") for kind in ("", ".DQ")):
            time.sleep(0.02)


class _WorkersOf(Workers):
    """The workers of any checkout."""

    def __init__(
        self,
        folder: Path,
        environment: dict[str, str],
        processes: int,
        root: Path = PROJECT,
        python: str = sys.executable,
    ) -> None:
        super().__init__(folder, environment, processes=processes, threads=THREADS)
        self.start_in = root
        self._python = python

    def command(self) -> list[str]:
        return [self._python, str(self.start_in / "manage.py"), "rundramatiq", *self._size]

    @property
    def group(self) -> int:
        assert self._process is not None
        return self._process.pid


class _RecipeWorkers(_WorkersOf):
    def command(self) -> list[str]:
        module = "tests.rigs.benchmarks.recipe.actors"
        return [sys.executable, "-m", "dramatiq", module, "--processes", str(PROCESSES), "--threads", str(THREADS)]
