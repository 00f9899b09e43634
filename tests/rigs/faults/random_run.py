"""Faults in random order under load: requests all the while, workers killed and stopped, the store cut and restarted.

    uv run python -m tests.rigs.faults.random_run [--seconds 300] [--seed 1]

The seed fixes the order of what is done, not what the machine makes of it. At the end all faults are healed, and the
history must hold: no two commits of one key overlap, every request is answered by a run that began after it was made.
Bodies may overlap, since the store is restarted and workers are stopped beyond their locks' expiry.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from tests.rigs.history import unserved_afresh, violations
from tests.rigs.servers.proxy import Fault

if TYPE_CHECKING:
    from tests.rigs.faults.crew import Crew

KEYS = 5
STEP = 0.3  # seconds between two actions, on average


def random_run(folder: Path, *, seconds: float, seed: int) -> list[str]:
    """Return what is wrong."""
    from tests.rigs.faults.crew import Crew
    from tests.rigs.faults.variants import OURS

    rng = random.Random(seed)
    with Crew(OURS, folder, expire=6, body_seconds=0.05) as crew:
        storm = Storm(crew, rng)
        crew.start()
        crew.start()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            storm.act()
            time.sleep(rng.uniform(0, 2 * STEP))
        storm.heal()
        crew.wait_for(lambda: not unserved_afresh(crew.history()), within=60, what="every request is served")
        history = crew.history()
        served = f"{len(history.requests)} requests, {len(history.runs)} runs"
        print(f"{served}, {sum(run.committed for run in history.runs)} commits; {storm.done}")
        return violations(history, overlaps_allowed=True)


class Storm:
    """What can go wrong next."""

    def __init__(self, crew: "Crew", rng: random.Random) -> None:
        self._crew = crew
        self._rng = rng
        self.done: dict[str, int] = {}

    def act(self) -> None:
        for _ in range(self._rng.randrange(1, 8)):
            self._crew.send(f"key-{self._rng.randrange(KEYS)}")
        actions: list[Callable[[], None]] = [self.kill, self.freeze, self.cut, self.break_store, self.pause_store]
        weights = [2, 1, 3, 4, 1]
        action = self._rng.choices([*actions, self.restart_store, self.heal_store], [*weights, 1, 6])[0]
        self.done[action.__name__] = self.done.get(action.__name__, 0) + 1
        action()

    def kill(self) -> None:
        """Kill a worker, and start another."""
        worker = self._crew.workers.pop(0)
        worker.kill()
        self._crew.start()

    def freeze(self) -> None:
        """Stop a worker until its locks have expired, or nearly."""
        worker = self._rng.choice(self._crew.workers)
        worker.tell(signal.SIGSTOP)
        time.sleep(self._rng.uniform(1, 7))
        worker.tell(signal.SIGCONT)

    def cut(self) -> None:
        self._crew.proxy.cut()

    def break_store(self) -> None:
        self._crew.proxy.set(self._rng.choice([fault for fault in Fault if fault is not Fault.NONE]))

    def heal_store(self) -> None:
        self._crew.proxy.set(Fault.NONE)

    def pause_store(self) -> None:
        self._crew.memcached.pause()
        time.sleep(self._rng.uniform(0.1, 3))
        self._crew.memcached.resume()

    def restart_store(self) -> None:
        self._crew.memcached.kill()
        self._crew.memcached.start()

    def heal(self) -> None:
        self.heal_store()
        self._crew.proxy.cut()  # a request that was swallowed is never answered


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    settings.configure(USE_TZ=True)
    print(f"seed {options.seed}, {options.seconds:g} s", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        problems = random_run(Path(folder), seconds=options.seconds, seed=options.seed)
    print(*(problems or ["holds"]), sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
