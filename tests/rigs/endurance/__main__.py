"""A mixed day with faults: nothing lost, nothing doubled, one at a time, and memory flat.

    uv run python -m tests.rigs.endurance [--minutes 60] [--feeds 2000] [--rate 40]

Two workers of 8 threads on one set of servers; one of them is looked at. So many messages a second are sent, each
twentieth twice. Of the feeds' answers 85 of 100 bring nothing new, 10 a new entry, and 5 are failures of seven kinds,
time-outs among them. Nine times in a run, in turns, the other worker is killed with kill -9 and started again,
memcached is restarted, Redis is restarted. In the end the servers fail no more, and each feed is sent once more. Then
it must hold:

- each message was followed by a request, or met one that was under way;
- the entries of each feed are those that its server has told, each once;
- no two requests for a feed were open at once, but within a lock's life after memcached had forgotten the locks;
- after the first ten minutes (of a short run: two fifths) memory stays within 5 %, and nothing else grows.

Exits with 1 where it does not.
"""

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import django
import psycopg
import redis

from tests.acceptance.deployment import Deployment
from tests.rigs.endurance import samples
from tests.rigs.endurance.samples import Sample
from tests.rigs.endurance.server import DayServer
from tests.rigs.servers.daemon import new_folder
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.postgresql import PostgreSQL
from tests.rigs.servers.redis_server import RedisServer
from tests.rigs.servers.workers import Workers

EVERY = 10.0  # seconds from one sample to the next
FAULTS = 9
TWICE = 0.05  # of the messages are sent twice
BACKLOG = 400  # messages that may wait; while there are more, none is sent
LOCK = 60  # seconds
GRACE = 10.0  # seconds for which an import may go on after its request has ended
PATIENCE = 600.0  # seconds for what is left in the end: a dead worker's messages wait for its locks
DUE = 60.0  # seconds from one message to the scheduler to the next

SETTINGS = {
    "FEEDS_LOCK_EXPIRE": str(LOCK),
    "FEEDS_TIME_LIMIT": "30",
    "FEEDS_PARSE_LIMIT": "10",
    "FEEDS_FETCH_DEADLINE": "5",
    "FEEDS_SLOW_FETCHES": "8",  # so that no feed is put off for minutes
    "FEEDS_LOG_LEVEL": "WARNING",
}


class LastingRedis(RedisServer):
    """A Redis that keeps its messages when it is restarted."""

    def command(self) -> list[str]:
        return [*super().command(), "--appendonly", "yes"]


