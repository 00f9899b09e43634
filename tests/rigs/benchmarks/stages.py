"""Where an import's time goes: processor milliseconds for a feed by stage, and round trips to the servers.

    uv run python -m tests.rigs.benchmarks.stages [FOLDER] [--feeds 500] [--rounds 3] [--threads 8]

One worker in this process works off each poll of `tests.rigs.benchmarks`. Every stage is measured by its
thread's own processor time, in the importer and the lock that the worker uses, so other work on the machine counts less
than in seconds. "queue" is what else the process did: Dramatiq's threads, the messages. "children" parse documents that
are not small and plain. What part of parsing is sanitizing is measured afterwards, on the same HTML of every tenth
document. Round trips are what the servers counted; the consumers' own looks at Redis are among them.
"""

import argparse
import logging
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import django
import redis

from tests.rigs.benchmarks import contestants
from tests.rigs.benchmarks.contestants import PROJECT, THREADS, Servers
from tests.rigs.benchmarks.site import CHANGED, FAILING, FIRST, PLAIN, UNCHANGED, Site, documents
from tests.rigs.servers import processes
from tests.rigs.servers.daemon import ask

POLLS = (FIRST, CHANGED, UNCHANGED, PLAIN, FAILING)
STAGES = ("queue", "lock", "load", "admission", "fetch", "parse", "plan and store", "log", "children")
BESIDE = ("of these: sanitize", "to send it", "queries", "memcached", "Redis")
SAMPLE = 10  # of so many documents one is parsed again, to measure the sanitizer

Table = dict[str, dict[str, list[float]]]  # poll, row, a figure for each round


class Stopwatch:
    """Processor seconds by stage. What a stage does within another one counts for itself only."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._mutex = threading.Lock()
        self._local = threading.local()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began, outer = time.thread_time(), getattr(self._local, "inner", 0.0)
        self._local.inner = 0.0
        try:
            yield
        finally:
            took = time.thread_time() - began
            with self._mutex:
                self.seconds[name] += took - self._local.inner
            self._local.inner = outer + took

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            with self.stage(name):
                return function(*arguments, **options)

        return call


class Bench:
    """The worker, and what it used between two looks."""

    def __init__(self, servers: Servers, watch: Stopwatch, threads: int) -> None:
        import dramatiq

        from feeds.conf import feeds_settings

        self._servers = servers
        self._watch = watch
        self._others = set(processes.children(os.getpid()))  # the servers
        self.parsed: list[tuple[Any, ...]] = []  # what the parser was given
        settings = feeds_settings()
        _replace_importer(watch, self.parsed)
        broker = dramatiq.get_broker()
        _time_lock(watch, broker)
        self._worker = dramatiq.Worker(broker, queues={settings.queue, f"{settings.queue}.DQ"}, worker_threads=threads)
        self._worker.start()

    def poll(self, urls: list[str]) -> dict[str, float]:
        """Import the feeds; return the figures for each."""
        from feeds import storage, tasks
        from feeds.storage import Subscription

        self._worker.pause()
        began = time.thread_time()
        storage.register(Subscription(url=url) for url in urls)
        for url in urls:
            tasks.send(url)
        to_send = time.thread_time() - began
        self.parsed.clear()
        self._watch.seconds.clear()
        before, own = self._look(), time.process_time() - time.thread_time()
        self._worker.resume()
        contestants.wait_for(self._servers, "feeds")
        used = time.process_time() - time.thread_time() - own
        spent = {name: after - before[name] for name, after in self._look().items()}
        stages = dict(self._watch.seconds)
        seconds = stages | {
            "queue": used - sum(stages.values()),
            "children": spent.pop("children"),
            "to send it": to_send,
            "of these: sanitize": sanitizing(self.parsed[::SAMPLE]) * SAMPLE,
        }
        figures = {name: 1000 * each for name, each in seconds.items()} | spent
        return {name: each / len(urls) for name, each in figures.items()}

    def stop(self) -> None:
        self._worker.stop()

    def _look(self) -> dict[str, float]:
        with self._servers.postgresql.log.open("rb") as log:  # it is large, for it holds all that was stored
            queries = sum(b"LOG:  statement:" in line or b"LOG:  execute " in line for line in log)
        stats = ask(self._servers.memcached.port, b"stats\r\n").decode().split("\r\n")
        counts = {words[1]: words[2] for line in stats if len(words := line.split()) == 3}
        questions = ("cmd_get", "cmd_set", "cmd_touch", "cmd_meta", "delete_hits", "delete_misses")
        with redis.Redis.from_url(self._servers.redis.url) as client:
            commands = client.info("commandstats")  # Dramatiq sends scripts only
        return {
            "queries": queries,
            "memcached": sum(int(counts[name]) for name in questions),
            "Redis": sum(commands.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha")),
            "children": sum(map(processes.seconds_of, set(processes.children(os.getpid())) - self._others)),
        }


def _replace_importer(watch: Stopwatch, parsed: list[tuple[Any, ...]]) -> None:
    """Let this process's importer be one that is timed."""
    from django.apps import apps

    from feeds.conf import feeds_settings
    from feeds.importer import Importer

    class TimedImporter(Importer):
        def __init__(self) -> None:
            super().__init__(feeds_settings())
            self._fetcher = SimpleNamespace(fetch=watch.timed("fetch", self._fetcher.fetch))
            self._admission = SimpleNamespace(ask=watch.timed("admission", self._admission.ask))
            parser = self._parser
            parse = watch.timed("parse", parser.parse)

            def noted(document: Any, seen: Any, **options: Any) -> Any:
                parsed.append((document, seen))
                return parse(document, seen, **options)

            self._parser = SimpleNamespace(parse=noted, close=parser.close)

        run = watch.timed("log", Importer.run)
        _attempt = watch.timed("load", Importer._attempt)
        _store = watch.timed("plan and store", Importer._store)

    apps.get_app_config("feeds")._importer = TimedImporter()


