"""Locks in memcached, through sockets with time-outs."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.exceptions import ImproperlyConfigured
from pymemcache.client.base import Client, PooledClient

from feeds.locking.store import LockStore, LockStoreError, key_problems

# A path, or a host and its port.
SERVER = re.compile(r"(?:unix:)?(/[^,;]+)|(?:memcached://)?([\w.-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})/?", re.ASCII)


class MemcachedLocks(LockStore):
    """Locks in memcached, through a pool of sockets that all have time-outs."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.location = location
        if unknown := set(self.options) - {"connect_timeout", "timeout"}:
            raise ImproperlyConfigured(f"MemcachedLocks has no option {', '.join(sorted(unknown))}.")
        self._pool = PooledClient(
            _server(location),
            connect_timeout=_positive(self.options.get("connect_timeout", 0.5)),
            timeout=_positive(self.options.get("timeout", 1.0)),
            no_delay=True,
            socket_module=SOCKETS,
            default_noreply=False,  # True would answer every add with True
        ).client_pool

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        made, text, seconds = self._key(key, version), self._text(key, value), self._seconds(timeout)
        return bool(self._ask(lambda client: client.add(made, _encoded(text), expire=seconds)))

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        made = self._key(key, version)
        found = self._ask(lambda client: client.get(made))
        return default if found is None else self._value(found.decode(errors="surrogateescape"))

    def delete(self, key: str, version: int | None = None) -> bool:
        made = self._key(key, version)
        return bool(self._ask(lambda client: client.delete(made)))

    def compare_and_delete(self, key: str, value: str, version: int | None = None) -> bool:
        """Delete by `cas` with an expiry in the past, on a CAS read together with the value.

        A CAS kept since `add` proves nothing: the counter begins again at 1 when the server restarts.
        """
        made, text = self._key(key, version), self._text(key, value)

        def ask(client: Client) -> bool:
            found, cas = client.gets(made)
            return found == _encoded(text) and client.cas(made, b"", cas, expire=-1) is True

        return bool(self._ask(ask))

    def held(self) -> Iterator[tuple[str, str]]:
        """Yield every lock that is held, by the server's own list of keys: once through a server for locks only.

        What is in it under names that `add` would refuse is no lock.
        """
        listing = self._ask(lambda client: client.raw_command(b"lru_crawler metadump all", end_tokens=b"END\r\n"))
        for line in listing.splitlines():
            made = unquote(line.partition(b" ")[0].removeprefix(b"key=").decode("ascii", "replace"))
            if not key_problems(made) and (text := self._ask(partial(Client.get, key=made))) is not None:
                yield from self._lock(made, text.decode(errors="surrogateescape"))

    def server_problems(self) -> Iterator[str]:
        if self._server_settings().get(b"cas_enabled") in (b"no", False):
            yield f"memcached at {self.location} runs with -C: without CAS a worker can delete another's lock"

    def server_warnings(self) -> Iterator[str]:
        if self._server_settings().get(b"evictions") in (b"on", True):
            yield f"memcached at {self.location} runs without -M: when memory is short it drops locks that are held"

    def _server_settings(self) -> dict[bytes, Any]:
        found: dict[bytes, Any] = self._ask(lambda client: client.stats("settings"))
        return found

    def close(self, **kwargs: Any) -> None:
        """Close this thread's sockets. Django does so after each web request; workers keep theirs."""
        self._pool.clear()

    def _ask(self, question: Callable[[Client], Any]) -> Any:
        """Ask on a socket of the pool, closed when anything interrupts: no late reply may answer the next command.

        PooledClient's own methods clean up after `Exception` only. Interrupted by a time limit between sending and
        receiving, they let the next `add` read the stale reply: a false grant on another key, measured.
        """
        client = self._pool.get()
        try:
            if client.sock is not None and not client.sock.is_silent():
                client.close()  # it connects again
            answer = question(client)
        except Exception as error:  # pymemcache lets ValueError, KeyError and more out on a garbled reply
            self._pool.destroy(client)
            raise LockStoreError(f"memcached at {self.location}: {type(error).__name__}: {error}") from error
        except BaseException:
            self._pool.destroy(client)
            raise
        self._pool.release(client)
        return answer


class _Socket(socket.socket):
    """A socket whose time-out is for the whole reply to a request: one byte a second would meet any other."""

    def settimeout(self, value: float | None) -> None:
        self._patience = value or 0.0
        super().settimeout(value)

    def sendall(self, data: Any, flags: int = 0) -> None:
        self._deadline = 0.0  # not running yet
        super().sendall(data, flags)

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        # The first part may take all the patience, so most replies need no clock.
        if self._deadline == 0.0:
            self._deadline = time.monotonic() + self._patience
            return super().recv(bufsize, flags)
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no complete reply in time")
        super().settimeout(left)
        try:
            return super().recv(bufsize, flags)
        finally:
            super().settimeout(self._patience)

    def is_silent(self) -> bool:
        """Tell whether there is nothing to read: neither an end, nor a reply to another command."""
        poll = select.poll()  # not select, which knows file numbers below 1024 only
        poll.register(self, select.POLLIN)
        return not poll.poll(0)


SOCKETS = SimpleNamespace(**vars(socket) | {"socket": _Socket})  # the module as pymemcache asks it, but for the class


def _server(location: str) -> str | tuple[str, int]:
    found = SERVER.fullmatch(str(location))
    if found is None or not 0 < int(found[3] or 1) < 65_536:
        raise ImproperlyConfigured(
            "MemcachedLocks needs exactly one server as LOCATION, such as 127.0.0.1:11211: on several, "
            f"two workers can hold one lock. It has {location!r}."
        )
    return found[1] or (found[2].strip("[]"), int(found[3]))


def _encoded(text: str) -> bytes:
    """Return the bytes that `get` made a text of: in a value that is not ours any may stand."""
    return text.encode(errors="surrogateescape")


def _positive(seconds: Any) -> float:
    if not isinstance(seconds, int | float) or seconds <= 0:
        raise ImproperlyConfigured(f"MemcachedLocks needs time-outs greater than 0 s, not {seconds!r}.")
    return float(seconds)
