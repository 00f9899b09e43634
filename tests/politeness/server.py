"""A server that keeps, for each of its feeds, a log of what was asked for and what was answered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from tests.rigs.servers.feed_server import FeedServer, Handler, Pieces, Received, answer

Address = tuple[int, int, int, str, tuple[str, int]]  # as getaddrinfo returns it


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer; b"" is one that was sent piece by piece."""

    at: datetime
    request: Received
    answer: bytes = b""

    @property
    def status(self) -> int:
        return int(self.answer[9:12] or 0)

    @property
    def body(self) -> bytes:
        return self.answer.partition(b"\r\n\r\n")[2]

    def answered(self, name: str) -> str:
        """Return a header of the answer; "" if it had none of that name."""
        head = self.answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        values = (line.partition(": ") for line in head)
        return next((value for key, _, value in values if key.lower() == name), "")


@dataclass(slots=True, kw_only=True)
class ServedFeed:
    """One feed: its answers in their order, of which the last is given again and again."""

    url: str
    now: Callable[[], datetime]
    replies: tuple[bytes | Handler, ...]
    by_hand: bool = False  # a person asks for the checks, so they may come early
    shared: bool = False  # several feeds lead here, so one request need not follow from the answer before it
    log: list[Exchange] = field(default_factory=list)

    def __call__(self, request: Received) -> bytes | Pieces:
        reply = self.replies[min(len(self.log), len(self.replies) - 1)]
        given = reply(request) if callable(reply) else reply
        self.log.append(Exchange(self.now(), request, given if isinstance(given, bytes) else b""))
        return given

    def intervals(self) -> list[timedelta]:
        """Return the times between the requests."""
        return [later.at - earlier.at for earlier, later in pairwise(self.log)]

    def sent(self, name: str) -> list[str | None]:
        """Return a header of each request."""
        return [exchange.request.header(name) for exchange in self.log]


class PoliteServer(FeedServer):
    """Serves feeds by host and target, so that each can have a host of its own. All hosts lead here."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.now = now
        self.feeds: list[ServedFeed] = []
        self.addresses: dict[str, list[str]] = {}  # of hosts that lead elsewhere

    def serve(
        self,
        *replies: bytes | Handler,
        host: str = "feed.example",
        target: str = "/feed",
        by_hand: bool = False,
        shared: bool = False,
    ) -> ServedFeed:
        """Put a feed on the server."""
        url = self.url(target, host)
        feed = ServedFeed(url=url, now=self.now, replies=replies, by_hand=by_hand, shared=shared)
        self.routes[host + target] = feed
        self.feeds.append(feed)
        return feed

    def handler(self, request: Received) -> Handler | bytes:
        host = (request.header("Host") or "").partition(":")[0]
        return self.routes.get(host + request.target, answer(404))

    def getaddrinfo(self, host: str, port: int, **_: Any) -> list[Address]:
        addresses = self.addresses.get(host, ["127.0.0.1"])
        return [(10 if ":" in address else 2, 1, 6, "", (address, port)) for address in addresses]
