"""The scripted server of feedscore, under the names that the tests use it by, and with their certificate."""

from pathlib import Path

from tests.politeness.server import Handler, Pieces, Received, ScriptedServer, answer

__all__ = ["CERTIFICATE", "FeedServer", "Handler", "Pieces", "Received", "answer"]

CERTIFICATE = Path(__file__).parents[2] / "data" / "tls.pem"  # for localhost, feeds.test and 127.0.0.1; with its key


class FeedServer(ScriptedServer):
    def __init__(self, tls: bool = False, routes: dict[str, Handler | bytes] | None = None) -> None:
        super().__init__(CERTIFICATE)  # without TLS of its own it may still be a proxy with a tunnel
        self.tls = tls
        self.routes.update(routes or {})

    def url(self, path: str = "/feed", host: str = "127.0.0.1") -> str:
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"

    def speaks_tls(self) -> bool:
        return self.tls
