"""What is put in place of the project's database, clock, dice, log and listeners while the stage is set, and back."""

import logging
import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.dispatch import Signal
from django.utils import timezone

from feeds import signals


@dataclass(slots=True)
class Clock:
    """The time on the stage, from now on; it stands still between two events."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def advance(self, to: datetime) -> None:
        self.at = max(self.at, to)


class Records(logging.Handler):
    """Keeps what is logged, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def database_in_memory() -> Iterator[None]:
    """Let this thread's default connection lead to a new database with the tables of this app."""
    usual = connections[DEFAULT_DB_ALIAS]
    connection = _sqlite()
    connections[DEFAULT_DB_ALIAS] = connection
    try:
        with connection.schema_editor() as editor:
            for model in apps.get_app_config("feeds").get_models():
                editor.create_model(model)
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = usual
        connection.close()


def _sqlite() -> BaseDatabaseWrapper:
    handler = type(connections)({DEFAULT_DB_ALIAS: {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
    connection: BaseDatabaseWrapper = handler[DEFAULT_DB_ALIAS]
    return connection


@contextmanager
def nobody_listens() -> Iterator[None]:
    """Keep whoever listens to the app's signals from hearing of feeds that do not exist."""
    kept = [(signal, signal.receivers) for signal in vars(signals).values() if isinstance(signal, Signal)]
    try:
        for signal, _ in kept:
            signal.receivers = []
            signal.sender_receivers_cache.clear()
        yield
    finally:
        for signal, receivers in kept:
            signal.receivers = receivers
            signal.sender_receivers_cache.clear()


@contextmanager
def recorded(records: Records) -> Iterator[None]:
    """Take what the app logs, and show it nowhere."""
    logger = logging.getLogger("feeds")
    usual = logger.handlers, logger.level, logger.propagate
    logger.handlers, logger.propagate = [records], False
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.handlers, level, logger.propagate = usual[0], usual[1], usual[2]
        logger.setLevel(level)


@contextmanager
def told_by(clock: Clock) -> Iterator[None]:
    """Let the clock answer whoever asks Django for the time. This process does nothing else meanwhile."""
    usual = timezone.now
    timezone.now = clock.now
    try:
        yield
    finally:
        timezone.now = usual


@contextmanager
def seeded() -> Iterator[None]:
    """Let jitter be the same in every run, so that a verdict is, too."""
    usual = random.getstate()
    random.seed(1)
    try:
        yield
    finally:
        random.setstate(usual)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    usual = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(usual)