def _time_lock(watch: Stopwatch, broker: Any) -> None:
    from feeds.locking import LockMiddleware

    (lock,) = (each for each in broker.middleware if isinstance(each, LockMiddleware))
    for name in ("before_process_message", "after_process_message"):
        setattr(lock, name, watch.timed("lock", getattr(lock, name)))


def sanitizing(parsed: list[tuple[Any, ...]]) -> float:
    """Return the processor seconds that the HTML of these documents takes: found by a profile, measured without."""
    from feeds.parsing import parser, sanitizer

    calls: list[dict[str, Any]] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code is sanitizer.clean_html.__code__:
            calls.append(dict(frame.f_locals))

    sys.setprofile(note)
    try:
        for document, seen in parsed:
            parser.parse(document, seen)
    finally:
        sys.setprofile(None)
    began = time.thread_time()
    for arguments in calls:
        sanitizer.clean_html(**arguments)
    return time.thread_time() - began


def start_up(rounds: int, folder: Path) -> None:
    """Print what commands use until they have begun: medians of processor seconds."""
    embedded = {name: value for name, value in os.environ.items() if name not in ("BROKER_URL", "MEMCACHED_URL")}
    embedded |= {"DATABASE_URL": f"sqlite:///{folder}/feeds.sqlite3"}
    commands = {
        "python": ["-c", ""],
        "import django": ["-c", "import django"],
        "manage.py check": ["manage.py", "check"],
        "import_feeds, no feed": ["manage.py", "import_feeds", "--due", "--verbosity", "0"],
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], cwd=PROJECT, env=embedded, check=True)
    for name, command in commands.items():
        took = []
        for _ in range(rounds):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *command], cwd=PROJECT, env=embedded, check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        print(f"start-up: {name:22} {statistics.median(took):6.2f} s")


def report(table: Table) -> None:
    print("\nms of the processor for a feed" + "".join(f"{poll:>15}" for poll in table))
    for row in ("all", *STAGES, *BESIDE):
        print(f"{row:30}" + "".join(f"{statistics.median(figures[row]):15.2f}" for figures in table.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="feeds, one document a file; else made up")
    parser.add_argument("--feeds", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=THREADS)
    options = parser.parse_args()
    table: Table = {poll: {row: [] for row in ("all", *STAGES, *BESIDE)} for poll in POLLS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with Servers.running(folder, ("log_statement=all",)) as servers, servers.environment() as environment:
            os.environ |= environment | {"DJANGO_SETTINGS_MODULE": "feeds_project.settings"}
            start_up(options.rounds, folder)
            django.setup()
            logging.getLogger("feeds").setLevel(logging.WARNING)
            _measure(servers, options, table)
    report(table)


def _measure(servers: Servers, options: argparse.Namespace, table: Table) -> None:
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    print(f"start-up: {'a worker':22} {time.process_time():6.2f} s")
    bench = Bench(servers, Stopwatch(), options.threads)
    for number in range(options.rounds):
        given = [(f"{number}-{name}", body) for name, body in documents(options.folder)]  # new feeds in each round
        site = Site(servers.nginx, given, options.feeds)
        for poll in POLLS:
            urls = site.lay_out(poll)
            if poll == PLAIN:
                bench.poll(urls)  # once before, so that nothing is new
            figures = bench.poll(urls)
            figures["all"] = sum(figures.get(stage, 0.0) for stage in STAGES)
            for row, values in table[poll].items():
                values.append(figures.get(row, 0.0))
            print(f"round {number + 1}: {poll:14} {figures['all']:8.2f} ms", flush=True)
    bench.stop()
    connection.close()


if __name__ == "__main__":
    main()
