"""Filters for the worker's log: a message that the lock skips is no warning, and logins of URLs are left out."""

import logging
import re
from typing import Any

from dramatiq import Message
from dramatiq.broker import MessageProxy

WORKER_LOGGER = "dramatiq.worker.WorkerThread"

# A URL up to its path: with a login, and for sure without one. In other texts nobody knows where a login ends.
_LOGIN = re.compile(r"(\w[\w+.-]*://|)[^/?#]*@(?=[^/?#@]*(?:[/?#]|$))")
_NO_LOGIN = re.compile(r"\w[\w+.-]*://[^/?#@:\s]*(?::\d*)?(?:[/?#]|$)")


def without_login(text: str) -> str:
    """Return a text without the login that it has if it is a URL."""
    if "@" not in text or _NO_LOGIN.match(text):
        return text
    found = _LOGIN.match(text)
    return found[1] + text[found.end() :] if found else "…@" + text.rpartition("@")[2]


class HidesLogins(logging.Filter):
    """Removes the logins of URLs from logged messages and arguments of actors."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_without_logins(argument) for argument in record.args)
        return True


class WorkerLog(HidesLogins):
    """Also makes DEBUG of Dramatiq's warning of a message that the lock has skipped.

    A hook has no other way than a skip to end a message well.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        arguments = record.args if record.levelno == logging.WARNING and isinstance(record.args, tuple) else ()
        is_skip = any(getattr(argument, "__dict__", {}).get("lock_skipped") for argument in arguments)
        if is_skip:
            record.levelno, record.levelname = logging.DEBUG, "DEBUG"
            if not logging.getLogger(record.name).isEnabledFor(logging.DEBUG):
                return False
        return super().filter(record)


def _without_logins(value: Any) -> Any:
    match value:
        case str():
            return without_login(value)
        case list() | tuple():
            return type(value)(map(_without_logins, value))
        case dict():
            return {key: _without_logins(one) for key, one in value.items()}
        case Message() | MessageProxy():
            return str(value.copy(args=_without_logins(value.args), kwargs=_without_logins(value.kwargs)))
    return value
