"""What feeds on bad servers cost those on good ones, with real workers: 2 processes of 8 threads.

    uv run python -m tests.rigs.benchmarks.bad_neighbours [--feeds 1000] [--mix bad]

Measured is the time from the first request until the last honest feed is checked: alone, then with all others; never
fetched before, once more at once, and when all slow ones are known. An honest feed that was cut comes back half a
minute later; it is counted, and not waited for. The mixes: `bad`, of which 70 % answer in 0.1 s, 10 % hang for ever,
10 % drip and 10 % fail; `late`, of which 70 % answer in 10 to 50 ms, 20 % in 0.5 to 1 s, and 10 % hang.
"""

import argparse
import asyncio
import logging
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis

from tests.acceptance.deployment import Deployment
from tests.rigs.servers.daemon import new_folder
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.postgresql import PostgreSQL
from tests.rigs.servers.redis_server import RedisServer
from tests.rigs.servers.samples import sample_feed
from tests.rigs.servers.workers import Workers

MIXES = {
    "bad": ("healthy",) * 7 + ("hang", "drip", "fail"),
    "late": ("prompt",) * 7 + ("late",) * 2 + ("hang",),
}
HONEST = ("healthy", "prompt", "late")
LATENCIES = {"healthy": (0.1, 0.1), "fail": (0.1, 0.1), "prompt": (0.01, 0.05), "late": (0.5, 1.0)}  # seconds
CUT = "checked_at IS NULL AND fetch_seconds IS NOT NULL"
LONGEST = 180.0  # seconds for one phase


class Neighbourhood:
    """Serves all feeds from one thread: /kind/number."""

    def __init__(self) -> None:
        self.port = 0
        self.first_request = 0.0  # monotonic; 0 = none yet

    def __enter__(self) -> "Neighbourhood":
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def url(self, kind: str, number: int) -> str:
        return f"http://127.0.0.1:{self.port}/{kind}/{number}"

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.first_request = self.first_request or time.monotonic()
                target = head.split(b" ")[1].decode()
                await self._answer(target, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            writer.close()

    async def _answer(self, target: str, writer: asyncio.StreamWriter) -> None:
        _, kind, number = target.split("/")
        if kind == "hang":
            await asyncio.Event().wait()
        if kind == "drip":
            await self._drip(writer)
        await asyncio.sleep(random.Random(target).uniform(*LATENCIES[kind]))
        status, body = ("500 Trouble", b"") if kind == "fail" else ("200 OK", sample_feed(number, kind="atom"))
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()

    @staticmethod
    async def _drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.5)


class Street:
    """One installation with its workers."""

    def __init__(
        self, deployment: Deployment, memcached: Memcached, neighbourhood: Neighbourhood, folder: Path
    ) -> None:
        self._deployment = deployment
        self._memcached = memcached
        self._neighbourhood = neighbourhood
        self._folder = folder
        self._database = psycopg.connect(deployment.database_url, autocommit=True)

    def measure(self, urls: list[str], honest: list[str]) -> tuple[float, float]:
        """Send the feeds to fresh workers; return the seconds until all honest ones are checked, and of processors."""
        self._neighbourhood.first_request = 0.0
        with self._workers() as workers:
            since = self._value("SELECT now()")
            self._deployment.send(urls)
            wait_until(lambda: self._count(honest, f"checked_at > '{since}' OR {CUT}") == len(honest))
            seconds = time.monotonic() - self._neighbourhood.first_request
            used = sum(processor_seconds(pid) for pid in workers.pids())
        self._flush()
        return seconds, used

    def learn(self) -> None:
        """Let all slow feeds be known, as they are when each has been fetched with a permit."""
        self._database.execute(
            "UPDATE feeds_feed SET fetch_seconds = 60, checked_at = now() WHERE url ~ '/(hang|drip)/'"
        )

    def cut(self, urls: list[str]) -> int:
        """Return how many of the feeds have been asked, cut, and not been asked again."""
        return self._count(urls, CUT)

    def failed(self, urls: list[str]) -> int:
        """Return how many of the feeds have failed."""
        return self._count(urls, "error_count > 0")

    def _count(self, urls: list[str], condition: str) -> int:
        return int(self._value(f"SELECT count(*) FROM feeds_feed WHERE url = ANY(%s) AND ({condition})", urls))

    def _value(self, query: str, *values: object) -> Any:
        row = self._database.execute(query, values).fetchone()
        assert row is not None
        return row[0]

    @contextmanager
    def _workers(self) -> Iterator[Workers]:
        self._folder.mkdir(exist_ok=True)
        with Workers(self._folder, self._deployment.environment, processes=2, threads=8) as workers:
            yield workers

    def _flush(self) -> None:
        """Forget what the killed workers left: messages, and locks."""
        self._memcached.flush()
        with redis.Redis.from_url(self._deployment.broker_url) as client:
            client.flushdb()


def wait_until(check: Callable[[], bool]) -> None:
    """Ask ten times a second: more often would take the workers' processors."""
    deadline = time.monotonic() + LONGEST
    while not check():
        assert time.monotonic() < deadline, "the honest feeds are not checked"
        time.sleep(0.1)


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    options = _parser().parse_args()
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # feeds that hang are still there at the end
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="feeds-", dir="/tmp")))
        folder.chmod(0o755)
        postgresql, broker, memcached = (
            stack.enter_context(kind(new_folder(folder, kind.__name__)))
            for kind in (PostgreSQL, RedisServer, Memcached)
        )
        neighbourhood = stack.enter_context(Neighbourhood())

        def street(name: str) -> Street:
            deployment = Deployment(
                database_url=postgresql.url(postgresql.create_database()),
                broker_url=broker.url,
                memcached_url=memcached.location,
                extra_environment={"FEEDS_LOG_LEVEL": "WARNING"},
            )
            deployment.manage("migrate", "--verbosity", "0")
            return Street(deployment, memcached, neighbourhood, folder / name)

        mix = MIXES[options.mix]
        urls = [neighbourhood.url(mix[number % len(mix)], number) for number in range(options.feeds)]
        honest = [url for url in urls if url.split("/")[3] in HONEST]
        alone, mixed = street("alone"), street("mixed")
        for phase in ("never fetched", "once more", "known"):
            if phase == "known":
                mixed.learn()
            by_themselves, used_alone = alone.measure(honest, honest)
            among_others, used = mixed.measure(urls, honest)
            print(
                f"{phase}: {len(honest)} honest feeds alone {by_themselves:.1f} s (processors {used_alone:.1f} s), "
                f"among {len(urls)} {among_others:.1f} s ({used:.1f} s): {among_others / by_themselves:.2f} times; "
                f"{mixed.cut(honest)} of them cut, {mixed.failed(honest)} failed",
                flush=True,
            )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--feeds", type=int, default=1000)
    parser.add_argument("--mix", choices=MIXES, default="bad")
    return parser


if __name__ == "__main__":
    main()
