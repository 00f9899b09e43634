"""What the processes of a daemon have used: processor seconds and memory, from /proc."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def members(group: int) -> list[int]:
    """Return the processes of a process group."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal() and _group(path) == group]


def processor_seconds(group: int) -> float:
    """Return what a process group has used, with the children that have ended."""
    return sum(map(seconds_of, members(group)))


def seconds_of(pid: int) -> float:
    """Return what a process has used, with its children that have ended."""
    return sum(map(int, _fields(Path(f"/proc/{pid}"))[11:15])) / _TICKS


def children(pid: int) -> Iterator[int]:
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if f"PPid:\t{pid}\n" in status.read_text():
                yield int(status.parent.name)
        except OSError:
            continue


def command_line(pid: int) -> str:
    """Return the command of a process, "" if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def memory(pid: int | str = "self", what: str = "VmHWM") -> int:
    """Return bytes: the most that a process ever had, or what it has now, `VmRSS`; 0 = it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(what)), 0)


def forget_peak(pid: int | str = "self") -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _group(process: Path) -> int:
    fields = _fields(process)
    return int(fields[2]) if fields else 0


def _fields(process: Path) -> list[str]:
    """Return the fields of `stat` from the third on: the second, a name, may hold anything."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return []
