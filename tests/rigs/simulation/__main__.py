"""`python -m tests.rigs.simulation --feeds 1000000`: a week of polling, in figures."""

import argparse
import gc
import random
import sys
import time

from feeds.planning import Rules
from tests.rigs.simulation.engine import Engine
from tests.rigs.simulation.world import DAY, WEEK, make_world


def simulate(
    feeds: int, *, days: float = 7.0, threads: int = 64, claim_limit: int = 1000, seed: int = 1, quiet: bool = True
) -> Engine:
    """Live through so many days with so many feeds."""
    rng = random.Random(seed)
    world = make_world(feeds, rng)
    gc.freeze()  # a million feeds that stay: nothing for the collector to look at again and again
    engine = Engine(
        world=world,
        rng=rng,
        threads=threads,
        claim_limit=claim_limit,
        rules=Rules(),
        progress=(lambda text: None) if quiet else (lambda text: print(text, file=sys.stderr, flush=True)),
    )
    engine.run(min(days * DAY, WEEK))
    return engine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feeds", type=int, default=10_000)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--claim-limit", type=int, help="default: as feeds/docs/polling.md says for so many feeds")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    engine = simulate(
        given.feeds,
        days=given.days,
        threads=given.threads,
        claim_limit=given.claim_limit or max(1000, given.feeds // 200),
        seed=given.seed,
        quiet=False,
    )
    for name, text in engine.figures.lines(len(engine.world.feeds)):
        print(f"{name:<34} {text}")
    print(f"{'simulated in':<34} {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
