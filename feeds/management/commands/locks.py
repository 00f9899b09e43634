"""List the locks that are held, by whom and for how long, or break one by its token."""

import time
from dataclasses import asdict
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from feeds import status
from feeds.locking import LockStoreError
from feeds.management.progress import add_format, dump


class Command(BaseCommand):
    help = "List the locks that are held, or break one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--break",
            dest="token",
            metavar="TOKEN",
            help="delete the lock with this token, and no other: one taken meanwhile under the same key stays",
        )
        add_format(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["token"] is not None:
                self._break(options["token"])
            else:
                self._list(status.held(time.time()), as_json=options["format"] == "json")
        except LockStoreError as error:
            raise CommandError(str(error)) from error

    def _list(self, locks: list[status.Held], *, as_json: bool) -> None:
        if as_json:
            dump(self.stdout, [asdict(lock) for lock in locks])
            return
        for lock in locks:
            self.stdout.write("  ".join([lock.token, *_facts(lock), lock.subject]))
        self.stderr.write(f"{len(locks)} held")

    def _break(self, token: str) -> None:
        if (key := status.break_lock(token)) is None:
            raise CommandError(f"No lock is held under the token {token}.")
        self.stdout.write(f"broken: {key}")
        self.stderr.write("If its holder still works, another may now begin; only one of them will be stored.")


def _facts(lock: status.Held) -> list[str]:
    if lock.held is None:
        return [lock.process]
    return [f"held {lock.held} s", f"ends in {lock.ends} s", f"by {lock.process}", f"for message {lock.message}"]
