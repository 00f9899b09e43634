"""locks: list who holds which lock and for how long, or break one by its token."""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.cache import caches
from django.core.management import BaseCommand, CommandError, CommandParser

from feeds import canonical_urls, locking
from feeds.conf import feeds_settings
from feeds.locking import LockStore, LockStoreError
from feeds.management.progress import printable
from feeds.models import Feed

DIGEST = re.compile("-lock-([0-9a-f]{32})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    key: str
    value: str
    token: locking.Token | None  # None: set by hand, or by something that is not ours

    @property
    def name(self) -> str:
        """Return what `--break` takes."""
        return printable(self.token.nonce if self.token else self.value)


class Command(BaseCommand):
    help = "List the locks that are held, or break one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--break",
            dest="token",
            metavar="TOKEN",
            help="delete the lock with this token, and no other: one taken meanwhile under the same key stays",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        store = caches[feeds_settings().lock_cache]
        if not isinstance(store, LockStore):
            raise CommandError(f"{type(store).__name__} cannot list its keys; a feeds.locking.LockStore can.")
        try:
            rows = [Row(key=key, value=value, token=locking.Token.parse(value)) for key, value in store.held()]
            if options["token"] is not None:
                self._break(store, rows, options["token"])
            else:
                self._list(rows)
        except LockStoreError as error:
            raise CommandError(str(error)) from error

    def _list(self, rows: list[Row]) -> None:
        for line in lines(rows, subjects(rows), time.time()):
            self.stdout.write(line)
        self.stderr.write(f"{len(rows)} held")

    def _break(self, store: LockStore, rows: list[Row], token: str) -> None:
        for row in rows:
            if row.name == token and store.compare_and_delete(row.key, row.value):
                self.stdout.write(f"broken: {row.key}")
                self.stderr.write("If its holder still works, another may now begin; only one of them will be stored.")
                return
        raise CommandError(f"No lock is held under the token {token}.")


def subjects(rows: Iterable[Row]) -> dict[str, str]:
    """Return the URLs of the feeds that are being imported, by key: the digest in the key is the feed's."""
    keys = {UUID(found[1]): row.key for row in rows if (found := DIGEST.search(row.key))}
    feeds = Feed.objects.filter(url_md5__in=keys).values_list("url_md5", "url")
    return {keys[digest]: printable(canonical_urls.redacted(url)) for digest, url in feeds}


def lines(rows: Iterable[Row], subjects: dict[str, str], now: float) -> Iterator[str]:
    """Yield one line a lock, those first that have been held the longest."""
    for row in sorted(rows, key=lambda row: row.token.begun if row.token else 0):
        yield "  ".join([row.name, *_facts(row.token, now), subjects.get(row.key) or printable(row.key)])


def _facts(token: locking.Token | None, now: float) -> list[str]:
    if token is None:
        return ["not a token of ours"]
    return [
        f"held {now - token.begun:.0f} s",
        f"ends in {max(0.0, token.until - now):.0f} s",
        printable(f"by {token.process}"),
        printable(f"for message {token.owner}"),
    ]
