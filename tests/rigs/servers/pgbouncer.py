"""A real PgBouncer in transaction mode, which gives each transaction another connection to PostgreSQL."""

import shutil
from pathlib import Path

import psycopg

from tests.rigs.servers.daemon import Daemon, program
from tests.rigs.servers.postgresql import PostgreSQL, unprivileged_user

CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
server_round_robin = 1
min_pool_size = 3
"""


class PgBouncer(Daemon):
    name = "pgbouncer"

    def __init__(self, folder: Path, postgresql: PostgreSQL) -> None:
        super().__init__(folder)
        self.user = unprivileged_user()  # it refuses to run as root
        self._server = postgresql.port

    def url(self, database: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def command(self) -> list[str]:
        configuration = self.folder / "pgbouncer.ini"
        configuration.write_text(CONFIGURATION.format(server=self._server, port=self.port))
        if self.user:
            shutil.chown(self.folder, self.user)
        return [program("pgbouncer", "/usr/sbin"), str(configuration)]

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def warm_up(self, database: str) -> None:
        """Let there be several connections to a database."""
        clients = [psycopg.connect(self.url(database)) for _ in range(3)]
        for client in clients:
            client.execute("SELECT 1")  # begins a transaction, which keeps its connection
        for client in clients:
            client.commit()
            client.close()
