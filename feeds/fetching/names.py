"""A host name in, its addresses out: getaddrinfo with a time-out. Which of them may be used is not decided here."""

import queue
import socket
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

RESOLVER_THREADS = 16
THREAD_IDLE_SECONDS = 10.0

SocketAddress = tuple[Any, ...]
AddressInfo = tuple[int, int, int, str, SocketAddress]  # as getaddrinfo gives it
GetAddressInfo = Callable[..., Iterable[AddressInfo]]
Job = tuple[Future[list[AddressInfo]], str, int]  # host, port


class Resolver:
    """Looks names up in daemon threads, because getaddrinfo knows no time-out and would hold a worker, or the exit."""

    def __init__(self, getaddrinfo: GetAddressInfo) -> None:
        self._getaddrinfo = getaddrinfo
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0

    def ask(self, host: str, port: int) -> Future[list[AddressInfo]]:
        """Return the addresses of `host` to be; the future raises socket.gaierror where there are none."""
        answer: Future[list[AddressInfo]] = Future()
        self._jobs.put((answer, host, port))
        self._ensure_a_thread()
        return answer

    def _ensure_a_thread(self) -> None:
        with self._lock:
            if self._idle < self._jobs.qsize() and self._threads < RESOLVER_THREADS:
                self._threads += 1
                threading.Thread(target=self._work, name="feeds-resolver", daemon=True).start()

    def _work(self) -> None:
        while job := self._next_job():
            answer, host, port = job
            if answer.set_running_or_notify_cancel():
                self._look_up(answer, host, port)

    def _next_job(self) -> Job | None:
        """Wait for a job; None = there was none for so long that the thread may end."""
        with self._lock:
            self._idle += 1
        try:
            job = self._jobs.get(timeout=THREAD_IDLE_SECONDS)
        except queue.Empty:
            job = None
        with self._lock:
            self._idle -= 1
            if job or self._jobs.empty():
                self._threads -= not job
                return job
        return self._next_job()  # one came after all, and whoever put it counted on this thread

    def _look_up(self, answer: Future[list[AddressInfo]], host: str, port: int) -> None:
        try:
            answer.set_result(list(self._getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except Exception as error:
            answer.set_exception(error)
