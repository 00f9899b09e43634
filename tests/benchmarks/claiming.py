"""What claiming due feeds costs, on a table that is polled.

    uv run python -m tests.benchmarks.claiming postgresql [--feeds 1000000] [--claims 400]
    uv run python -m tests.benchmarks.claiming sqlite [--feeds 100000] [--claims 100]

On PostgreSQL the claimed feeds get their next check as if imported, so that the index churns as it does in use; the
medians of the first and of the last claims tell whether the cost stays flat. On SQLite four threads store imports
meanwhile; what counts there is that nobody meets a locked database.
"""

import argparse
import logging
import os
import random
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import django

from tests.servers.postgresql import PostgreSQL

INTERVAL = timedelta(hours=4)
IMPORTERS = 4
VACUUM = 25  # claims from one vacuum to the next, as with autovacuum_vacuum_scale_factor = 0.025 for a million feeds
BIGGEST_SHARE = 0.03  # of all feeds on the biggest host; the others by Zipf's law


def main() -> None:
    options = _parser().parse_args()
    place = {"postgresql": _postgresql, "sqlite": _sqlite}[options.database]
    with place():
        django.setup()
        logging.getLogger("feeds").setLevel(logging.WARNING)
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        _fill(options.feeds)
        _explain()
        if options.database == "sqlite":
            with _importers():
                _claim(options.claims)
        else:
            _claim(options.claims)
        _close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", choices=["postgresql", "sqlite"])
    parser.add_argument("--feeds", type=int, default=100_000)
    parser.add_argument("--claims", type=int, default=100)
    return parser


@contextmanager
def _postgresql() -> Iterator[None]:
    folder = Path(tempfile.mkdtemp(prefix="feeds-claiming-", dir="/tmp"))
    try:
        with PostgreSQL(folder) as server:
            # As every guide says; with the 128 MB that it comes with, half of a claim's time goes into swapping pages.
            server.execute("ALTER SYSTEM SET shared_buffers = '1GB'")
            server.stop()
            server.start()
            _use(server.url(server.create_database()))
            yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _sqlite() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        _use(f"sqlite:///{folder}/feeds.sqlite3")
        yield


def _use(url: str) -> None:
    for name in ("BROKER_URL", "MEMCACHED_URL"):
        os.environ.pop(name, None)
    os.environ |= {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "feeds_project.settings"}


def _fill(count: int) -> None:
    """Store feeds whose next checks lie spread over an interval, half of it gone by. All are copies of one row."""
    from django.db import connection, transaction
    from django.utils import timezone

    from feeds.addresses import url_md5
    from feeds.models import Feed

    now, began = timezone.now(), time.monotonic()
    template = Feed.objects.create(url="template", url_md5="", host="", etag='"1"', interval=14_400, next_check_at=None)
    luck = random.Random(1)
    rows = []
    for number, host in enumerate(_hosts(count)):
        url = f"https://{host}/{number}/feed.xml"
        rows.append((url, url_md5(url), host, now + INTERVAL * (luck.random() - 0.5)))
    given = ("url", "url_md5", "host", "next_check_at")
    copied = ", ".join(f'"{field.column}"' for field in Feed._meta.fields if field.column not in ("id", *given))
    into = f"INSERT INTO feeds_feed ({', '.join(given)}, {copied}) SELECT"
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = "unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]) AS new(a, b, c, d)"
            for at in range(0, count, 10_000):
                columns = [list(column) for column in zip(*rows[at : at + 10_000], strict=True)]
                cursor.execute(
                    f"{into} a, b, c, d, {copied} FROM feeds_feed, {arrays} WHERE id = {template.pk}", columns
                )
        else:
            moment = connection.ops.adapt_datetimefield_value
            cursor.executemany(
                f"{into} %s, %s, %s, %s, {copied} FROM feeds_feed WHERE id = {template.pk}",
                [(*row[:3], moment(row[3])) for row in rows],
            )
    template.delete()
    _analyze()
    print(f"{count:,} feeds stored in {time.monotonic() - began:.0f} s")


def _hosts(count: int) -> list[str]:
    hosts: list[str] = []
    rank = 1
    while len(hosts) < count:
        size = max(1, int(count * BIGGEST_SHARE) // rank)
        hosts += [f"host-{rank}.example.org"] * size
        rank += 1
    random.Random(2).shuffle(hosts)
    return hosts[:count]


def _analyze() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE feeds_feed" if connection.vendor == "postgresql" else "ANALYZE")


def _explain() -> None:
    from django.db import connection
    from django.utils import timezone

    from feeds import pacing, polling

    options: dict[str, Any] = {"analyze": True, "buffers": True} if connection.vendor == "postgresql" else {}
    rows = polling.due(timezone.now()).order_by("next_check_at", "id").values_list("id", "host", "slot_at")
    print("\nthe window of due feeds:\n" + rows[: pacing.WINDOW].explain(**options))
    claimed = rows.model.objects.filter(claimed_at__gt=timezone.now() - pacing.LEASE).values("id")
    print("\nthe claimed and not yet checked:\n" + claimed.explain(**options) + "\n")


def _claim(claims: int) -> None:
    """Claim and check, claim and check; print what the claims took."""
    from django.utils import timezone

    from feeds import pacing, polling

    now = timezone.now()
    milliseconds: list[float] = []
    sent = put_off = 0
    for number in range(claims):
        if number % VACUUM == 0:
            _analyze()
        began = time.perf_counter()
        batch = polling.claim(now, pacing.BATCH, 1.0)
        milliseconds.append((time.perf_counter() - began) * 1000)
        sent, put_off = sent + len(batch.claimed), put_off + batch.put_off
        _check([feed.url for feed in batch.claimed], now)
        now += timedelta(seconds=7)  # 500 feeds at 70 a second
    tenth = max(1, claims // 10)
    medians = [statistics.median(milliseconds[at : at + tenth]) for at in range(0, claims, tenth)]
    print(f"{claims} claims of {pacing.BATCH}: {sent:,} feeds to send, {put_off:,} put off to a slot of their host")
    print(f"median {statistics.median(milliseconds):.1f} ms, p95 {sorted(milliseconds)[int(claims * 0.95)]:.1f} ms")
    print("median of each tenth: " + ", ".join(f"{one:.1f}" for one in medians) + " ms")


def _check(urls: list[str], now: datetime) -> None:
    """Store next checks, as imports do."""
    from django.db import connection

    from feeds.addresses import url_md5

    luck, moment = random.Random(now.timestamp()), connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE feeds_feed SET checked_at = %s, next_check_at = %s, claimed_at = NULL, slot_at = NULL,"
            " revision = revision + 1, next_check_reason = 'own 14400 s' WHERE url_md5 = %s",
            [(moment(now), moment(now + INTERVAL * luck.uniform(1, 1.1)), url_md5(url)) for url in urls],
        )


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

    from feeds import planner, storage
    from feeds.documents import NotModified
    from feeds.models import Feed
    from feeds.schedule import Pace

    pace = Pace(shortest=3600, longest=86_400)
    luck = random.Random(number)
    urls = list(Feed.objects.filter(pk__lt=20_000).values_list("url", flat=True))
    while not stop.is_set():
        try:
            known, now = storage.load(luck.choice(urls)), timezone.now()
            answer = NotModified(url=known.url, etag='"1"')
            storage.apply(planner.plan(known, answer, None, (), started_at=now, now=now, pace=pace, luck=luck.random()))
            counts[number] += 1
        except Exception as error:
            errors.append(error)
    _close()


def _close() -> None:
    from django.db import connections

    connections.close_all()


if __name__ == "__main__":
    main()
