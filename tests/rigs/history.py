"""What really happened, from the records of every worker; violations of "one at a time" and "nothing lost".

Workers append one JSON line for each event to one file. A line is one write with O_APPEND, so lines of many processes
neither mix nor overwrite one another, and nothing of the code under test is asked. The times are those of
CLOCK_MONOTONIC, which all processes of one machine share.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, groupby
from operator import attrgetter
from pathlib import Path
from typing import Any


class Recorder:
    """Appends events to a log."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, event: str, **facts: Any) -> None:
        line = json.dumps({"event": event, "at": time.monotonic(), "pid": os.getpid(), **facts})
        os.write(self._file, line.encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of an actor's body."""

    key: str
    token: str  # unique to the run
    begun: float
    revision: int  # read at the beginning
    ended: float | None = None  # None: it never ended, its process was killed
    committed: bool = False  # whether what it did counts; a fence may have refused it


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    requests: tuple[tuple[str, float], ...]  # key, when it was made
    runs: tuple[Run, ...]
    notes: tuple[dict[str, Any], ...]  # all other events

    def noted(self, event: str) -> list[dict[str, Any]]:
        return [note for note in self.notes if note["event"] == event]

    def served(self, key: str) -> int:
        """Return how many runs of a key are committed."""
        return sum(run.committed for run in self.runs if run.key == key)


def read(path: Path) -> History:
    if not path.exists():
        return History(requests=(), runs=(), notes=())
    # The last line may be half written while we read.
    lines = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    ends = {line["token"]: line for line in lines if line["event"] == "end"}
    return History(
        requests=tuple((line["key"], line["at"]) for line in lines if line["event"] == "request"),
        runs=tuple(_run(line, ends.get(line["token"])) for line in lines if line["event"] == "begin"),
        notes=tuple(line for line in lines if line["event"] not in ("request", "begin", "end")),
    )


def _run(begin: dict[str, Any], end: dict[str, Any] | None) -> Run:
    return Run(
        key=begin["key"],
        token=begin["token"],
        begun=begin["at"],
        revision=begin["revision"],
        ended=end and end["at"],
        committed=bool(end and end["committed"]),
    )


def overlapping_commits(history: History) -> list[str]:
    """Say which two committed runs of one key overlap, or stand on the same revision."""
    return [
        f"{first.key}: two committed runs overlap"
        for first, second in _pairs(run for run in history.runs if run.committed)
        if _overlap(first, second) or first.revision == second.revision
    ]


def overlapping_bodies(history: History) -> list[str]:
    """Say which two runs of one key overlap. One that was killed ends, for us, when it began: nobody saw it later."""
    return [f"{first.key}: two bodies overlap" for first, second in _pairs(history.runs) if _overlap(first, second)]


def unserved(history: History) -> list[str]:
    """Say which requests no committed run answers that ended after the request was made."""
    return [
        f"{key}: a request was not served"
        for key, made in history.requests
        if not any(run.key == key and run.committed and (run.ended or 0) >= made for run in history.runs)
    ]


def unserved_afresh(history: History) -> list[str]:
    """Say which requests no committed run answers that *began* after the request was made."""
    return [
        f"{key}: no run began after a request"
        for key, made in history.requests
        if not any(run.key == key and run.committed and run.begun >= made for run in history.runs)
    ]


def _pairs(runs: Iterable[Run]) -> Iterator[tuple[Run, Run]]:
    for _, of_key in groupby(sorted(runs, key=attrgetter("key", "begun")), key=attrgetter("key")):
        yield from combinations(of_key, 2)


def _overlap(first: Run, second: Run) -> bool:
    return first.begun < (second.ended or second.begun) and second.begun < (first.ended or first.begun)


def violations(history: History, *, overlaps_allowed: bool = False, afresh: bool = True) -> list[str]:
    """Say everything that is wrong. `overlaps_allowed`: the fault is one in which bodies may overlap, never commits."""
    bodies = [] if overlaps_allowed else overlapping_bodies(history)
    unlocked = [f"{note['key']}: ran without the lock" for note in history.noted("unlocked")]
    requests = unserved_afresh(history) if afresh else unserved(history)
    return sorted({*overlapping_commits(history), *bodies, *unlocked, *requests})
