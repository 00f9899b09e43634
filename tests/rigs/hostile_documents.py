"""What documents built to do harm cost the process that parses them: the GIL, memory, and what would be stored.

    nice python -m tests.rigs.hostile_documents --documents 20000 [--seed 1] [--limit 2]

Each document of `hostile_grammar` is parsed by a `Parser` in a thread, beside a thread that ticks. A hold of the GIL is
the processor time that all other threads take between two ticks, less the time for which the ticking thread waited for
a processor, and not for the GIL: how busy the machine is does not count. Growth is the peak of the resident memory
(VmHWM) over what was held before the document. Stored is the UTF-8 of all values. About 14 documents a second; two runs
of 10,000 beside each other (`--first 10000`) use both processors.
Printed are the worst of each, and every document over a limit; then the exit code is 1, and they are kept in a folder.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from feeds.parsing import Document, ParsedFeed, Parser, SandboxUnavailable, Unreadable
from tests.rigs.hostile_grammar import document
from tests.rigs.servers import processes

HOLD = 0.5  # seconds that the GIL may be held
GROWTH = 150_000_000  # bytes that the process may grow by, for one document
STORED = 20_000_000  # bytes that one document may make us store
TICK = 0.002  # seconds
WORST = 5  # documents of each kind that are shown


@dataclass
class Cost:
    """What one document cost."""

    number: int
    size: int
    outcome: str = ""
    hold: float = 0.0  # seconds of the processor
    wall: float = 0.0  # seconds between two ticks, by the clock
    processor: float = 0.0  # seconds, in this process
    seconds: float = 0.0  # by the clock
    growth: int = 0  # bytes
    stored: int = 0  # bytes

    def problems(self) -> list[str]:
        limits = (("hold", HOLD), ("growth", GROWTH), ("stored", STORED))
        found = [name for name, limit in limits if getattr(self, name) > limit]
        return [*found, *(["failed"] if self.outcome.startswith("failed") else [])]


class Ticks:
    """A thread that wants the GIL again and again, and sees how much the others ran meanwhile."""

    def __init__(self) -> None:
        self.hold = self.wall = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick)

    def __enter__(self) -> "Ticks":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _tick(self) -> None:
        ran, seen = _others_ran() - _waited(), time.monotonic()
        while not self._stop.is_set():
            time.sleep(TICK)
            now_ran, now = _others_ran() - _waited(), time.monotonic()
            self.hold, self.wall = max(self.hold, now_ran - ran), max(self.wall, now - seen)
            ran, seen = now_ran, now


def _others_ran() -> float:
    """Return the seconds of the processor that the other threads of this process took."""
    return time.process_time() - time.thread_time()


def _waited() -> float:
    """Return the seconds for which this thread was ready to run and had no processor (Linux's schedstat)."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


def measured(parser: Parser, body: bytes, number: int = 0) -> Cost:
    """Parse a document, and return what it cost."""
    cost = Cost(number=number, size=len(body))
    processes.forget_peak()
    before, began, ran = processes.memory(what="VmRSS"), time.monotonic(), time.thread_time()
    with Ticks() as ticks:
        parsed = _parsed(parser, body)
        cost.processor, cost.seconds = time.thread_time() - ran, time.monotonic() - began
    cost.hold, cost.wall, cost.growth = ticks.hold, ticks.wall, processes.memory() - before
    cost.outcome = parsed if isinstance(parsed, str) else parsed.text if isinstance(parsed, Unreadable) else "feed"
    cost.stored = stored(parsed) if isinstance(parsed, ParsedFeed) else 0
    return cost


def stored(parsed: ParsedFeed) -> int:
    """Return the bytes of all values of a document: of texts as they are, of lists as JSON."""
    values = (value for one in (*parsed.entries, _without_entries(parsed)) for value in asdict(one).values())
    texts = (one if isinstance(one, str) else json.dumps(one, default=str, ensure_ascii=False) for one in values)
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def _without_entries(parsed: ParsedFeed) -> ParsedFeed:
    return ParsedFeed(**{key: getattr(parsed, key) for key in parsed.__slots__ if key not in ("entries", "digests")})


def _parsed(parser: Parser, body: bytes) -> ParsedFeed | Unreadable | str:
    try:
        return parser.parse(Document(url="https://example.com/feed", body=body))
    except SandboxUnavailable as error:
        return f"unavailable: {error}"
    except Exception as error:
        return f"failed: {type(error).__name__}: {error}"


@dataclass
class Report:
    """The worst documents, and how many ended how."""

    costs: list[Cost] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{len(self.costs)} documents, {sum(cost.size for cost in self.costs) / 1e6:.0f} MB"]
        for name in ("hold", "wall", "processor", "seconds", "growth", "stored"):
            worst = sorted(self.costs, key=lambda cost, name=name: -getattr(cost, name))[:WORST]  # type: ignore[misc]
            lines.append(
                f"{name:10} " + ", ".join(f"{_number(getattr(cost, name))} (#{cost.number})" for cost in worst)
            )
        outcomes = Counter(cost.outcome for cost in self.costs)
        lines += [f"{count:7} {outcome}" for outcome, count in outcomes.most_common(25)]
        return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:.3f} s" if isinstance(value, float) else f"{value / 1e6:.1f} MB"


def of_number(seed: int, number: int) -> bytes:
    return document(random.Random(f"{seed}-{number}"))


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--documents", type=int, default=1000)
    options.add_argument("--first", type=int, default=0, help="number of the first document")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--limit", type=float, default=2.0, help="FEEDS_PARSE_LIMIT, seconds")
    given = options.parse_args()
    parser, report = Parser(limit=given.limit), Report()
    folder, found = Path(tempfile.mkdtemp(prefix="hostile-")), 0
    for number in range(given.first, given.first + given.documents):
        body = of_number(given.seed, number)
        report.costs.append(cost := measured(parser, body, number))
        if problems := cost.problems():
            found += 1
            (folder / f"{given.seed}-{number}").write_bytes(body)
            print(f"{', '.join(problems)}: {cost}", flush=True)
        if len(report.costs) % 1000 == 0:
            print(report, flush=True)
    parser.close()
    print(report, f"{found} over a limit, kept in {folder}" if found else "all within the limits", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")
    sys.exit(main())
