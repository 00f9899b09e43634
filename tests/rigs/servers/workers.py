"""Real worker processes: `manage.py rundramatiq` in, booted workers that can be killed out."""

import os
import re
import signal
import sys
from pathlib import Path

from tests.rigs.servers.daemon import BUSY, Daemon

PROJECT = Path(__file__).resolve().parents[3]

READY = re.compile(r"\[PID (\d+)\].*Worker process is ready for action")


class Workers(Daemon):
    """`rundramatiq -p processes -t threads`, with its own process group: a master and its workers."""

    name = "workers"
    patience = 60.0
    start_in = PROJECT

    def __init__(self, folder: Path, environment: dict[str, str], *, processes: int, threads: int) -> None:
        super().__init__(folder)
        self._environment = environment
        self._size = ["-p", str(processes), "-t", str(threads)]
        self._processes = processes
        self._seen = 0  # bytes of the log that earlier starts wrote

    def command(self) -> list[str]:
        return [sys.executable, str(PROJECT / "manage.py"), "rundramatiq", *self._size]

    def environment(self) -> dict[str, str]:
        return self._environment

    def answers(self) -> bool:
        return len(self.pids()) == self._processes

    def start(self) -> None:
        self._seen = self.log.stat().st_size if self.log.exists() else 0
        super().start()

    def pids(self) -> list[int]:
        """Return the process ids of the workers that have booted since the last start; the master is not among them."""
        text = self.log.read_bytes()[self._seen :].decode(errors="replace")
        return [int(pid) for pid in READY.findall(text)]

    def stop(self) -> None:
        """Ask the main process alone, which tells its workers: one that is told twice drops what it works on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=30 * BUSY)

    def kill_one(self) -> None:
        """Kill one worker with kill -9, as the kernel does when memory runs out; the master then ends the others."""
        os.kill(self.pids()[0], signal.SIGKILL)
        assert self._process is not None
        self._process.wait(timeout=30)

    def output(self) -> str:
        return self.log.read_text(errors="replace")
