"""The servers of a mixed day, in one process: 85 of 100 answers bring nothing new, 10 a new entry, 5 are failures.

It remembers what it has said: `/state` tells. After `/calm` it neither fails nor says anything new.
"""

import asyncio
import contextlib
import json
import random
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.rigs.servers.daemon import Daemon, connect

HOSTS = 20  # addresses of loopback
LISTED = 15  # entries of a document
NEW, FAILING = 0.10, 0.05  # of all answers
FAILURES = ("500", "500", "404", "reset", "half", "no feed", "slow", "hang")
LATENCY, SLOW = (0.0, 0.03), 1.5  # seconds

ENTRY = (
    '<entry><title>Number {number}</title><id>urn:{feed}:{number}</id><link href="/{feed}/{number}"/>'
    "<updated>2026-06-01T12:00:00Z</updated><content type='html'>{text}</content></entry>"
)
TEXT = "&lt;p&gt;Some words of a &lt;a href='/page'&gt;page&lt;/a&gt; about this and that.&lt;/p&gt;" * 8
DOCUMENT = '<feed xmlns="http://www.w3.org/2005/Atom"><title>{feed}</title><id>urn:{feed}</id>{entries}</feed>'


@dataclass(slots=True)
class Told:
    """What the server has said of a feed, and when it was asked."""

    entries: int = 3
    requests: int = 0
    open: int = 0
    last: float = 0.0  # when the last answer ended
    overlaps: list[float] = field(default_factory=list)  # when a request met another one


class DayServer(Daemon):
    """The process."""

    name = "day"
    start_in = Path(__file__).resolve().parents[3]

    def command(self) -> list[str]:
        return [sys.executable, "-m", __name__, str(self.port)]

    def answers(self) -> bool:
        return connect(self.port)

    def urls(self, count: int) -> list[str]:
        return [f"http://127.0.0.{1 + number % HOSTS}:{self.port}/{number}" for number in range(count)]

    def calm(self) -> None:
        self._ask("calm")

    def state(self) -> dict[str, Any]:
        """Return `answers`, how often each kind was given, and `feeds`, what was told of each by its path."""
        state: dict[str, Any] = self._ask("state")
        return state

    def _ask(self, path: str) -> Any:
        with urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=30) as answer:
            return json.load(answer)


class Day:
    """Answers requests, in one thread."""

    def __init__(self) -> None:
        self._feeds: dict[str, Told] = {}
        self._answers: Counter[str] = Counter()
        self._random = random.Random(1)
        self._is_calm = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):  # the client went away
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ")[1].decode().removeprefix("/")
                etag = next(
                    (line[15:] for line in head.split(b"\r\n") if line.lower().startswith(b"if-none-match:")), b""
                )
                if path in ("state", "calm"):
                    self._is_calm |= path == "calm"
                    feeds = {name: asdict(told) for name, told in self._feeds.items()}
                    await _send(writer, "200 OK", json.dumps({"answers": self._answers, "feeds": feeds}).encode())
                elif not await self._counted(path, etag.strip().decode(), reader, writer):
                    break
        writer.close()

    async def _counted(self, path: str, etag: str, *streams: Any) -> bool:
        """Answer, and count the request while it is open; return whether the connection goes on."""
        told = self._feeds.setdefault(path, Told())
        if told.open:
            told.overlaps.append(time.time())
        told.open += 1
        told.requests += 1
        try:
            return await self._answer(path, told, etag, *streams)
        finally:
            told.open -= 1
            told.last = time.time()

    async def _answer(
        self, path: str, told: Told, etag: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        chance = 1.0 if self._is_calm or told.requests == 1 else self._random.random()
        failure = self._random.choice(FAILURES) if chance < FAILING else ""
        told.entries += FAILING <= chance < FAILING + NEW
        body, current = _document(path, told.entries), f'"{told.entries}"'
        kind = failure or ("unchanged" if etag == current else "whole")
        self._answers[kind] += 1
        await asyncio.sleep(SLOW if failure == "slow" else self._random.uniform(*LATENCY))
        match kind:
            case "hang":
                await reader.read(1)  # until the client goes
            case "reset":
                writer.transport.abort()
            case "half":
                writer.write(
                    f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[: len(body) // 2]
                )
                await writer.drain()
            case "500" | "404":
                await _send(writer, f"{kind} Trouble", b"")
            case "no feed":
                await _send(writer, "200 OK", b"<html><body>Back soon</body></html>")
            case "unchanged":
                await _send(writer, "304 Not Modified", b"", current)
            case _:
                await _send(writer, "200 OK", body, current)
        return kind not in ("hang", "reset", "half")


def _document(path: str, count: int) -> bytes:
    listed = range(count - 1, max(-1, count - 1 - LISTED), -1)
    entries = "".join(ENTRY.format(feed=path, number=number, text=TEXT) for number in listed)
    return DOCUMENT.format(feed=path, entries=entries).encode()


async def _send(writer: asyncio.StreamWriter, status: str, body: bytes, etag: str = "") -> None:
    length = "" if status.startswith("304") else f"Content-Length: {len(body)}\r\n"
    validator = f"ETag: {etag}\r\n" if etag else ""
    writer.write(f"HTTP/1.1 {status}\r\n{length}{validator}\r\n".encode() + body)
    await writer.drain()


async def main(port: int) -> None:
    day = Day()
    hosts = [f"127.0.0.{1 + number}" for number in range(HOSTS)]
    async with await asyncio.start_server(day.serve, hosts, port, backlog=1024) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
