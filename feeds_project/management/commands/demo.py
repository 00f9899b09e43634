"""demo: show queue, lock, import and conditional requests at work on sample feeds.

The command runs itself again in an environment of its own, so that it is embedded and harms no database whatever the
environment says. Everything it shows is counted while it runs.
"""

import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from django.db.models import Count
from dramatiq.middleware import Middleware

from feeds import tasks
from feeds.embedded import EmbeddedBroker
from feeds.management.progress import table
from feeds.models import Feed
from feeds.signals import feed_failed, feed_imported
from feeds_project import samples

if TYPE_CHECKING:
    from dramatiq import Broker, Message
    from dramatiq.broker import MessageProxy

    from feeds.planning import ImportReport

MARK = "FEEDS_DEMO"  # in the environment: this is the second run
SENDS = 3  # messages for each feed, all at once
PATIENCE = 30.0  # seconds for one round

WORDS = {
    "ran": "took the lock and ran",
    "skipped": "skipped: another worker was importing the feed",
    "delayed": "put back for later",
    "imported": "imported",
    "unchanged": "unchanged",
    "failed": "failed, and the reason recorded",
    "covered": "covered: a check that began after the message was sent had answered it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One lot of messages, and what became of them."""

    name: str
    messages: int
    counts: Counter[str]


class Meter(Middleware):
    """Count what becomes of messages, and how imports end."""

    def __init__(self) -> None:
        self._mutex = Lock()
        self._counts: Counter[str] = Counter()
        for signal in (feed_imported, feed_failed):
            signal.connect(self._note)

    def counts(self) -> Counter[str]:
        """Return what was counted so far. A run that brought no signal found the feed checked already."""
        with self._mutex:
            counts = self._counts.copy()
        counts["covered"] = counts["ran"] - counts["imported"] - counts["unchanged"] - counts["failed"]
        return counts

    def after_process_message(
        self, broker: "Broker", message: "MessageProxy", *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        if exception is None:
            self._add("ran")

    def after_skip_message(self, broker: "Broker", message: "MessageProxy") -> None:
        self._add("skipped")

    def after_enqueue(self, broker: "Broker", message: "Message[Any]", delay: int | None) -> None:
        if delay is not None:
            self._add("delayed")

    def _note(self, report: "ImportReport", **_: Any) -> None:
        self._add(report.outcome.value)

    def _add(self, name: str) -> None:
        with self._mutex:
            self._counts[name] += 1


class Command(BaseCommand):
    help = "Show the whole way of a feed on bundled samples, in a database of its own (demo.sqlite3)."
    requires_system_checks = ()  # some ask the database, and an older one is still in its place

    def run_from_argv(self, argv: list[str]) -> None:
        if MARK not in os.environ:
            sys.stdout.flush()
            os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], demo_environment(os.environ))  # noqa: S606
        super().run_from_argv(argv)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--serve", action="store_true", help="go on, and show it in a browser")
        parser.add_argument("--port", type=int, default=8000, help="of the site")

    def handle(self, *args: Any, **options: Any) -> None:
        _check_environment()
        _empty_database()
        meter = Meter()
        tasks.import_feed.broker.add_middleware(meter)
        with samples.serving() as server:
            urls = [server.url(name) for name in samples.NAMES]
            self.stdout.write(f"{len(urls)} sample feeds on {server.url('')}, each asked for {SENDS} times at once …")
            first = _send("at once", [*(url for url in urls for _ in range(SENDS - 1)), *urls], meter)
            second = _send("once more", urls, meter)
            self._show_rounds(first, second)
            self._show_server(server)
            self._show_database(server)
            if options["serve"]:
                self._serve(options["port"])
            else:
                self._show_next_steps()

    def _serve(self, port: int) -> None:
        """Serve the site until it is interrupted, while the schedule goes on as `crontab` would let it."""
        password = secrets.token_urlsafe(6)
        get_user_model().objects.create_superuser("demo", password=password)
        Thread(target=_schedule, daemon=True).start()
        self.stdout.write(f"\nLook at http://127.0.0.1:{port}/ as demo, password {password}. Ctrl+C ends it.")
        self.stdout.flush()
        with suppress(SystemExit):
            # Without its reloader it stays in this process, whose workers import; and static files are served.
            call_command("runserver", f"127.0.0.1:{port}", use_reloader=False, insecure_serving=True)

    def _show_rounds(self, *rounds: Round) -> None:
        rows: list[tuple[object, ...]] = [("messages sent", *(each.messages for each in rounds))]
        for key, words in WORDS.items():
            if any(each.counts[key] for each in rounds):
                rows.append((words, *(each.counts[key] for each in rounds)))
        self._table("What the lock did", ("message", *(each.name for each in rounds)), rows)

    def _show_server(self, server: samples.SampleServer) -> None:
        rows = [
            (f"/{name}", asked.requests, asked.conditional, asked.not_modified, asked.most_at_once)
            for name, asked in server.asked.items()
        ]
        columns = "path", "requests", "conditional", "answered 304", "most at once"
        self._table("What the server saw", columns, rows)

    def _show_database(self, server: samples.SampleServer) -> None:
        feeds = {feed.url: feed for feed in Feed.objects.annotate(entry_count=Count("entries"))}
        rows = [
            (f"/{name}", feed.title or "–", feed.format or "–", feed.entry_count, feed.error_text or "well")
            for name in samples.NAMES
            if (feed := feeds.get(server.url(name)))
        ]
        self._table("What is in the database", ("feed", "title", "format", "entries", "state"), rows)

    def _show_next_steps(self) -> None:
        run = "uv run manage.py" if "UV" in os.environ else "python manage.py"  # uv sets UV for what it runs
        self.stdout.write(f"""
What to type next
  {run} demo --serve
      the same in a browser
  {run} migrate
  {run} import_feeds https://www.djangoproject.com/rss/weblog/
      a real feed, into the database of this folder""")

    def _table(self, title: str, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
        self.stdout.write(f"\n{title}\n")
        table(self.stdout, columns, rows)


def demo_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment to run the demo in: embedded, with the default settings but for loopback."""
    dropped = {"BROKER_URL", "MEMCACHED_URL"}
    kept = {name: value for name, value in environment.items() if name not in dropped and not name.startswith("FEEDS_")}
    return kept | {
        "DATABASE_URL": f"sqlite:///{quote(str(_database_path()))}",
        "FEEDS_ALLOWED_NETWORKS": "127.0.0.0/8",
        "FEEDS_HOST_DELAY": "0",
        "FEEDS_LOG_LEVEL": "ERROR",  # the tables tell what the lines would
        MARK: "1",
    }


def _database_path() -> Path:
    return Path(getattr(settings, "BASE_DIR", "")).absolute() / "demo.sqlite3"


def _check_environment() -> None:
    if MARK not in os.environ:
        raise CommandError("The demo starts a process of its own: run it from the command line.")
    broker, database = tasks.import_feed.broker, Path(settings.DATABASES["default"]["NAME"])
    if not isinstance(broker, EmbeddedBroker) or database != _database_path():
        raise CommandError("The demo needs settings that go by DATABASE_URL and BROKER_URL, as feeds_project does.")


def _empty_database() -> None:
    connections.close_all()
    for suffix in ("-wal", "-shm"):
        Path(f"{_database_path()}{suffix}").unlink(missing_ok=True)
    _database_path().write_bytes(b"")
    call_command("migrate", verbosity=0)


def _send(name: str, urls: list[str], meter: Meter) -> Round:
    """Send a message for each URL, wait until the queue is empty, and return what was counted meanwhile."""
    before = meter.counts()
    # All are made before the first is sent, so that none is younger than the first import.
    messages = [tasks.import_feed.message(url) for url in urls]
    broker = tasks.import_feed.broker
    for message in messages:
        broker.enqueue(message)
    if not (isinstance(broker, EmbeddedBroker) and broker.drain(PATIENCE)):
        raise CommandError(f"The queue was not empty after {PATIENCE:g} s.")
    return Round(name=name, messages=len(messages), counts=meter.counts() - before)


def _schedule() -> None:
    """Let the feeds that are due be sent, every minute."""
    while True:
        tasks.import_due_feeds.send()
        time.sleep(60)
