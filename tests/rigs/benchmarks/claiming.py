"""What claiming due feeds costs, on a table that is polled.

    uv run python -m tests.rigs.benchmarks.claiming postgresql [--feeds 1000000] [--claims 400]
    uv run python -m tests.rigs.benchmarks.claiming week [--feeds 1000000] [--claims 24600]
    uv run python -m tests.rigs.benchmarks.claiming sqlite [--feeds 100000] [--claims 100]

On PostgreSQL the claimed feeds get their next check as if imported, so that the indexes churn as they do in use; the
median of each tenth of the claims tells whether the cost stays flat. `week` claims as often as the simulated week of a
million feeds does (12.3 million polls) and leaves the vacuum to the server, told what our guide says.
Only time is compressed, so it looks every second (its minute would be a day) and does not sleep between pages. The
server syncs nothing: what is measured is our work, not the disk. On SQLite four threads store imports meanwhile; what
counts there is that nobody meets a locked database.
"""

import argparse
import logging
import os
import random
import re
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import django

from tests.rigs.benchmarks import stored
from tests.rigs.servers.postgresql import PostgreSQL

FOUR_HOURS = timedelta(hours=4)
FOURTEEN_HOURS = timedelta(hours=13.7)  # a week by 12.3 polls: what a feed has in the simulated week, on average
JITTER = 1.05  # intervals from one check to the next, on average

IMPORTERS = 4
VACUUM_SOON = "ALTER TABLE feeds_feed SET (autovacuum_vacuum_scale_factor = 0.02)"  # from feeds/docs/polling.md
VACUUM = 20  # claims from one vacuum to the next, as with that factor for a million feeds

# For the 1.6 GB of a million feeds; with the 128 MB that it comes with half of a claim's time goes into swapping pages.
# In huge pages (`sysctl vm.nr_hugepages=1200`), as our guide says, a claim takes a fifth less than without.
MEMORY = ("shared_buffers=2GB",)
WEEK_IN_MINUTES = ("autovacuum_naptime=1s", "autovacuum_vacuum_cost_delay=0")


def main() -> None:
    options = _parser().parse_args()
    run, place = {
        "postgresql": (_claim, _postgresql(MEMORY)),
        "week": (_live, _postgresql((*MEMORY, *WEEK_IN_MINUTES))),
        "sqlite": (_claim_beside_imports, _sqlite()),
    }[options.run]
    with place:
        django.setup()
        logging.getLogger("feeds").setLevel(logging.WARNING)
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        run(options.claims, options.feeds)
        _close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", choices=["postgresql", "week", "sqlite"])
    parser.add_argument("--feeds", type=int, default=100_000)
    parser.add_argument("--claims", type=int, default=100)
    return parser


# Databases


@contextmanager
def _postgresql(settings: tuple[str, ...]) -> Iterator[None]:
    folder = Path(tempfile.mkdtemp(prefix="feeds-claiming-", dir="/tmp"))
    try:
        server = PostgreSQL(folder)
        server.settings = settings
        with server:
            print(f"{_huge_pages():,} huge pages set aside")
            _use(server.url(server.create_database()))
            yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _huge_pages() -> int:
    """Return how many the machine has (Linux). PostgreSQL takes them where they suffice for its shared buffers."""
    meminfo = Path("/proc/meminfo")
    found = re.search(r"HugePages_Total:\s+(\d+)", meminfo.read_text()) if meminfo.exists() else None
    return int(found[1]) if found else 0


@contextmanager
def _sqlite() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        _use(f"sqlite:///{folder}/feeds.sqlite3")
        yield


def _use(url: str) -> None:
    for name in ("BROKER_URL", "MEMCACHED_URL"):
        os.environ.pop(name, None)
    os.environ |= {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "feeds_project.settings"}


def _explain(now: datetime) -> None:
    from django.db import connection

    from feeds.scheduling import dispatch, rate_limit

    options: dict[str, Any] = {"analyze": True, "buffers": True} if connection.vendor == "postgresql" else {}
    due, in_line = (feeds.values_list("id", "host", "slot_at")[: rate_limit.WINDOW] for feeds in dispatch.windows(now))
    claimed = due.model.objects.filter(claimed_at__gt=now - rate_limit.LEASE).values("id")
    for name, feeds in (("due", due), ("with a slot soon after", in_line), ("claimed and not yet checked", claimed)):
        print(f"\n{name}:\n{feeds.explain(**options)}")
    print()


# Claims


def _claim(claims: int, feeds: int) -> None:
    """Claim from a table with a backlog, vacuumed as often as our guide says."""
    now = stored.spread(feeds, FOUR_HOURS, overdue=0.5)
    _explain(now)
    _poll(claims, feeds, FOUR_HOURS, now, lambda number: stored.vacuum() if number % VACUUM == 0 else None)


def _claim_beside_imports(claims: int, feeds: int) -> None:
    now = stored.spread(feeds, FOUR_HOURS, overdue=0.5)
    _explain(now)
    with _importers():
        _poll(claims, feeds, FOUR_HOURS, now, lambda number: None)


