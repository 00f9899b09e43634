"""The work that the locks protect: one revision for each key, read when a run begins, raised when it ends."""

import hashlib
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.rigs.history import Recorder

ACTOR = "work"
OTHERS = b"somebody else"  # what a lock holds that is nobody's of ours


def lock_key(key: str) -> str:
    """Return the key in memcached, with the prefix and the version that Django's caches put before it."""
    return f":1:{ACTOR}-lock-{hashlib.md5(key.encode()).hexdigest()}"


class Revisions:
    """A file with one number for each key, which several processes may read and write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._connection() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS revision (key TEXT PRIMARY KEY, number INTEGER NOT NULL)")

    def read(self, key: str) -> int:
        with self._connection() as connection:
            row = connection.execute("SELECT number FROM revision WHERE key = ?", (key,)).fetchone()
        return row[0] if row else 0

    def advance(self, key: str, read: int | None) -> bool:
        """Move a key on by one; with `read`, only if it still has that revision. Return whether it was moved."""
        with self._connection() as connection:
            connection.execute("INSERT OR IGNORE INTO revision VALUES (?, 0)", (key,))
            fence, values = ("", (key,)) if read is None else (" AND number = ?", (key, read))
            return (
                connection.execute(f"UPDATE revision SET number = number + 1 WHERE key = ?{fence}", values).rowcount > 0
            )

    def _connection(self) -> closing[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        return closing(connection)


class Work:
    """The body of an actor: begins, waits until `hold` returns, ends. Fenced or, as in the recipe, not."""

    def __init__(
        self,
        recorder: Recorder,
        revisions: Revisions,
        *,
        fenced: bool,
        locked: Callable[[str], bool],
        hold: Callable[[str], None],
    ) -> None:
        self._recorder = recorder
        self._revisions = revisions
        self._fenced = fenced
        self._locked = locked
        self._hold = hold

    def __call__(self, key: str) -> None:
        token, revision = uuid.uuid4().hex, self._revisions.read(key)
        self._recorder.write("begin", key=key, token=token, revision=revision)
        if not self._locked(key):
            self._recorder.write("unlocked", key=key)
        self._hold(key)
        committed = self._revisions.advance(key, revision if self._fenced else None)
        self._recorder.write("end", token=token, committed=committed)
