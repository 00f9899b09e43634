"""A real RabbitMQ: a node of its own with its own name, ports, cookie and port mapper (epmd)."""

from pathlib import Path

import pika

from tests.rigs.servers.daemon import Daemon, ask, free_port, program

KINDS = ("", ".DQ", ".XQ")  # due, delayed, dead
QUEUES = ("default", "feeds", "feeds_scheduled")


class PortMapper(Daemon):
    """epmd. A node would start one as a daemon that nobody ends."""

    name = "epmd"

    def command(self) -> list[str]:
        return [program("epmd"), "-port", str(self.port), "-address", "127.0.0.1"]

    def answers(self) -> bool:
        return bool(ask(self.port, b"\x00\x01n"))  # NAMES_REQ: which nodes are there?


class RabbitMQ(Daemon):
    name = "rabbitmq"
    patience = 60.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.mapper = PortMapper(folder)
        self.node_port = free_port()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def command(self) -> list[str]:
        # The program on the PATH of Debian wants to be root or rabbitmq, and runs as rabbitmq in its home.
        return [program("rabbitmq-server", "/usr/lib/rabbitmq/bin")]

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self.mapper.port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none.conf"),
            "RABBITMQ_CONFIG_FILE": str(self._file("rabbitmq.conf", self._configuration())),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._file("enabled_plugins", "[].\n")),
            "RABBITMQ_NODENAME": f"feeds-{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.node_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",  # leave the cores to the workers
        }

    def answers(self) -> bool:
        return ask(self.port, b"AMQP\x00\x00\x09\x01")[:1] == b"\x01"  # a method frame: connection.start

    def start(self) -> None:
        self.mapper.start()
        super().start()

    def kill(self) -> None:
        super().kill()
        self.mapper.kill()

    def delete_queues(self) -> None:
        """Delete the queues that Dramatiq makes."""
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            for queue in QUEUES:
                for kind in KINDS:
                    connection.channel().queue_delete(queue + kind)

    def _configuration(self) -> str:
        lines = [
            f"listeners.tcp.1 = 127.0.0.1:{self.port}",
            "disk_free_limit.absolute = 1MB",
            "log.console.level = warning",
        ]
        return "\n".join(lines) + "\n"

    def _file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path
