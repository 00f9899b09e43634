"""locks: list who holds which lock and for how long, or break one by its token."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from feeds import locking, status
from feeds.locking import LockStoreError
from feeds.management.progress import printable
from feeds.status import Held


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
        try:
            if options["token"] is not None:
                self._break(options["token"])
            else:
                self._list(status.held())
        except LockStoreError as error:
            raise CommandError(str(error)) from error

    def _list(self, rows: list[Held]) -> None:
        for line in lines(rows, status.subjects(rows), time.time()):
            self.stdout.write(line)
        self.stderr.write(f"{len(rows)} held")

    def _break(self, token: str) -> None:
        if (key := status.break_lock(token)) is None:
            raise CommandError(f"No lock is held under the token {token}.")
        self.stdout.write(f"broken: {key}")
        self.stderr.write("If its holder still works, another may now begin; only one of them will be stored.")


def lines(rows: Iterable[Held], subjects: dict[str, str], now: float) -> Iterator[str]:
    """Yield one line a lock."""
    for row in rows:
        yield "  ".join([row.name, *_facts(row.token, now), printable(subjects.get(row.key) or row.key)])


def _facts(token: locking.Token | None, now: float) -> list[str]:
    if token is None:
        return ["not a token of ours"]
    return [
        f"held {now - token.begun:.0f} s",
        f"ends in {max(0.0, token.until - now):.0f} s",
        printable(f"by {token.process}"),
        printable(f"for message {token.owner}"),
    ]
