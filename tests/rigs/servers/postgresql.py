"""A real PostgreSQL cluster, made for speed and not for keeping."""

import glob
import itertools
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from tests.rigs.servers.daemon import Daemon, program

# Debian keeps these off the PATH, one folder per major version; the newest first.
FOLDERS = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]), reverse=True)

UNSAFE_BUT_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class PostgreSQL(Daemon):
    name = "postgresql"
    settings: tuple[str, ...] = ()  # besides; "shared_buffers=2GB"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.user = unprivileged_user()
        self.cluster = folder / "cluster"
        self._numbers = itertools.count(1)

    def url(self, database: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def command(self) -> list[str]:
        where = (f"port={self.port}", "listen_addresses=127.0.0.1", "max_connections=200")
        options = (*UNSAFE_BUT_FAST, *where, *self.settings)
        given = [word for option in (*options, f"unix_socket_directories={self.folder}") for word in ("-c", option)]
        return [program("postgres", *FOLDERS), "-D", str(self.cluster), *given]

    def answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def start(self) -> None:
        if not self.cluster.exists():
            self._make_cluster()
        super().start()

    def stop(self) -> None:
        """Close all connections and end; at SIGTERM it would wait for its clients."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End at once, as in a crash, but give back the shared memory."""
        self._end(signal.SIGQUIT)

    def create_database(self, template: str = "template1", *, large: bool = False) -> str:
        """Create a database like the template and return its name. A large one by way of the WAL takes minutes."""
        name, strategy = f"feeds_{next(self._numbers)}", "STRATEGY file_copy" if large else ""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} {strategy}")
        return name

    def drop_database(self, name: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=2) as connection:
            connection.execute(statement)

    def _make_cluster(self) -> None:
        if self.user:
            shutil.chown(self.folder, self.user)
        choices = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync"]
        subprocess.run(
            [program("initdb", *FOLDERS), "-D", str(self.cluster), *choices],
            cwd=self.folder,
            user=self.user,
            group=self.user and pwd.getpwnam(self.user).pw_gid,
            extra_groups=[] if self.user else None,
            check=True,
            capture_output=True,
        )


def unprivileged_user() -> str | None:
    """Return whom to run as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
