"""How the cost of a function grows with its input: a check that it is linear, without a word about seconds.

A hostile text is a piece that is repeated. It is doubled until one call can be measured; then eight times as much of it
may cost three times eight times as much. What is quadratic costs sixty-four times as much.
"""

import gc
import time
from collections.abc import Callable, Iterable
from typing import AnyStr

EIGHTFOLD = 8
LIMIT = 3  # times linear
MEASURABLE = 0.001  # seconds of the processor: below them a ratio is noise
SMALLEST, LARGEST = 1 << 8, 1 << 16  # characters or bytes; what cannot be measured at the largest size is cheap
ROUNDS = 3


def assert_linear(
    do: Callable[[AnyStr], object],
    pieces: Iterable[AnyStr],
    *,
    before: AnyStr | None = None,
    after: AnyStr | None = None,
) -> None:
    """Fail where a call with one of the pieces, repeated, costs more than it is long, and say which."""
    for piece in pieces:

        def text(size: int, piece: AnyStr = piece) -> AnyStr:
            return (before or piece[:0]) + piece * (size // len(piece)) + (after or piece[:0])

        growth = growth_of(do, text)
        assert growth < LIMIT * EIGHTFOLD, f"{piece!r}: eight times as much of it costs {growth:.0f} times as much"


def growth_of(do: Callable[[AnyStr], object], text: Callable[[int], AnyStr]) -> float:
    """Return how many times as much eight times the text costs; 0 where the largest one cannot be measured."""
    size = SMALLEST
    while _cost(do, text(size), rounds=1) < MEASURABLE:
        if size >= LARGEST:
            return 0.0
        size *= 2
    return _cost(do, text(EIGHTFOLD * size)) / _cost(do, text(size))


def _cost(do: Callable[[AnyStr], object], text: AnyStr, rounds: int = ROUNDS) -> float:
    """Return the least processor time of a few calls, so that what else the machine does counts for little.

    The garbage collector looks at all that the other tests left, and rests meanwhile.
    """
    costs = []
    gc.disable()
    try:
        for _ in range(rounds):
            begun = time.thread_time()
            do(text)
            costs.append(time.thread_time() - begun)
    finally:
        gc.enable()
    return min(costs)
