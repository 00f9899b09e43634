"""A real memcached, and the few commands with which tests look at locks from outside."""

import os
from pathlib import Path
from typing import Any

from tests.rigs.servers.daemon import Daemon, ask, program


class Memcached(Daemon):
    name = "memcached"

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder)
        self._options = options

    @property
    def location(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        as_root = ["-u", "root"] if os.geteuid() == 0 else []  # it refuses to run as root by accident
        return [
            program("memcached"),
            "-l",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            "0",
            "-m",
            "16",
            *as_root,
            *self._options,
        ]

    def answers(self) -> bool:
        return ask(self.port, b"version\r\n").startswith(b"VERSION")

    def flush(self) -> None:
        """Forget everything, as `cache.clear()` makes it do."""
        assert ask(self.port, b"flush_all\r\n") == b"OK\r\n"

    def set(self, key: str, value: bytes, seconds: int) -> None:
        answer = ask(self.port, f"set {key} 0 {seconds} {len(value)}\r\n".encode() + value + b"\r\n")
        assert answer == b"STORED\r\n", answer

    def get(self, key: str) -> bytes | None:
        """Return the value, or None where there is none."""
        answer = ask(self.port, f"mg {key} v\r\n".encode())
        return None if answer == b"EN\r\n" else answer.split(b"\r\n")[1]

    def ttl(self, key: str) -> int | None:
        """Return the seconds the key has left, -1 for one that never expires, None where there is none."""
        answer = ask(self.port, f"mg {key} t\r\n".encode())
        return None if answer == b"EN\r\n" else int(answer.split()[1].removeprefix(b"t"))


def locks_in(location: str) -> dict[str, Any]:
    """Return the caches of settings whose locks are in the memcached there."""
    return {"locks": {"BACKEND": "feeds.locking.MemcachedLocks", "LOCATION": location}}
