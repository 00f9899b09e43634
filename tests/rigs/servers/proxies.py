"""Proxies on loopback ports, http, https and SOCKS5, that lead every name to one server and remember what was asked."""

import contextlib
import socket
import ssl
import threading
from base64 import b64encode
from typing import Self

from tests.rigs.servers.feed_server import CERTIFICATE

LOGIN = ("me", "geheim€")  # beyond Latin-1


class ProxyServer:
    """`asked` holds what was asked for: `host:port`, or a whole URL; `refused` those without the login."""

    def __init__(self, scheme: str, to: int, *, login: bool = False) -> None:
        self.scheme = scheme
        self.asked: list[str] = []
        self.refused = 0
        self._to = to
        self._login = login
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join()

    @property
    def url(self) -> str:
        login = ":".join(LOGIN) + "@" if self._login else ""
        return f"{self.scheme}://{login}localhost:{self._listener.getsockname()[1]}"

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock = self._listener.accept()[0]
                self._open.append(sock)
                self._run(self._serve, sock)

    def _run(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=self._quietly, args=(work, *arguments), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _quietly(self, work: object, *arguments: object) -> None:
        with contextlib.suppress(OSError, ValueError):  # whoever asks goes away when he likes
            work(*arguments)  # type: ignore[operator]

    def _serve(self, sock: socket.socket) -> None:
        if self.scheme == "https":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            sock = context.wrap_socket(sock, server_side=True)
            self._open.append(sock)
        first = self._socks(sock) if self.scheme.startswith("socks") else self._http(sock)
        if first is None:
            sock.close()
            return
        server = socket.create_connection(("127.0.0.1", self._to))
        self._open.append(server)
        server.sendall(first)
        self._run(self._relay, server, sock)
        self._relay(sock, server)

    def _http(self, sock: socket.socket) -> bytes | None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        method, target, _ = head.decode("latin-1").split(" ", 2)
        wanted = b"Proxy-Authorization: Basic " + b64encode(":".join(LOGIN).encode())
        if self._login and wanted.lower() not in head.lower():
            self.refused += 1
            sock.sendall(b"HTTP/1.1 407 Who Are You\r\nContent-Length: 0\r\n\r\n")
            return None
        self.asked.append(target)
        if method == "CONNECT":
            sock.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            return b""
        path = "/" + target.split("/", 3)[3]
        return head.replace(target.encode(), path.encode(), 1)

    def _socks(self, sock: socket.socket) -> bytes | None:
        methods = sock.recv(2 + sock.recv(2, socket.MSG_PEEK)[1])[2:]
        if self._login:
            sock.sendall(b"\5\2" if 2 in methods else b"\5\xff")
            name, password = (part.encode() for part in LOGIN)
            if sock.recv(512) != b"\1" + bytes([len(name)]) + name + bytes([len(password)]) + password:
                self.refused += 1
                sock.sendall(b"\1\1")
                return None
            sock.sendall(b"\1\0")
        else:
            sock.sendall(b"\5\0")
        request = sock.recv(512)
        kind, rest = request[3], request[4:]
        host = rest[1:-2].decode() if kind == 3 else socket.inet_ntoa(rest[:4])
        self.asked.append(f"{host}:{int.from_bytes(rest[-2:])}")
        sock.sendall(b"\5\0\0\1\0\0\0\0\0\0")
        return b""

    def _relay(self, source: socket.socket, sink: socket.socket) -> None:
        while piece := source.recv(65_536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
