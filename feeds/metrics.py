"""Metrics that workers count for Prometheus; needs `feeds-project[metrics]`. Figures of the database: `status.metrics`.

It stands in MIDDLEWARE in the place of Dramatiq's own Prometheus, whose metrics and exporter (port 9191) it keeps: that
adds up what all processes of a `rundramatiq` have counted.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dramatiq.middleware.prometheus import Prometheus

from feeds.signals import feed_failed, feed_imported

if TYPE_CHECKING:
    from dramatiq import Broker
    from dramatiq.broker import MessageProxy

    from feeds.planning import ImportReport

SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)


class Metrics(Prometheus):
    """Dramatiq's metrics, and those of imports, locks and the queue."""

    def after_process_boot(self, broker: Broker) -> None:
        super().after_process_boot(broker)  # type: ignore[no-untyped-call]
        from prometheus_client import CollectorRegistry, Counter, Histogram

        to: dict[str, Any] = {"registry": CollectorRegistry()}
        self._imports = Counter("feeds_imports", "Imports by outcome and error.", ["outcome", "error"], **to)
        self._new = Counter("feeds_entries_new", "New entries.", **to)
        self._changed = Counter("feeds_entries_changed", "Changed entries.", **to)
        self._locks = Counter("feeds_locks", "Answers to those who wanted a lock.", ["actor", "answer"], **to)
        self._held = Histogram("feeds_lock_held_seconds", "How long locks are held.", ["actor"], buckets=SECONDS, **to)
        self._waited = Histogram(
            "feeds_queue_wait_seconds", "From sending, or the slot, to a worker.", buckets=SECONDS, **to
        )
        for signal in (feed_imported, feed_failed):
            signal.connect(self._count, dispatch_uid=("metrics", id(self)))

    def _count(self, report: ImportReport, **_: Any) -> None:
        self._imports.labels(report.outcome.value, report.failure.kind.value if report.failure else "").inc()
        self._new.inc(report.new)
        self._changed.inc(report.changed)

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        super().before_process_message(broker, message)  # type: ignore[no-untyped-call]
        message.__dict__["metrics_begun"] = time.monotonic()
        due = max(message.message_timestamp, message.options.get("eta", 0)) / 1000
        self._waited.observe(max(0.0, time.time() - due))

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        self._end(broker, message, result=result, exception=exception)
        if "lock_key" in broker.get_actor(message.actor_name).options:
            self._locks.labels(message.actor_name, "acquired").inc()
            begun = message.__dict__.get("metrics_begun", time.monotonic())
            self._held.labels(message.actor_name).observe(time.monotonic() - begun)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:  # type: ignore[override]
        self._end(broker, message)
        if message.__dict__.get("lock_skipped"):
            self._locks.labels(message.actor_name, "refused").inc()

    _end: Any = Prometheus.after_process_message  # untyped