@dataclass(slots=True)
class Day:
    """The servers, the workers, and what was sent to them."""

    server: DayServer
    postgresql: PostgreSQL
    broker: RedisServer
    memcached: Memcached
    deployment: Deployment
    watched: Workers
    other: Workers
    urls: list[str]
    sent: dict[str, float] = field(default_factory=dict)  # when each URL was sent last
    messages: int = 0
    samples: list[Sample] = field(default_factory=list)
    forgotten: list[float] = field(default_factory=list)  # when memcached was restarted
    began: float = field(default_factory=time.time)
    restart: threading.Thread | None = None

    def live(self, minutes: float, rate: float) -> None:
        """Send, disturb and look, until the time is over."""
        ends, rng = self.began + 60 * minutes, random.Random(2)
        faults = iter([(self.began + 60 * minutes * (1 + number) / (FAULTS + 1), number) for number in range(FAULTS)])
        fault, look, due, at = next(faults, None), self.began, self.began, self.began
        while (now := time.time()) < ends:
            if now >= look:
                self.look()
                look += EVERY
            if fault and now >= fault[0]:
                self.disturb(fault[1])
                fault = next(faults, None)
            if now >= due:
                self.send_due()
                due += DUE
            while at <= time.time():
                at += 1 / rate
                if self.queued() < BACKLOG:
                    self.send(self.urls[self.messages % len(self.urls)], twice=rng.random() < TWICE)
            time.sleep(0.05)
        self.wait_for_worker()

    def send(self, url: str, *, twice: bool = False) -> None:
        from feeds.tasks import import_feed

        self.messages += 1
        self.sent[url] = time.time()
        for _ in range(1 + twice):
            again(partial(import_feed.send, url))

    def send_due(self) -> None:
        from feeds.tasks import import_due_feeds

        again(import_due_feeds.send)

    def disturb(self, number: int) -> None:
        names: list[Callable[[], None]] = [self.kill_worker, self.restart_memcached, self.restart_redis]
        names[number % len(names)]()
        print(f"{(time.time() - self.began) / 60:8.1f} {names[number % len(names)].__name__}", flush=True)

    def kill_worker(self) -> None:
        self.wait_for_worker()
        self.other.kill()
        self.restart = threading.Thread(target=self.other.start)  # life goes on meanwhile
        self.restart.start()

    def wait_for_worker(self) -> None:
        if self.restart is not None:
            self.restart.join()

    def restart_memcached(self) -> None:
        self.memcached.kill()
        self.memcached.start()
        self.forgotten.append(time.time())

    def restart_redis(self) -> None:
        self.broker.kill()
        self.broker.start()

    def queued(self) -> int:
        with redis.Redis.from_url(self.broker.url) as client:
            queues = ("feeds", "feeds.DQ", "feeds_scheduled", "feeds_scheduled.DQ")
            return sum(int(client.hlen(f"dramatiq:{queue}.msgs")) for queue in queues)

    def look(self) -> None:
        ((connections,),) = self.rows("SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()")
        memory, threads, files = samples.held(self.watched.pids()[0])
        others = [samples.held(pid)[0] for pid in self.other.pids()]  # none while it starts
        self.samples.append(
            Sample(
                at=time.time() - self.began,
                answers=sum(self.server.state()["answers"].values()),
                queued=self.queued(),
                memory=memory,
                threads=threads,
                files=files,
                others=sum(others),
                connections=connections,
            )
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.deployment.database_url) as connection:
            return connection.execute(query).fetchall()

    # The end

    def settle(self) -> None:
        """Wait until no message is left, and no feed is claimed by the schedule."""
        until = time.monotonic() + PATIENCE
        while self.queued() and time.monotonic() < until:
            time.sleep(0.5)
        if left := self.queued():
            print(f"{left} messages are left after {PATIENCE:.0f} s")

    def unanswered(self) -> list[str]:
        """Say which feeds were not asked for after their last message was sent."""
        feeds = self.server.state()["feeds"]
        late = {url for url, sent in self.sent.items() if feeds.get(_path(url), {"last": 0.0})["last"] < sent - GRACE}
        return [f"{len(late)} feeds were sent and not asked for, such as {min(late)}"] if late else []

    def wrong_entries(self) -> list[str]:
        """Say of which feeds the entries are not what the server has told."""
        stored: dict[str, list[str]] = {}
        for url, guid in self.rows(
            "SELECT feeds_feed.url, guid FROM feeds_entry JOIN feeds_feed ON feeds_feed.id = feed_id"
        ):
            stored.setdefault(_path(url), []).append(guid)
        problems = []
        for path, told in self.server.state()["feeds"].items():
            expected = {f"urn:{path}:{number}" for number in range(told["entries"])}
            found = stored.get(path, [])
            if sorted(found) != sorted(expected):
                lost, doubled = len(expected - set(found)), len(found) - len(set(found))
                problems.append(f"feed {path}: {lost} of {len(expected)} entries lost, {doubled} doubled")
        return problems

    def overlaps(self) -> tuple[list[float], list[float]]:
        """Return when two requests for a feed were open at once, and when so after memcached had lost the lock."""
        times = [at for told in self.server.state()["feeds"].values() for at in told["overlaps"]]
        excused = [at for at in times if any(0 <= at - forgotten + GRACE <= LOCK for forgotten in self.forgotten)]
        return [at for at in times if at not in excused], excused


def again(do: Callable[[], object]) -> None:
    """Do until the broker is there."""
    while True:
        try:
            do()
        except Exception as error:
            if type(error).__name__ not in ("ConnectionClosed", "ConnectionError", "BusyLoadingError"):
                raise
            time.sleep(0.2)
        else:
            return


def _path(url: str) -> str:
    return url.rpartition("/")[2]


@contextmanager
def started(count: int) -> Iterator[Day]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="feeds-", dir="/tmp")))
        folder.chmod(0o755)

        postgresql, broker, memcached, server = (
            stack.enter_context(kind(new_folder(folder, kind.name)))
            for kind in (PostgreSQL, LastingRedis, Memcached, DayServer)
        )
        deployment = Deployment(
            database_url=postgresql.url(postgresql.create_database()),
            broker_url=broker.url,
            memcached_url=memcached.location,
            extra_environment=SETTINGS,
        )
        deployment.manage("migrate", "--verbosity", "0")
        os.environ |= deployment.environment | {"DJANGO_SETTINGS_MODULE": "feeds_project.settings"}
        django.setup()
        watched, other = (
            stack.enter_context(Workers(new_folder(folder, name), deployment.environment, processes=1, threads=8))
            for name in ("watched", "other")
        )
        yield Day(server, postgresql, broker, memcached, deployment, watched, other, server.urls(count))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--feeds", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=40.0, help="messages a second")
    options = parser.parse_args()
    with started(options.feeds) as day:
        day.live(options.minutes, options.rate)
        day.look()
        day.settle()
        problems = day.unanswered()
        day.server.calm()
        for url in day.urls:
            day.send(url)
        day.settle()
        problems += day.wrong_entries()[:5]
        overlaps, excused = day.overlaps()
        problems += [f"{len(overlaps)} requests met another one for the same feed"] if overlaps else []
        print(samples.table(day.samples))
        print(f"{day.messages} messages, {day.deployment.entries()} entries; answers {day.server.state()['answers']}")
        print(f"{len(excused)} requests met another one after memcached had been restarted")
        problems += samples.problems(day.samples, min(600.0, 24 * options.minutes))
    print(*(problems or ["holds"]), sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
