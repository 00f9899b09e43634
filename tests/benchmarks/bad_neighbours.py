"""What feeds on bad servers cost those on good ones, with real workers: 2 processes of 8 threads.

    uv run python -m tests.benchmarks.bad_neighbours [--feeds 1000] [--latency 0.1]

Of the feeds 70 % are healthy, 10 % hang for ever, 10 % drip and 10 % fail. Measured is the time from the first request
until the last healthy feed is checked: alone, then with all others, never fetched before and once more when known.
"""

import argparse
import asyncio
import logging
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

from tests.acceptance.deployment import Deployment
from tests.servers.daemon import eventually
from tests.servers.memcached import Memcached
from tests.servers.postgresql import PostgreSQL
from tests.servers.redis_server import RedisServer
from tests.servers.samples import sample_feed
from tests.servers.workers import Workers

KINDS = ("healthy",) * 7 + ("hang", "drip", "fail")
PATIENCE = 600.0  # seconds for one phase
SLOW = 2.0  # seconds: feeds.lanes.QUICK


class Neighbourhood:
    """Serves all feeds from one thread: /kind/number."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self.first_request = 0.0  # monotonic; 0 = none yet
        self.port = 0

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
                await self._answer(head.split(b" ")[1].decode(), writer)
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
        await asyncio.sleep(self._latency)
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

    def __init__(self, deployment: Deployment, neighbourhood: Neighbourhood, folder: Path) -> None:
        self._deployment = deployment
        self._neighbourhood = neighbourhood
        self._folder = folder

    def measure(self, urls: list[str], healthy: int) -> float:
        """Send the feeds to fresh workers, and return the seconds until all healthy ones are checked."""
        with self._workers():
            since = self._deployment.rows("SELECT now()")[0][0]
            self._neighbourhood.first_request = 0.0
            self._deployment.send(urls)
            eventually(lambda: self._checked(since) == healthy, within=PATIENCE, what="the healthy feeds are checked")
            seconds = time.monotonic() - self._neighbourhood.first_request
            if len(urls) > healthy:
                bad = (len(urls) - healthy) * 2 // 3
                eventually(lambda: self._known_slow() >= bad, within=PATIENCE, what="the slow feeds are known")
        self._flush()
        return seconds

    def failures(self) -> int:
        """Return how many healthy feeds were charged with a failure."""
        query = "SELECT count(*) FROM feeds_feed WHERE url LIKE '%/healthy/%' AND error_count > 0"
        return int(self._deployment.rows(query)[0][0])

    @contextmanager
    def _workers(self) -> Iterator[None]:
        self._folder.mkdir(exist_ok=True)
        with Workers(self._folder, self._deployment.environment, processes=2, threads=8):
            yield

    def _checked(self, since: object) -> int:
        query = f"SELECT count(*) FROM feeds_feed WHERE url LIKE '%/healthy/%' AND checked_at > '{since}'"
        return int(self._deployment.rows(query)[0][0])

    def _known_slow(self) -> int:
        return int(self._deployment.rows(f"SELECT count(*) FROM feeds_feed WHERE fetch_seconds >= {SLOW}")[0][0])

    def _flush(self) -> None:
        with redis.Redis.from_url(self._deployment.broker_url) as client:
            client.flushdb()


def main() -> None:
    options = _parser().parse_args()
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # feeds that hang are still there at the end
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="feeds-", dir="/tmp")))
        folder.chmod(0o755)
        postgresql, broker, memcached = (
            stack.enter_context(kind(_new(folder, kind.__name__))) for kind in (PostgreSQL, RedisServer, Memcached)
        )
        neighbourhood = stack.enter_context(Neighbourhood(options.latency))

        def street(name: str) -> Street:
            deployment = Deployment(
                database_url=postgresql.url(postgresql.create_database()),
                broker_url=broker.url,
                memcached_url=memcached.location,
                extra_environment={"FEEDS_LOG_LEVEL": "WARNING"},
            )
            deployment.manage("migrate", "--verbosity", "0")
            return Street(deployment, neighbourhood, folder / name)

        urls = [neighbourhood.url(KINDS[number % len(KINDS)], number) for number in range(options.feeds)]
        healthy = [url for url in urls if "/healthy/" in url]
        alone, mixed = street("alone"), street("mixed")
        for phase in ("never fetched before", "known"):
            by_themselves = alone.measure(healthy, len(healthy))
            among_others = mixed.measure(urls, len(healthy))
            print(
                f"{phase}: {len(healthy)} healthy feeds alone {by_themselves:.1f} s, "
                f"among {len(urls)} {among_others:.1f} s: {among_others / by_themselves:.2f} times; "
                f"{mixed.failures()} of them charged with a failure",
                flush=True,
            )


def _new(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir()
    path.chmod(0o777)
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--feeds", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=0.1, metavar="SECONDS", help="of each answer")
    return parser


if __name__ == "__main__":
    main()
