"""A real Redis."""

from tests.rigs.servers.daemon import Daemon, ask, program


class RedisServer(Daemon):
    name = "redis-server"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        place = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        return [program("redis-server"), *place, "--save", "", "--appendonly", "no"]

    def answers(self) -> bool:
        return ask(self.port, b"PING\r\n") == b"+PONG\r\n"
