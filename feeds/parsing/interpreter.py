"""The Python that children run in: `sys.executable`, which under uWSGI is the server; and how one is started."""

import multiprocessing.spawn
import os
import subprocess
from multiprocessing import popen_spawn_posix, spawn
from types import FunctionType, SimpleNamespace
from typing import Any

from feeds.exceptions import describe

PATIENCE = 10.0  # seconds until a Python that was started to try it has answered


def start_problem() -> str:
    """Say why no child can start in this process; "" = one can. A Python is started to see: 0.01 s."""
    if multiprocessing.current_process().daemon:
        return "no process for parsing can start: this one is daemonic, and may have no children"
    program = os.fsdecode(multiprocessing.spawn.get_executable() or "")
    try:
        command = [program, "-I", "-S", "-c", "print('ready')"]
        started = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        return f"no process for parsing can start: {describe(error)}"
    return "" if started.stdout.strip() == b"ready" else f"no process for parsing can start: {program} is no Python"


def _preparation(name: str) -> dict[str, Any]:
    said = spawn.get_preparation_data(name)
    return {key: value for key, value in said.items() if not key.startswith("init_main")}


class WithoutMain(popen_spawn_posix.Popen):
    """Starts a child that does not import the main module of this process.

    multiprocessing would: a script without `if __name__ == "__main__":` would be run once more by each child. It has no
    switch for that, so its own function runs here with another `spawn`; nothing of it is changed for others.
    """

    _launch = FunctionType(
        popen_spawn_posix.Popen._launch.__code__,  # type: ignore[attr-defined]  # typeshed leaves it out
        vars(popen_spawn_posix)
        | {
            "spawn": SimpleNamespace(
                get_preparation_data=_preparation,
                get_command_line=spawn.get_command_line,
                get_executable=spawn.get_executable,
            )
        },
    )