def _live(claims: int, feeds: int) -> None:
    """Claim all that gets due, as it gets due, and leave the vacuum to the server."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(VACUUM_SOON)
    now = stored.spread(feeds, FOURTEEN_HOURS, overdue=0.0)
    now = _poll(claims, feeds, FOURTEEN_HOURS, now, lambda number: None if number % (claims // 10) else _tell_size())
    _tell_size()
    _explain(now)


def _poll(claims: int, feeds: int, interval: timedelta, now: datetime, before: Callable[[int], None]) -> datetime:
    """Claim and check, claim and check; print what the claims took. Return the time that it is then."""
    from feeds.scheduling import dispatch, rate_limit

    took, busy, cpu = [], [], cpu_clock()
    sent = postponed = 0
    for number in range(claims):
        before(number)
        now += interval * JITTER * (rate_limit.BATCH / feeds)
        began, began_cpu = time.perf_counter(), cpu()
        batch = dispatch.claim(now, rate_limit.BATCH, 1.0)
        took.append((time.perf_counter() - began) * 1000)
        busy.append((cpu() - began_cpu) * 1000)
        sent, postponed = sent + len(batch.claimed), postponed + batch.postponed
        _check([feed.url for feed in batch.claimed], now, interval)
    print(f"{claims:,} claims of {rate_limit.BATCH}: {sent:,} feeds to send, {postponed:,} postponed to a slot")
    for name, milliseconds in (("a claim", took), ("CPU time of a claim", busy)):
        tenths = (milliseconds[claims * part // 10 : claims * (part + 1) // 10] for part in range(10))
        medians = ", ".join(f"{statistics.median(tenth):.1f}" for tenth in tenths)
        p95 = sorted(milliseconds)[claims * 95 // 100]
        print(f"{name}: median {statistics.median(milliseconds):.1f} ms, p95 {p95:.1f} ms; of each tenth {medians} ms")
    return now


def cpu_clock() -> Callable[[], float]:
    """Return a clock of the seconds that this thread and its database have worked: a busy machine stretches them less.

    What the database works in processes of its own is known on Linux only.
    """
    from django.db import connection

    if connection.vendor == "sqlite":
        return time.thread_time
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        server = Path(f"/proc/{cursor.fetchone()[0]}/schedstat")
    return lambda: time.thread_time() + (int(server.read_text().split()[0]) / 1e9 if server.exists() else 0.0)


def _check(urls: list[str], now: datetime, interval: timedelta) -> None:
    """Store next checks, as imports do."""
    from django.db import connection

    if not urls:
        return
    rng, moment = random.Random(now.timestamp()), connection.ops.adapt_datetimefield_value
    values = [
        value
        for url in urls
        for value in (stored.key(url), moment(now), moment(now + interval * rng.uniform(1, 2 * JITTER - 1)))
    ]
    checked = f"(VALUES {', '.join(['(%s, %s, %s)'] * len(urls))}) AS new"
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE feeds_feed SET checked_at = new.column2, next_check_at = new.column3, claimed_at = NULL,"
            " slot_at = NULL, revision = revision + 1, next_check_reason = 'learned interval 4 h'"
            f" FROM {checked} WHERE url_md5 = new.column1",
            values,
        )


def _tell_size() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n_tup_upd, n_dead_tup, autovacuum_count, pg_table_size(relid), pg_indexes_size(relid)"
            " FROM pg_stat_user_tables WHERE relname = 'feeds_feed'"
        )
        updates, dead, vacuums, table, indexes = cursor.fetchone()
    print(
        f"{updates:,} updates, {dead:,} dead rows, {vacuums} autovacuums;"
        f" table {table / 1e6:,.0f} MB, indexes {indexes / 1e6:,.0f} MB",
        flush=True,
    )


# Imports beside


@contextmanager
def _importers() -> Iterator[None]:
    """Let threads load feeds and store unchanged imports of them, as fast as they can."""
    stop = threading.Event()
    errors: list[Exception] = []
    counts = [0] * IMPORTERS
    threads = [threading.Thread(target=_import, args=(stop, errors, counts, number)) for number in range(IMPORTERS)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    try:
        yield
    finally:
        seconds = time.monotonic() - began
        stop.set()
        for thread in threads:
            thread.join()
    print(f"meanwhile {IMPORTERS} threads stored {sum(counts) / seconds:.0f} imports a second; errors: {len(errors)}")
    for error in errors[:3]:
        print(f"    {type(error).__name__}: {error}")


def _import(stop: threading.Event, errors: list[Exception], counts: list[int], number: int) -> None:
    from django.utils import timezone

    from feeds import storage
    from feeds.fetching.values import NotModified
    from feeds.models import Feed
    from tests.rigs.planning import make_plan

    rng = random.Random(number)
    urls = list(Feed.objects.filter(pk__lt=20_000).values_list("url", flat=True))
    while not stop.is_set():
        try:
            known, now = storage.load(rng.choice(urls)), timezone.now()
            answer = NotModified(url=known.url, etag='"1"')
            storage.apply(make_plan(known, answer, now=now, jitter=rng.random()))
            counts[number] += 1
        except Exception as error:
            errors.append(error)
    _close()


def _close() -> None:
    from django.db import connections

    connections.close_all()


if __name__ == "__main__":
    main()
