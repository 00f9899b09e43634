"""What the status page and the lists of the admin cost beside a million feeds with ten entries each, on PostgreSQL.

    uv run python -m tests.rigs.benchmarks.pages FOLDER [--feeds 1000000] [--entries 10] [--updated 0.02] [--only TEXT]

Prints of each page the median of its milliseconds, of the processor's time for it (ours and PostgreSQL's), and its
queries; those over 300 ms are marked. Makes the database in FOLDER, in ten minutes, unless it is there. Before it
measures, the table of feeds is vacuumed, and then a part of the feeds updated, as checks do between two vacuums: counts
read the rows of pages that were written since. `--explain` prints the plans of the queries of 20 ms and more.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django

from tests.rigs.benchmarks import stored
from tests.rigs.benchmarks.claiming import cpu_clock
from tests.rigs.servers.postgresql import PostgreSQL

MEMORY = ("shared_buffers=2GB", "max_wal_size=8GB", "autovacuum_naptime=1d")  # the vacuum is ours
ROUNDS, MOST = 7, 300  # of each page; milliseconds that it may take
SLOW = 20  # milliseconds of a query whose plan is worth a look


@dataclass(slots=True)
class Query:
    """One statement of a page."""

    sql: str
    parameters: Any
    milliseconds: float


def main() -> None:
    options = _parser().parse_args()
    server = PostgreSQL(options.folder)
    server.settings = MEMORY
    options.folder.mkdir(parents=True, exist_ok=True)
    options.folder.chmod(0o755)
    is_new = not server.cluster.exists()
    with _running(server):
        if is_new:
            server.execute("CREATE DATABASE feeds")
        for name in ("BROKER_URL", "MEMCACHED_URL"):
            os.environ.pop(name, None)
        os.environ |= {"DATABASE_URL": server.url("feeds"), "DJANGO_SETTINGS_MODULE": "feeds_project.settings"}
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        if is_new:
            stored.fill(options.feeds, options.entries)
        _age(options.updated)
        sys.exit(_measure(options))


@contextmanager
def _running(server: PostgreSQL) -> Iterator[None]:
    server.start()
    try:
        yield
    finally:
        from django.db import connections

        connections.close_all()
        server.stop()  # not killed: the database is to be used again


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the database is, or will be; a short path")
    parser.add_argument("--feeds", type=int, default=1_000_000)
    parser.add_argument("--entries", type=int, default=10, help="of each feed")
    parser.add_argument("--updated", type=float, default=0.02, help="the part of the feeds checked since the vacuum")
    parser.add_argument("--only", default="", help="pages with this text in their name")
    parser.add_argument("--explain", action="store_true")
    return parser


# The database


def _age(updated: float) -> None:
    """Vacuum the feeds; then check a part of them, and let the workers and the schedule be alive."""
    from django.db import connection
    from django.utils import timezone

    from feeds import heartbeat
    from feeds.models import Process

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE feeds_feed")
        cursor.execute(
            "UPDATE feeds_feed SET checked_at = now(), revision = revision + 1,"
            " next_check_at = next_check_at + (now() - checked_at) WHERE random() < %s",
            [updated],
        )
        print(f"{cursor.rowcount:,} feeds updated since the vacuum", flush=True)
    now = timezone.now()
    Process.objects.update_or_create({"threads": 8, "began_at": now, "seen_at": now}, name="host:1")
    heartbeat.note_schedule(now)


# The pages


def _pages() -> dict[str, str]:
    from django.urls import reverse

    from feeds.models import Entry, Feed, Host

    feeds, entries, hosts = (reverse(f"admin:feeds_{name}_changelist") for name in ("feed", "entry", "host"))
    feed, entry, host = (
        Feed.objects.order_by("-id")[1000],
        Entry.objects.order_by("id")[1000],
        Host.objects.get(pk="host-1.example.org"),
    )
    pages = {"status": reverse("feeds-status"), "feeds": feeds, "feeds, page 90": f"{feeds}?p=90"}
    pages |= {f"feeds sorted by {name}": f"{feeds}?o={column}" for name, column in _sorts().items()}
    pages |= {
        f"feeds, state {state}": f"{feeds}?state={state}"
        for state in ("well", "failing", "late", "never checked", "paused", "disabled")
    }
    pages |= {"feeds, why": f"{feeds}?why=the+network", "feeds of a host": f"{feeds}?host__exact={host.pk}"}
    searches = {
        "a URL": feed.url,
        "a host": feed.host_id,
        "a title": feed.title,
        "its begin": feed.title[:30],
        "nothing": "zzzz",
    }
    pages |= {f"feeds, search for {what}": f"{feeds}?q={text}" for what, text in searches.items()}
    pages |= {
        "entries": entries,
        "entries of a feed": f"{entries}?feed__id__exact={feed.pk}",
        "entries, page 90": f"{entries}?p=90",
    }
    pages |= {"entries, search": f"{entries}?q={entry.title}", "entries, search for nothing": f"{entries}?q=zzzz"}
    pages |= {
        "hosts": hosts,
        "hosts, page 90": f"{hosts}?p=90",
        "hosts, search": f"{hosts}?q=host-77",
        "hosts, search for nothing": f"{hosts}?q=zzzz",
    }
    pages |= {
        f"a {row._meta.model_name}": reverse(f"admin:feeds_{row._meta.model_name}_change", args=[row.pk])
        for row in (feed, entry, host)
    }
    return pages


def _sorts() -> dict[str, str]:
    return {"name": "1", "name, last first": "-1", "state": "2", "next check": "3", "next check, last first": "-3"}


def _measure(options: argparse.Namespace) -> int:
    """Ask for each page some times; return 1 if one takes too long."""
    from django.contrib.auth.models import User
    from django.test import Client

    user, _ = User.objects.get_or_create(username="admin", is_staff=True, is_superuser=True)
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    cpu, slow = cpu_clock(), 0
    print(f"{'page':40} {'ms':>7} {'cpu ms':>7} {'queries':>7}")
    for name, url in _pages().items():
        if options.only not in name:
            continue
        took, worked, queries = [], [], []
        for _ in range(ROUNDS):
            queries.clear()
            began, began_cpu = time.perf_counter(), cpu()
            with _noting(queries):
                answer = client.get(url)
            took.append((time.perf_counter() - began) * 1000)
            worked.append((cpu() - began_cpu) * 1000)
            assert answer.status_code == 200, f"{url}: {answer.status_code}"
        median = statistics.median(took)
        slow += median > MOST
        mark = f"  more than {MOST} ms" if median > MOST else ""
        print(f"{name:40} {median:7.0f} {statistics.median(worked):7.0f} {len(queries):7}{mark}", flush=True)
        if options.explain:
            _explain(queries)
    return bool(slow)


@contextmanager
def _noting(queries: list[Query]) -> Iterator[None]:
    from django.db import connection

    def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, parameters, many, context)
        finally:
            queries.append(Query(sql, parameters, (time.perf_counter() - began) * 1000))

    with connection.execute_wrapper(note):
        yield


def _explain(queries: list[Query]) -> None:
    from django.db import connection

    for query in queries:
        if query.milliseconds >= SLOW:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {query.sql}", query.parameters)
                plan = "\n    ".join(row[0] for row in cursor.fetchall())
            print(f"  {query.milliseconds:.0f} ms: {query.sql[-400:]}\n    {plan}\n")


if __name__ == "__main__":
    main()
