"""Interrupts at random calls within acquire and release: no lock leaks, no thread ends, every message is served.

uv run python -m tests.faults.interrupts [--rounds 3000] [--seed 1]
"""

import argparse
import logging
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from dramatiq.middleware import Middleware, TimeLimitExceeded

OURS = ("feeds.", "pymemcache.")
CALLS = 60  # about as many calls as an acquire or a release makes


class RandomInterrupts(Middleware):
    """From here on, interrupt the thread at some call that our code makes. Once a message, or not at all."""

    def __init__(self, luck: random.Random) -> None:
        self.luck = luck
        self.count = 0

    def arm(self) -> None:
        left = self.luck.randrange(1, CALLS)

        def profile(frame: Any, event: str, argument: Any) -> None:
            nonlocal left
            # Not instead of leaving a `with`: the interpreter delivers no exception there.
            leaves = event == "c_call" and argument.__name__ == "__exit__"
            if event.endswith("call") and not leaves and frame.f_globals.get("__name__", "").startswith(OURS):
                left -= 1
                if not left:
                    sys.setprofile(None)
                    self.count += 1
                    raise TimeLimitExceeded

        sys.setprofile(profile)

    def disarm(self) -> None:
        sys.setprofile(None)


class InAcquire(RandomInterrupts):
    """Stands above the lock."""

    def before_process_message(self, broker: Any, message: Any) -> None:
        if "lock_waits" not in message.options and "retries" not in message.options:
            self.arm()

    def after_process_message(self, *_: Any, **__: Any) -> None:
        self.disarm()

    after_skip_message = after_process_message


class InRelease(RandomInterrupts):
    """Stands below the lock: its before-hook comes last, its after-hook first."""

    def before_process_message(self, broker: Any, message: Any) -> None:
        self.disarm()

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        if exception is None and message.options.get("retries", 0) < 2:
            self.arm()


def interrupts(folder: Path, *, rounds: int, seed: int) -> list[str]:
    """Let so many messages run; return what is wrong."""
    from tests.faults.stage import Stage
    from tests.faults.variants import OURS as VARIANT

    luck = random.Random(seed)
    above, below = InAcquire(luck), InRelease(luck)
    keys = [f"key-{number}" for number in range(rounds)]
    with Stage(VARIANT, folder, threads=4, outside=[above], inside=[below], max_retries=20) as stage:
        for key in keys:
            stage.send(key)
        problems = stage.settle(within=60 + rounds / 10)
        history = stage.history()
        problems += [f"{key}: not served" for key in keys if not history.served(key)]
        problems += [f"{key}: the lock is left behind" for key in keys if stage.locked(key)]
        problems += [] if all(thread.is_alive() for thread in stage.threads()) else ["a thread has ended"]
    if above.count + below.count < rounds / 2:
        problems.append(f"only {above.count} and {below.count} interrupts: the test tests nothing")
    print(f"{above.count} interrupts in acquire, {below.count} in release, of {rounds} messages")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    settings.configure(USE_TZ=True)
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        problems = interrupts(Path(folder), **vars(options))
    print(*(problems[:10] or [f"holds, {time.monotonic() - began:.0f} s"]), sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
