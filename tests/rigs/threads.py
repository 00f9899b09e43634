"""Work that threads do at the same time."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

T, R = TypeVar("T"), TypeVar("R")


def at_once(work: Callable[[T], R], each: Iterable[T]) -> list[R]:
    """Call `work` with each of these in a thread of its own, all at once; return what came of them."""
    arguments = list(each)
    barrier = threading.Barrier(len(arguments))

    def begin(argument: T) -> R:
        barrier.wait(20)
        try:
            return work(argument)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(begin, arguments))
