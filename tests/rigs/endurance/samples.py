"""What processes hold, looked at now and then: memory, threads, file handles, connections to the database."""

import re
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

STATUS = re.compile(r"VmRSS:\s+(\d+) kB.*Threads:\s+(\d+)", re.DOTALL)
DRIFT = 0.05  # of the memory
MORE = 8  # threads, handles or connections that may have come: one for each thread


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    at: float  # seconds since the beginning
    answers: int  # of the server, so far
    queued: int
    memory: int  # KiB; this and the next two of the worker that is never killed
    threads: int
    files: int
    others: int  # KiB of the worker that is killed now and then
    connections: int  # to the database, of both


def held(pid: int) -> tuple[int, int, int]:
    """Return a process's KiB, threads and file handles; 0 where it has ended."""
    process = Path(f"/proc/{pid}")
    try:
        found = STATUS.search((process / "status").read_text())
        files = len(list((process / "fd").iterdir()))
    except OSError:
        return 0, 0, 0
    return (int(found[1]), int(found[2]), files) if found else (0, 0, 0)


def table(samples: list[Sample], rows: int = 12) -> str:
    lines = ["  minute  answers/s  queued  MB  threads  files  MB of the other  database connections"]
    before = samples[0]
    for sample in samples[:: max(1, len(samples) // rows)]:
        rate = (sample.answers - before.answers) / max(1.0, sample.at - before.at)
        lines.append(
            f"{sample.at / 60:8.1f} {rate:10.1f} {sample.queued:7} {sample.memory / 1024:3.0f} {sample.threads:8}"
            f" {sample.files:6} {sample.others / 1024:16.0f} {sample.connections:21}"
        )
        before = sample
    return "\n".join(lines)


def problems(samples: list[Sample], warm: float) -> list[str]:
    """Say what has grown between the first and the last quarter of what came after the warm-up. In seconds."""
    later = [sample for sample in samples if sample.at >= warm]
    quarter = max(1, len(later) // 4)

    def change(of: Callable[[Sample], int]) -> tuple[float, float]:
        return (statistics.median(map(of, later[:quarter])), statistics.median(map(of, later[-quarter:])))

    first, last = change(lambda sample: sample.memory)
    megabytes = f"{first / 1024:.1f} MB, in the end {last / 1024:.1f} MB: {last / first - 1:+.1%}"
    print(f"memory after the warm-up of {warm:.0f} s: {megabytes}")
    found = [] if abs(last / first - 1) <= DRIFT else ["the memory is not flat"]
    for name in ("threads", "files", "connections"):
        first, last = change(lambda sample, name=name: getattr(sample, name))
        found += [f"{name}: {first:g}, in the end {last:g}"] if last > first + MORE else []
    return found
