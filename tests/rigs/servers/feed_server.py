"""An HTTP server on a loopback port that says exactly what it is told, byte by byte, and remembers what was asked."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

CERTIFICATE = Path(__file__).parents[2] / "data" / "tls.pem"  # for localhost, feeds.test and 127.0.0.1; with its key


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    connection: int  # the number of the connection it came over
    over_tls: bool = False

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


# What is sent piece by piece; the connection is closed after it.
Pieces = Iterable[bytes]
Handler = Callable[[Received], bytes | Pieces]


def answer(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """Return a whole answer; `etag="x"` is a header, and so is `content_type`. A Content-Length is added."""
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    if not {"content_length", "transfer_encoding"} & headers.keys() and status != 304:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class FeedServer:
    """Serves `routes`, by target. Without TLS of its own it can still be a proxy with a tunnel."""

    listens_on = "127.0.0.1"

    def __init__(self, tls: bool = False, routes: dict[str, Handler | bytes] | None = None) -> None:
        self.tls = tls
        self.routes = dict(routes or {})
        self.received: list[Received] = []
        self.connections = 0
        self.stopping = threading.Event()

    def __enter__(self) -> Self:
        self._listener = socket.create_server((self.listens_on, 0))
        self.port: int = self._listener.getsockname()[1]
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(CERTIFICATE)
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        with socket.create_connection(("127.0.0.1", self.port)):  # wakes the listener
            self._threads[0].join()
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def url(self, path: str = "/feed", host: str = "127.0.0.1") -> str:
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"

    def drip(self, *pieces: bytes) -> Pieces:
        """Yield the pieces, and then the last one again and again until the server stops."""
        yield from pieces
        while not self.stopping.wait(0.05):
            yield pieces[-1]

    def endless(self, first: bytes, rest: bytes) -> Pieces:
        yield first
        while not self.stopping.is_set():
            yield rest

    def handler(self, request: Received) -> Handler | bytes:
        """Return what answers a request."""
        return self.routes.get(request.target, answer(404))

    def _listen(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self.stopping.is_set():
                connection.close()
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):  # the client goes away when it likes
            stack.callback(lambda: sock.close())
            if self.tls:
                sock = self._wrapped(sock)
            sock.settimeout(0.1)  # so that the thread sees the server stop
            while request := self._read(sock, number):
                self.received.append(request)
                if not self.answered(sock, request):
                    return
                if request.method == "CONNECT":
                    sock = self._wrapped(sock)
                    sock.settimeout(0.1)

    def _wrapped(self, sock: socket.socket) -> ssl.SSLSocket:
        sock.settimeout(5)
        return self._context.wrap_socket(sock, server_side=True)

    def _read(self, sock: socket.socket, number: int) -> Received | None:
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            try:
                piece = sock.recv(65536)
            except TimeoutError:
                if self.stopping.is_set():
                    return None
                continue
            if not piece:
                return None
            data += piece
            if data.startswith(b"\x16"):  # TLS, where none is spoken
                sock.sendall(answer(400))
                return None
        first, *lines = data.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = tuple((name, value) for name, _, value in (line.partition(": ") for line in lines if line))
        return Received(method, target, headers, number, isinstance(sock, ssl.SSLSocket))

    def answered(self, sock: socket.socket, request: Received) -> bool:
        """Send what the route says; return whether the connection goes on."""
        route = self.handler(request)
        reply = route if isinstance(route, bytes) else route(request)
        sock.settimeout(10)
        if isinstance(reply, bytes):
            sock.sendall(reply)
            sock.settimeout(0.1)
            return True
        for piece in reply:
            sock.sendall(piece)
        return False
