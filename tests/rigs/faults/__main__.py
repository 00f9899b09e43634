"""Play every fault against our lock and against the recipe, and print one table.

    uv run python -m tests.rigs.faults [words of names …]

Exit status 1 if ours fails anywhere. All servers are started for it and stopped afterwards.
"""

import logging
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import django
from django.conf import settings

from tests.rigs.servers.rabbitmq import RabbitMQ

if TYPE_CHECKING:
    from tests.rigs.faults.rows import Row


def main(words: list[str]) -> int:
    settings.configure(USE_TZ=True)
    django.setup()
    logging.disable(logging.CRITICAL)  # faults make noise
    threading.excepthook = lambda _: None  # so do threads that an interrupt ends
    from tests.rigs.faults.crashes import (
        CRASHES,
        Node,  # Django's caches need its settings
    )
    from tests.rigs.faults.rows import ANYWHERE, ROWS

    rows = [row for row in (*ROWS, ANYWHERE, *CRASHES) if all(word in row.name for word in words)]
    with ExitStack() as stack:
        if any("RabbitMQ" in row.name for row in rows):
            Node.running = stack.enter_context(RabbitMQ(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        return 1 if table(rows) else 0


def table(rows: "list[Row]") -> int:
    """Print the table; return in how many rows ours fails."""
    from tests.rigs.faults.playing import play_all
    from tests.rigs.faults.variants import OURS, RECIPE

    began, failed = time.monotonic(), 0
    print("| fault | ours | recipe | seconds |\n|---|---|---|---|", flush=True)
    with ThreadPoolExecutor(2) as ours_pool, ThreadPoolExecutor(2) as recipe_pool:
        all_ours, all_recipes = play_all(ours_pool, rows, OURS), play_all(recipe_pool, rows, RECIPE)
        for row in rows:
            ours, recipe = all_ours[row.name].result(), all_recipes[row.name].result()
            failed += bool(ours.problems)
            print(f"| {row.name} | {ours} | {recipe} | {ours.seconds:.1f} / {recipe.seconds:.1f} |", flush=True)
    print(f"\n{len(rows)} faults in {time.monotonic() - began:.0f} s; ours fails in {failed}")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
