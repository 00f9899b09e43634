"""Interrupts in acquire, in the body and in release: no lock leaks, nobody else's is deleted, no message is lost.

    uv run python -m tests.rigs.faults.interrupts [--rounds 1000] [--seed 1]

Real worker threads under the real middleware. In acquire and in release the interrupt comes out of a random call, since
a clock would rarely hit them; in the body Dramatiq's own time limit sends it, after a random time.
"""

import argparse
import logging
import os
import random
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from dramatiq.middleware import Middleware, Shutdown, TimeLimitExceeded

from tests.rigs.faults.work import OTHERS, lock_key
from tests.rigs.history import violations
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.workers import PROJECT

if TYPE_CHECKING:
    from tests.rigs.faults.stage import Stage
    from tests.rigs.faults.variants import Variant

LOCKS = ("feeds.", "pymemcache.", "tests.rigs.faults.recipe")
CALLS = 150  # as many as an acquire or a release makes, or a few more: then the message runs undisturbed
BODY = 3.0  # ms; about as long as a body lasts beside three others
WAVES = 10  # of messages, at most
UNGUARDED = ("after_process_message", "_release")  # functions that an interrupt may keep from coming to their `try`
HELD = "held"  # a key that somebody else has all the while: a late reply could be taken for its grant


class Interrupts(Middleware):
    """Interrupt a worker thread once a message, or not at all."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.count = 0
        self.unguarded = 0  # of them, where no hook can catch it yet

    def arm(self) -> None:
        """From here on, interrupt the thread at some call that the lock makes."""
        left = self.rng.randrange(1, CALLS)

        def profile(frame: Any, event: str, argument: Any) -> None:
            nonlocal left
            # Not instead of leaving a `with`: the interpreter delivers no exception there.
            leaves = event == "c_call" and argument.__name__ == "__exit__"
            if event.endswith("call") and not leaves and frame.f_globals.get("__name__", "").startswith(LOCKS):
                left -= 1
                if not left:
                    sys.setprofile(None)
                    self.count += 1
                    self.unguarded += event == "call" and frame.f_code.co_name in UNGUARDED
                    raise self.rng.choice((TimeLimitExceeded, Shutdown))

        sys.setprofile(profile)

    def disarm(self) -> None:
        sys.setprofile(None)


class InAcquire(Interrupts):
    """Stands above the lock."""

    def before_process_message(self, broker: Any, message: Any) -> None:
        if "lock_waits" not in message.options and "retries" not in message.options:
            self.arm()

    def after_process_message(self, *_: Any, **__: Any) -> None:
        self.disarm()

    after_skip_message = after_process_message


class InRelease(Interrupts):
    """Stands below the lock. In every third case the lock is lost meanwhile, and somebody else has it."""

    memcached: Memcached

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.ended: list[str] = []  # keys whose run has ended well
        self.robbed: list[str] = []

    def before_process_message(self, broker: Any, message: Any) -> None:
        self.disarm()

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        if exception is None:
            self.ended.extend(message.args)
            if self.rng.random() < 1 / 3:
                self.memcached.set(lock_key(*message.args), OTHERS, 3_600)
                self.robbed.extend(message.args)
            self.arm()


class InBody(Interrupts):
    """Stands lowest: gives the first run of a message a time limit that ends in the body, or soon after."""

    def before_process_message(self, broker: Any, message: Any) -> None:
        message.options.pop("time_limit", None)
        if "retries" not in message.options:
            message.options["time_limit"] = self.rng.uniform(0, BODY)

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        self.count += isinstance(exception, TimeLimitExceeded)


def interrupts(folder: Path, variant: "Variant", *, rounds: int, seed: int) -> tuple[str, list[str]]:
    """Let messages run until there were so many interrupts in each place; return what was done, and what is wrong."""
    from tests.rigs.faults.stage import Stage

    rng = random.Random(seed)
    places = acquire, body, release = InAcquire(rng), InBody(rng), InRelease(rng)
    options = {"threads": 4, "limit_interval": 1, "lock_expire": 3_600, "lock_conflict": "skip", "max_retries": 20}
    with Stage(variant, folder, outside=[acquire], inside=[release, body], **options) as stage:
        release.memcached = stage.memcached
        stage.memcached.set(lock_key(HELD), OTHERS, 3_600)
        keys, unsettled = _send(stage, places, rounds)
        problems = _wrong(stage, keys, release) + unsettled
    if any(place.count < rounds for place in places):
        problems.append("too few interrupts: the test tests nothing")
    counts = f"{acquire.count} interrupts in acquire, {body.count} in the body, {release.count} in release"
    return f"{counts}, of {len(keys)} messages; {len(release.robbed)} locks were another's by then", problems


def _send(stage: "Stage", places: Sequence[Interrupts], rounds: int) -> tuple[list[str], list[str]]:
    """Send messages until they have been interrupted often enough. After each comes one for a lock that is held."""
    keys: list[str] = []
    for wave in range(WAVES):
        if all(place.count >= rounds for place in places):
            break
        keys += (more := [f"key-{wave}-{number}" for number in range(rounds)])
        for key in more:
            stage.send(key)
            stage.actor.send(HELD)
        if problems := stage.settle(within=60 + rounds / 5):
            return keys, problems
    return keys, []


def _wrong(stage: "Stage", keys: list[str], release: InRelease) -> list[str]:
    again = [key for key, times in Counter(release.ended).items() if times > 1]
    return [
        *([f"{HELD}: ran although somebody else held it"] if stage.begun(HELD) else []),
        *(["a thread has ended"] if any(map(_has_ended, stage.threads())) else []),
        *(f"{key}: another's lock was deleted" for key in [HELD, *release.robbed] if not _is_others(stage, key)),
        *(f"{key}: the lock is left behind" for key in keys if key not in release.robbed and stage.locked(key)),
        *(f"{key}: a run that had succeeded was repeated" for key in again if len(again) > release.unguarded),
        *violations(stage.history()),
    ]


FEEDS = str(PROJECT / "feeds") + os.sep
# Threads that an interrupt met late, in code of Dramatiq's between two messages, and not in a hook of ours.
_ended_by_dramatiq: list[threading.Thread | None] = []


def _has_ended(thread: threading.Thread) -> bool:
    return not thread.is_alive() and thread not in _ended_by_dramatiq


def _note_end(ended: threading.ExceptHookArgs) -> None:
    frames = traceback.extract_tb(ended.exc_traceback)
    if frames and not any(frame.filename.startswith(FEEDS) for frame in frames):
        _ended_by_dramatiq.append(ended.thread)
    else:
        threading.__excepthook__(ended)


def _is_others(stage: "Stage", key: str) -> bool:
    return stage.memcached.get(lock_key(key)) == OTHERS


def main() -> int:
    threading.excepthook = _note_end
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    settings.configure(USE_TZ=True)
    logging.disable(logging.CRITICAL)
    from tests.rigs.faults import variants

    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        done, problems = interrupts(Path(folder), variants.OURS, **vars(options))
    print(done, *(problems[:10] or [f"holds, {time.monotonic() - began:.0f} s"]), sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
