"""Databases that have very many feeds and entries already, as copies of one row each.

    python -m tests.rigs.benchmarks.stored --feeds 1000000 --entries 10

The environment says which database, as it does for manage.py: PostgreSQL, with our tables in it.
"""

import argparse
import random
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import django

BIGGEST_SHARE = 0.03  # of all feeds on the biggest host; the others by Zipf's law
LISTED = 25  # entries of a feed's last document: two digests each stand in its row
HOSTS = 0.2  # of the number of feeds

# A feed in 20 fails, one in 50 is paused, one in 50 disabled, one in 200 late, one in 1,000 was never checked.
FEEDS = {
    "url": "new.url",
    "url_md5": "md5(new.url)::uuid",
    "host_id": "host",
    "title": "(ARRAY['Notes', 'Daily news', 'The journal', 'Photos', 'Weblog'])[1 + n % 5] || ' of ' || md5(n::text)",
    "status": "CASE n % 50 WHEN 1 THEN 'paused' WHEN 2 THEN 'disabled' ELSE 'active' END",
    "error_kind": "CASE WHEN n % 20 = 3 THEN (ARRAY{kinds})[1 + n % {count}] ELSE '' END",
    "error_text": "CASE WHEN n % 20 = 3 THEN 'what the server said' ELSE '' END",
    "checked_at": "CASE WHEN n % 1000 <> 5 THEN now() - random() * interval '14 h' END",
    "next_check_at": "CASE WHEN n % 50 = 2 THEN NULL WHEN n % 200 = 4 THEN now() - random() * interval '5 h'"
    " ELSE now() + random() * interval '14 h' END",
}
FEED_ROWS = """(SELECT n, host, 'https://' || host || '/' || n || '/feed.xml' AS url FROM
  (SELECT n, 'host-' || 1 + floor(power(random(), 3) * {hosts})::int || '.example.org' AS host
   FROM generate_series(1, {feeds}) AS n) AS hosted)"""
HOST_ROWS = {
    "name": "'host-' || n || '.example.org'",
    "paused_until": "CASE WHEN n % 1000 = 7 THEN now() + interval '1 d' END",
    "pause_reason": "CASE WHEN n % 1000 = 7 THEN '429' ELSE '' END",
}
ENTRIES = {
    "feed_id": "feed",
    "guid": "k::text",
    "guid_digest": "decode(md5(feed || '-' || k), 'hex')",
    "title": "'What happened ' || md5(k::text)",
    "content": "repeat(md5(feed::text), 15)",
    **dict.fromkeys(
        ("sorted_at", "first_seen_at", "published_at"), "now() - (k + feed / {feeds}::float) * interval '2 d'"
    ),
}
ENTRY_ROWS = "(SELECT id AS feed, k FROM feeds_feed, generate_series(1, {entries}) AS k)"
IMPORTS = {
    "feed_id": "feed",
    "number": "k",
    "started_at": "now() - (k + feed / {feeds}::float) * interval '1 d'",
    "error_kind": "CASE WHEN feed % 9 = 0 THEN 'dns' ELSE '' END",
}
IMPORT_ROWS = "(SELECT id AS feed, k FROM feeds_feed, generate_series(1, 3) AS k)"
MINUTES = {"at": "new.at"}
MINUTE_ROWS = "(SELECT date_trunc('minute', now()) - n * interval '1 min' AS at FROM generate_series(1, 2800) AS n)"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--feeds", type=int, required=True)
    parser.add_argument("--entries", type=int, required=True, help="of each feed")
    options = parser.parse_args()
    django.setup()
    fill(options.feeds, options.entries)


# Feeds in all states, with entries and a history, on PostgreSQL


