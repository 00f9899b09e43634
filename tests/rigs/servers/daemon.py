"""A server program in, a running server on a free loopback port out; everything it writes stays in its own folder."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Self

import pytest

BUSY = 5  # times slower than two processors of its own a machine may be
FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/lib/rabbitmq/bin")


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true")


def program(name: str, *folders: str) -> str:
    """Return the path of a program; without it the test is skipped on a laptop and fails in CI."""
    path = shutil.which(name, path=os.pathsep.join((*folders, os.environ.get("PATH", os.defpath), *FOLDERS)))
    if path is None:
        missing(name)
    return str(path)


def missing(name: str) -> None:
    """Skip the test on a laptop, fail it in CI."""
    (pytest.fail if in_ci() else pytest.skip)(f"{name} is not installed; tests/run.sh installs it")


def free_port() -> int:
    """Return a loopback port that nobody listens on.

    It lies below the range that the kernel draws client ports from: while a server is stopped, none of its clients
    can be given its port, or be connected to itself.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def eventually(check: Callable[[], object], *, within: float, what: str) -> None:
    """Ask until the answer is true; for what lives in other processes and tells nobody.

    `within`: seconds that it takes at most on two processors of its own; a busy machine is given more.
    """
    deadline = time.monotonic() + within * BUSY
    while not check():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within * BUSY:g} s: {what}")
        time.sleep(0.02)


def tail(path: Path, lines: int = 200) -> str:
    """Return the last lines of a log."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


class Daemon:
    """One server process and its children. Subclasses say how it is called and when it is ready."""

    name = ""
    patience = 30.0  # seconds to become ready
    user: str | None = None  # whom to run as; None = whoever we are
    start_in: Path | None = None  # None = its own folder

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def answers(self) -> bool:
        """Tell whether the server serves."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the server, on the same port as before, and wait until it serves."""
        with self.log.open("ab") as log:
            self._process = self._spawn(log)
        eventually(self._answers_or_died, within=self.patience, what=f"{self.name} is ready")

    def stop(self) -> None:
        """Ask the server to end, and wait for it."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the server and its children, with kill -9."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop the server without closing a connection, and wait until it has stopped."""
        assert self._process is not None
        self._signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)  # else it may answer once more

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(),
            cwd=self.start_in or self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=self.user,
            group=self.user and primary_group(self.user),
            extra_groups=[] if self.user else None,
        )

    def _answers_or_died(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            pytest.fail(f"{self.name} ended with {self._process.returncode}:\n{tail(self.log)}")
        try:
            return self.answers()
        except OSError:
            return False

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._signal(number)
        self._signal(signal.SIGCONT)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait(timeout=10)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()  # nothing is worth keeping


def new_folder(parent: Path, name: str) -> Path:
    """Make a folder for a server, which may run as a user of its own."""
    folder = parent / name
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def primary_group(user: str) -> int:
    import pwd  # not on Windows, where no server is started

    return pwd.getpwnam(user).pw_gid


def connect(port: int) -> bool:
    """Tell whether somebody listens on a loopback port; raise OSError if not."""
    with socket.create_connection(("127.0.0.1", port), timeout=2):
        return True


def ask(port: int, question: bytes, *, timeout: float = 2.0) -> bytes:
    """Send bytes to a loopback port and return the first bytes of the answer. `timeout` in seconds."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(question)
        return connection.recv(65_536)
