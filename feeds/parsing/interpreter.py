"""The Python that children run in: `sys.executable`, which under uWSGI is the server."""

import multiprocessing.spawn
import os
import subprocess

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
