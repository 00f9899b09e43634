"""Look host names up, with a time-out. Which of the addresses may be used is not decided here."""

import socket
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

from feeds.fetching.deadline import Deadline

MAX_LOOKUPS = 256  # at once in a process; also those that no fetch waits for any more

SocketAddress = tuple[Any, ...]
AddressInfo = tuple[int, int, int, str, SocketAddress]  # as getaddrinfo gives it
GetAddressInfo = Callable[..., Iterable[AddressInfo]]


class Resolver:
    """Looks each name up in a thread of its own. Safe to share between threads.

    getaddrinfo knows no time-out and cannot be stopped: where a name server never answers, the thread ends when the
    system gives up, after 5 to 30 s (resolv.conf(5)). With a few threads for all names the next names would wait for
    that. A daemon thread costs 0.2 ms, and 16 kB while it waits; it holds no exit.
    """

    def __init__(self, getaddrinfo: GetAddressInfo, most: int = MAX_LOOKUPS) -> None:
        self._getaddrinfo = getaddrinfo
        self._free = threading.BoundedSemaphore(most)

    def resolve(self, host: str, port: int, deadline: Deadline, longest: float) -> list[AddressInfo]:
        """Return the addresses of `host`.

        Raise socket.gaierror where it has none, TimeoutError where the answer takes longer than `longest` seconds.
        """
        deadline.wait(self._begin_within, longest)
        answer: Future[list[AddressInfo]] = Future()
        thread = threading.Thread(target=self._look_up, args=(answer, host, port), name="feeds-resolver", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has no more threads
            self._free.release()
            raise
        deadline.wait(answer.exception, longest)
        return answer.result()

    def _begin_within(self, seconds: float) -> None:
        if not self._free.acquire(timeout=seconds):
            raise TimeoutError

    def _look_up(self, answer: Future[list[AddressInfo]], host: str, port: int) -> None:
        try:
            answer.set_result(list(self._getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except Exception as error:
            answer.set_exception(error)
        finally:
            self._free.release()
