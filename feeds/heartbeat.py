"""Signs of life in the database: which worker processes there are, what they did in which minute, and the schedule.

It works the same on every broker. What a process counted is written every half minute, so an import costs nothing more.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import Counter
from datetime import datetime, timedelta
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import connections
from django.db.models import F
from dramatiq.middleware import Middleware

from feeds import clock
from feeds.databases import primary_database
from feeds.signals import feed_failed, feed_imported

if TYPE_CHECKING:
    from django.db.models import Manager
    from dramatiq import Broker, Worker

    from feeds.models import Process
    from feeds.planning import ImportReport

logger = logging.getLogger(__name__)

EVERY = 30.0  # seconds between two signs of life
SILENT_AFTER = timedelta(seconds=90)  # a worker that gave none for so long is taken for dead
LATE_AFTER = timedelta(minutes=5)  # the schedule runs every minute
KEPT_DAYS = 2  # for which minutes and silent processes are kept
SCHEDULER = "scheduler"


class Heartbeat(Middleware):
    """Note that this process lives, from a thread of its own: a worker without messages calls no hook."""

    def __init__(self) -> None:
        self._mutex = Lock()
        self._counts: Counter[str] = Counter()
        self._ending = Event()
        self._thread: Thread | None = None

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        for signal in (feed_imported, feed_failed):
            signal.connect(self._count, dispatch_uid=id(self))
        self._ending.clear()
        self._thread = Thread(target=self._run, args=(worker.worker_threads,), name="feeds-heartbeat", daemon=True)
        self._thread.start()

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join(EVERY)

    def _count(self, report: ImportReport, **_: Any) -> None:
        with self._mutex:
            self._counts.update({"checks": 1, "new": report.new})

    def _run(self, threads: int) -> None:
        name = f"{socket.gethostname()}:{os.getpid()}:{id(self):x}"
        process = _rows("Process").model(name=name, threads=threads, began_at=clock.now())
        while not self._ending.is_set():
            self._beat(process)
            self._ending.wait(EVERY)
        self._beat(process, is_ending=True)

    def _beat(self, process: Process, *, is_ending: bool = False) -> None:
        """Write what was counted, and that the process lives, or that it ends. What fails is tried again."""
        with self._mutex:
            counts, self._counts = self._counts, Counter()
        process.seen_at = clock.now()
        try:
            _add(counts, process.seen_at)
            counts = Counter()
            if is_ending:
                process.delete(using=primary_database())
            else:
                process.save(using=primary_database())
                _forget(process.seen_at)
        except Exception:  # of whatever database; the next one may be luckier
            logger.warning("heartbeat=failed", exc_info=True)
            with self._mutex:
                self._counts.update(counts)
        finally:
            connections.close_all()  # this thread's own: one that idles for half a minute is worth none


def note_schedule(now: datetime) -> None:
    """Note that the feeds that are due have been sent."""
    _rows("Process").update_or_create({"began_at": now, "seen_at": now}, name=SCHEDULER)


def _add(counts: Counter[str], now: datetime) -> None:
    if not counts:
        return
    minutes = _rows("Minute")
    minutes.bulk_create([minutes.model(at=(at := now.replace(second=0, microsecond=0)))], ignore_conflicts=True)
    minutes.filter(at=at).update(**{name: F(name) + count for name, count in counts.items()})


def _forget(now: datetime) -> None:
    before = now - timedelta(days=KEPT_DAYS)
    _rows("Process").filter(seen_at__lt=before).exclude(name=SCHEDULER).delete()
    _rows("Minute").filter(at__lt=before).delete()


def _rows(model: str) -> Manager[Any]:
    """Return the rows of a model by its name: brokers and their middleware are made before the models are."""
    rows: Manager[Any] = apps.get_model("feeds", model)._default_manager.db_manager(primary_database())
    return rows