def fill(feeds: int, entries: int) -> None:
    from django.db import connection
    from django.utils import timezone

    from feeds.models import Entry, Feed, Host, Import, Minute
    from feeds.outcomes import FailureKind

    now, kinds = timezone.now(), [kind.value for kind in FailureKind]
    sizes = {"feeds": feeds, "hosts": int(feeds * HOSTS), "entries": entries, "kinds": kinds, "count": len(kinds)}
    host = Host.objects.create(name="template.example")
    feed = Feed.objects.create(url="https://template.example/", interval=50_000, **_of_a_blog())
    dates = {"sorted_at": now, "first_seen_at": now}
    entry = Entry.objects.create(feed=feed, guid_digest=b"0" * 16, content_digest=b"1" * 16, **dates)
    seconds = {"connect": 0.02, "body": 0.1}
    record = Import.objects.create(feed=feed, number=9, started_at=now, asked_by="schedule", seconds=seconds)
    minute = Minute.objects.create(at=now, checks=4240, new=500)
    _copy(host, HOST_ROWS, "(SELECT n FROM generate_series(1, {hosts}) AS n)", sizes)
    _copy(feed, FEEDS, FEED_ROWS, sizes)
    _copy(entry, ENTRIES, ENTRY_ROWS, sizes)
    _copy(record, IMPORTS, IMPORT_ROWS, sizes)
    _copy(minute, MINUTES, MINUTE_ROWS, sizes)
    feed.delete()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _copy(template: Any, columns: dict[str, str], source: str, sizes: dict[str, Any]) -> None:
    """Store copies of a row, one for each row of a source, with these columns by these expressions."""
    from django.db import connection

    began, options = time.monotonic(), template._meta
    names = [field.column for field in options.fields if field.column not in (*columns, "id")]
    values = ", ".join([*columns.values(), *(f"{options.db_table}.{name}" for name in names)])
    key = f"{options.db_table}.{options.pk.column} = %s"
    sql = f"SELECT {values} FROM {options.db_table}, {source} AS new".format(**sizes).replace("%", "%%")
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {options.db_table} ({', '.join([*columns, *names])}) {sql} WHERE {key}", [template.pk]
        )
        print(f"{cursor.rowcount:,} {options.verbose_name_plural} in {time.monotonic() - began:.0f} s", flush=True)


# Feeds to be claimed, on SQLite, too


def spread(count: int, interval: timedelta, *, overdue: float) -> datetime:
    """Store feeds whose next checks lie spread over an interval, a part of it gone by; return what time it is there.

    All are copies of one row.
    """
    from django.db import connection, transaction
    from django.utils import timezone

    from feeds.models import Feed, Host

    now, began = timezone.now(), time.monotonic()
    template = Feed.objects.create(
        url="template",
        url_md5=UUID(int=0),
        interval=interval.total_seconds(),
        next_check_at=None,
        **_of_a_blog(),
    )
    rng = random.Random(1)
    rows = []
    for number, host in enumerate(_hosts(count)):
        url = f"https://{host}/{number}/feed.xml"
        rows.append((url, key(url), host, now + interval * (rng.random() - overdue)))
    Host.objects.ensure(row[2] for row in rows)
    given = ("url", "url_md5", "host_id", "next_check_at")
    copied = ", ".join(f'"{field.column}"' for field in Feed._meta.fields if field.column not in ("id", *given))
    into = f"INSERT INTO feeds_feed ({', '.join(given)}, {copied}) SELECT"
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = "unnest(%s::text[], %s::uuid[], %s::text[], %s::timestamptz[]) AS new(a, b, c, d)"
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
    vacuum()
    print(f"{count:,} feeds stored in {time.monotonic() - began:.0f} s")
    return now


def _of_a_blog() -> dict[str, Any]:
    rng = random.Random(3)
    return {
        "title": "Notes on this and that",
        "site_url": "https://www.example.org/blog/",
        "description": "What I came across, in no order, and what I make of it. New every other day.",
        "language": "en-GB",
        "etag": f'"{rng.randbytes(16).hex()}"',
        "last_modified": "Tue, 24 Nov 2026 22:16:21 GMT",
        "body_digest": rng.randbytes(16),
        "seen_digests": rng.randbytes(16 * LISTED),
        "listed_digests": rng.randbytes(16 * LISTED),
    }


def _hosts(count: int) -> list[str]:
    hosts: list[str] = []
    rank = 1
    while len(hosts) < count:
        size = max(1, int(count * BIGGEST_SHARE) // rank)
        hosts += [f"host-{rank}.example.org"] * size
        rank += 1
    random.Random(2).shuffle(hosts)
    return hosts[:count]


def vacuum() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE feeds_feed, feeds_host" if connection.vendor == "postgresql" else "ANALYZE")


def key(url: str) -> Any:
    """Return what stands in the database for a URL."""
    from django.db import connection

    from feeds.canonical_urls import url_md5
    from feeds.models import Feed

    return Feed._meta.get_field("url_md5").get_db_prep_value(url_md5(url), connection)


if __name__ == "__main__":
    main()
