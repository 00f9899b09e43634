"""Let two processes race for one lock after the other: each must have one winner.

uv run python -m tests.rigs.faults.races [--count 100000]
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

from tests.rigs.servers.memcached import Memcached

ROUND = 20  # races between two looks at each other, so that neither is far ahead, and a start of the store from nothing


def races(folder: Path, count: int) -> list[str]:
    """Run so many races; return what is wrong."""
    context = multiprocessing.get_context("spawn")  # nothing is inherited: two processes as two hosts have them
    barrier = context.Barrier(2)
    with Memcached(folder) as memcached, context.Pool(2, _keep, (barrier,)) as pool:
        won = pool.starmap(_race, [(memcached.location, count, number == 0) for number in range(2)], chunksize=1)
    winners = sorted([*won[0], *won[1]])
    problems = [] if winners == list(range(count)) else [f"{len(winners)} winners in {count} races"]
    return problems + ([] if all(won) else ["one process won everything: they did not race"])


def _keep(barrier: object) -> None:
    globals()["barrier"] = barrier


def _race(location: str, count: int, cleans: bool) -> list[int]:
    from django.conf import settings

    settings.configure()
    from feeds.locking import lock
    from feeds.locking.memcached import MemcachedLocks

    store, won = MemcachedLocks(location, {}), []
    for start in range(0, count, ROUND):
        barrier.wait(60)  # type: ignore[name-defined]  # noqa: F821  # put there by _keep
        for number in range(start, min(count, start + ROUND)):
            if lock.acquire(store, lock.claim(f"race-{number}", "message", 600)) == lock.Acquired():
                won.append(number)
        barrier.wait(60)  # type: ignore[name-defined]  # noqa: F821
        if cleans:
            for number in range(start, min(count, start + ROUND)):
                store.delete(f"race-{number}")  # or memcached would have to evict them
    store.close()
    return won


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100_000)
    count = parser.parse_args().count
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        problems = races(Path(folder), count)
    print(*(problems or [f"{count} races over two processes, one winner each, {time.monotonic() - began:.0f} s"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
