"""What children answer: bytes of a limited length, read as values of this package, in messages of Pebble's.

A child that a document took over may send what it likes. Nothing that it sends runs code here; what is not understood
ends the pool, and the documents that its children were reading are read again.
"""

import io
import logging
import os
import pickle
from dataclasses import is_dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from typing import Any

from feeds.outcomes import FailureKind
from feeds.parsing.values import Category, Enclosure, ParsedEntry, ParsedFeed, Person, Unreadable

logger = logging.getLogger(__name__)

MAX_ANSWER = 32 * 1024 * 1024  # bytes; the largest of a hundred real feeds takes 1 MB
CRASHED = Unreadable(kind=FailureKind.HOSTILE, text="the parser crashed")

_MESSAGE = 1_000  # bytes that a message has besides the answer
_VALUES = (
    *(Category, Enclosure, ParsedEntry, ParsedFeed, Person, Unreadable),
    *(FailureKind, datetime, timedelta, timezone),
)

Parsed = ParsedFeed | Unreadable


def packed(parsed: Parsed) -> bytes:
    """Return an answer as a child sends it."""
    answer = pickle.dumps(parsed)
    if len(answer) <= MAX_ANSWER:
        return answer
    return packed(Unreadable(kind=FailureKind.HOSTILE, text=f"it says more than {MAX_ANSWER >> 20} MB"))


def unpacked(answer: object) -> Parsed:
    try:
        if not isinstance(answer, bytes) or len(answer) > MAX_ANSWER:
            raise pickle.UnpicklingError("the answer is too large")
        parsed = _Values(io.BytesIO(answer)).load()
    except Exception as error:
        logger.warning("a process for parsing gave an answer that is none: %s", error)
        return CRASHED
    return parsed if isinstance(parsed, ParsedFeed | Unreadable) else CRASHED


class _Values(pickle.Unpickler):
    """Makes values of this package, and nothing that could run code."""

    def find_class(self, module: str, name: str) -> type:
        for value in _VALUES:
            if (module, name) == (value.__module__, value.__qualname__):
                return value
        raise pickle.UnpicklingError(f"{module}.{name} is no value of a document")


class _Messages(pickle.Unpickler):
    """Makes Pebble's messages, which are data classes and numbers with names."""

    def find_class(self, module: str, name: str) -> type:
        found = super().find_class(module, name) if module.startswith("pebble.") and "." not in name else None
        if isinstance(found, type) and (is_dataclass(found) or issubclass(found, Enum)):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no message")


class _Reader(Connection):
    """The end of a pipe where this process reads. A child gets a plain one."""

    def recv(self) -> Any:
        try:
            return _Messages(io.BytesIO(self.recv_bytes(MAX_ANSWER + _MESSAGE))).load()
        except EOFError:
            raise
        except Exception as error:  # Pebble ends a pool for no other error
            raise OSError(f"a process for parsing sent what is no message: {error}") from error

    def __reduce__(self) -> Any:
        return connection.reduce_connection(self)  # type: ignore[attr-defined]  # typeshed leaves it out


class PipesOfMessages(SpawnContext):
    """Starts processes as multiprocessing's own does, with pipes that take no code."""

    def Pipe(self, duplex: bool = True) -> Any:  # the name is multiprocessing's
        reader, writer = super().Pipe(duplex)
        with reader:
            return _Reader(os.dup(reader.fileno()), writable=False), writer
