"""A TCP proxy that misbehaves on demand: a port of a real server in, a port that forwards to it, or does not, out."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from enum import Enum
from typing import Self

CHUNK = 65_536

LATE = 1.3  # seconds


class Fault(Enum):
    """What the proxy does with what comes in from now on."""

    NONE = "forward"
    REFUSE = "refuse connections, and reset those that are open"
    RESET_BEFORE = "reset the connection instead of forwarding a request"
    RESET_AFTER = "forward the request, then reset the connection instead of the reply"
    BLACK_HOLE = "swallow requests, keep the connection"
    ONE_BYTE = "reply with one byte a second"
    LATE = "forward the request, reply after the reader's deadline"
    GARBLED = "reply with bytes that are no reply"
    TWICE = "send every reply twice"
    HALF = "send half the reply, then end the stream, but not the connection"
    NO_MEMORY = "reply as a memcached without memory"


class Proxy:
    """Forwards a loopback port to another one, both ways at once."""

    def __init__(self, target: int) -> None:
        self.fault = Fault.NONE
        self.asked = threading.Event()  # set by every connection and request since the last `set`
        self.held = threading.Event()  # set once a request is held
        self._repeating: set[socket.socket] = set()  # connections that still get a reply for the second time
        self._hold: tuple[bytes, ...] = ()
        self._go_on = threading.Event()
        self._target = target
        self._open: set[socket.socket] = set()
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def location(self) -> str:
        return f"127.0.0.1:{self.port}"

    def set(self, fault: Fault) -> None:
        """Put a fault in force; connections that are open stay open, but for a server that is to be dead."""
        self.fault = fault
        self.asked.clear()
        if fault is Fault.REFUSE:
            self.cut()

    def cut(self) -> None:
        """Reset every connection."""
        for connection in list(self._open):
            reset(connection)

    def hold(self, *beginnings: bytes) -> None:
        """Keep back requests that begin so, until `go_on`."""
        self.held.clear()
        self._go_on.clear()
        self._hold = beginnings

    def go_on(self) -> None:
        self._hold = ()
        self._go_on.set()

    def wait_until_repeated(self) -> None:
        """Wait until every reply that is to come twice has come twice."""
        while self._repeating:
            time.sleep(0.01)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.asked.set()
            if self.fault is Fault.REFUSE:
                reset(client)
            else:
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            reset(client)
            return
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or a second reply waits for the next command
        self._open |= {client, server}
        for pump in (self._requests, self._replies):
            threading.Thread(target=self._until_closed, args=(pump, client, server), daemon=True).start()

    def _until_closed(self, pump: object, client: socket.socket, server: socket.socket) -> None:
        try:
            pump(client, server)  # type: ignore[operator]
        except OSError:
            pass
        finally:
            self._repeating.discard(client)
            for connection in (client, server):
                reset(connection)
                self._open.discard(connection)

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        while request := client.recv(CHUNK):
            self.asked.set()
            if self._hold and request.startswith(self._hold):
                self.held.set()
                self._go_on.wait()
            if self.fault is Fault.RESET_BEFORE:
                return
            if self.fault is Fault.NO_MEMORY:
                client.sendall(b"SERVER_ERROR out of memory storing object\r\n")
            elif self.fault is not Fault.BLACK_HOLE:
                server.sendall(request)

    def _replies(self, client: socket.socket, server: socket.socket) -> None:
        while reply := server.recv(CHUNK):
            fault = self.fault
            if fault is Fault.RESET_AFTER:
                return
            if fault is Fault.ONE_BYTE:
                self._trickle(client, reply)
            elif fault is Fault.HALF:
                client.sendall(reply[: len(reply) // 2])
                client.shutdown(socket.SHUT_WR)
            else:
                if fault is Fault.LATE:
                    self._ended.wait(LATE)
                if fault is Fault.TWICE:
                    self._repeating.add(client)
                client.sendall(b"\x00\xffGARBAGE 17\r\n" if fault is Fault.GARBLED else reply)
                if fault is Fault.TWICE:
                    self._ended.wait(0.01)  # a segment of its own: what comes along with the reply goes with it
                    client.sendall(reply)
                    self._repeating.discard(client)

    def _trickle(self, client: socket.socket, reply: bytes) -> None:
        for number in range(len(reply)):
            client.sendall(reply[number : number + 1])
            if self._ended.wait(1.0):
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.go_on()
        reset(self._listener)
        self.cut()


def reset(connection: socket.socket) -> None:
    """Close a connection so that its other end gets a reset, not an end."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads
    with contextlib.suppress(OSError):
        connection.close()
