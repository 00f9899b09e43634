"""The app on every pair of the versions, databases, brokers and ways to start workers that it promises to run on.

`python -m tests.rigs.matrix [--all] [--python 3.14 …]` prints a line for each combination that was tried, and fails
where one does. `--all`: every combination and not only every pair. Each has an environment of its own, made by uv, real
servers and real workers: feeds are imported by `import_feeds --wait`, one of them by a child that parses, and then once
more, which must change nothing. Nothing may be asked for twice at once.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.acceptance.deployment import Deployment
from tests.rigs.lowest import PROJECT, uv
from tests.rigs.servers.counting import CountingServer
from tests.rigs.servers.daemon import Daemon
from tests.rigs.servers.feed_server import Received, answer
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.postgresql import PostgreSQL
from tests.rigs.servers.rabbitmq import RabbitMQ
from tests.rigs.servers.redis_server import RedisServer
from tests.rigs.servers.workers import Workers

PYTHONS = ("3.11", "3.13")
DJANGOS = {"5.2": "django>=5.2,<5.3", "6.1": "django>=6.1,<6.2"}
NEWEST_OF_311 = "5.2"  # Django 6 needs Python 3.12
STARTS = {"fork": [], "spawn": ["--use-spawn"], "gevent": ["--use-gevent"]}
FEEDS = 12
TIMEOUT = 600  # seconds for a command: a busy machine is slow
BROKEN = b'<rss version="2.0"><channel><title>t</title><item><title>By a child & <b</title></item></channel></rss>'


class Row(NamedTuple):
    python: str
    django: str
    database: str
    broker: str
    start: str  # of the workers; "-" where there are none


def combinations(pythons: list[str]) -> list[Row]:
    """Return all combinations that there can be."""
    networked = itertools.product(pythons, DJANGOS, ("SQLite", "PostgreSQL"), ("Redis", "RabbitMQ"), STARTS)
    embedded = itertools.product(pythons, DJANGOS, ("SQLite", "PostgreSQL"), ("StubBroker",), ("-",))
    rows = [Row(*values) for values in itertools.chain(networked, embedded)]
    return [row for row in rows if row.python != "3.11" or row.django == NEWEST_OF_311]


def pairwise(rows: list[Row]) -> list[Row]:
    """Return few of the rows, such that every pair of values that is in any of them is in one of these."""
    open_pairs, chosen = {pair for row in rows for pair in _pairs(row)}, []
    while open_pairs:
        best = max(rows, key=lambda row: len(open_pairs & set(_pairs(row))))
        open_pairs -= set(_pairs(best))
        chosen.append(best)
    return sorted(chosen)


def _pairs(row: Row) -> Iterator[tuple[tuple[int, str], tuple[int, str]]]:
    return itertools.combinations(enumerate(row), 2)


class WorkersOf(Workers):
    """Workers of another Python."""

    def __init__(self, folder: Path, environment: dict[str, str], python: Path, start: list[str]) -> None:
        super().__init__(folder, environment, processes=2, threads=4)
        self._python, self._start = python, start

    def command(self) -> list[str]:
        return [str(self._python), *super().command()[1:], *self._start]


class Feeds(CountingServer):
    """Sample feeds, and one that a child has to read."""

    def handler(self, request: Received) -> bytes:
        return answer(200, BROKEN) if request.target == "/broken" else super().handler(request)


class Matrix:
    """The servers that all combinations share, and their environments, each made when it is needed first."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._servers: dict[str, Daemon] = {}
        self._numbers = itertools.count()

    def play(self, row: Row) -> None:
        """Try a combination; raise what is wrong."""
        python, folder = self._python(row), self.folder / f"row-{next(self._numbers)}"
        folder.mkdir()
        with ExitStack() as stack:
            feeds = stack.enter_context(Feeds())
            environment = Deployment(**self._places(row, folder)).environment | {
                "PATH": f"{python.parent}:/usr/bin:/bin"
            }
            self._manage(python, environment, "migrate", "--verbosity", "0")
            if row.start != "-":
                stack.enter_context(WorkersOf(folder, environment, python, STARTS[row.start]))
            urls = [*(feeds.url(f"feed-{number}") for number in range(FEEDS)), feeds.url("broken")]
            for outcome in ("imported", "unchanged"):
                output = self._manage(python, environment, "import_feeds", "--wait", *urls)
                assert f"{len(urls)} {outcome}" in " ".join(output.split()), output
            assert max(feeds.peak.values()) == 1, feeds.peak
            assert set(feeds.requests.values()) == {2}, feeds.requests

    def _places(self, row: Row, folder: Path) -> dict[str, str]:
        places = {"database_url": f"sqlite:///{folder / 'feeds.sqlite3'}"}
        if row.database == "PostgreSQL":
            server = self._server(PostgreSQL)
            places["database_url"] = server.url(server.create_database())
        if row.start != "-":
            places["broker_url"] = self._server({"Redis": RedisServer, "RabbitMQ": RabbitMQ}[row.broker]).url
            places["memcached_url"] = self._server(Memcached).location
        return places

    def _server(self, kind: type[Daemon]) -> Daemon:
        if kind.name not in self._servers:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="feeds-", dir="/tmp")))
            folder.chmod(0o755)  # PostgreSQL runs as another user
            self._servers[kind.name] = self._stack.enter_context(kind(folder))
        return self._servers[kind.name]

    def _python(self, row: Row) -> Path:
        name = f"{row.python}-{row.django}"
        python = self.folder / name / "bin" / "python"
        if not python.exists():
            uv(self.folder, "venv", "--python", row.python, name)
            what = ["--editable", str(PROJECT), DJANGOS[row.django], "gevent", "pytest"]
            uv(self.folder, "pip", "install", "--python", str(python), *what)
        return python

    def _manage(self, python: Path, environment: dict[str, str], *arguments: str) -> str:
        done = subprocess.run(
            [python, PROJECT / "manage.py", *arguments],
            cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every combination")
    parser.add_argument("--python", nargs="+", default=list(PYTHONS), help="versions that uv finds")
    given = parser.parse_args()
    rows = combinations(given.python)
    failed = 0
    with ExitStack() as stack:
        matrix = Matrix(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="feeds-matrix-"))), stack)
        for row in rows if given.all else pairwise(rows):
            began, problem = time.monotonic(), ""
            try:
                matrix.play(row)
            except (Exception, pytest.fail.Exception) as error:
                failed, problem = failed + 1, str(error)
            print(
                "  ".join(
                    [
                        *(f"{value:10}" for value in row),
                        f"{time.monotonic() - began:4.0f} s",
                        "failed" if problem else "ok",
                    ]
                ),
                flush=True,
            )
            print(problem, end="\n" if problem else "", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
