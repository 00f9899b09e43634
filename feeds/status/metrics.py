"""The figures of the database, the workers and the queues as gauges for Prometheus. What workers count: `metrics`."""

from collections.abc import Iterator

import dramatiq
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from feeds import brokers, clock
from feeds.clock import aware
from feeds.conf import feeds_settings
from feeds.status import diagnosis, figures

Sample = tuple[str, dict[str, str], float]  # name, labels, value

HELP = {
    "feeds_total": "Feeds.",
    "feeds_due": "Feeds to check now.",
    "feeds_late": "Feeds that have been due for ten minutes or more.",
    "feeds_failing": "Feeds that fail, by error.",
    "feeds_paused": "Feeds that a person paused.",
    "feeds_disabled": "Feeds that are polled no more.",
    "feeds_workers": "Worker processes that are alive.",
    "feeds_schedule_age_seconds": "Seconds since the feeds that were due were last sent.",
    "feeds_part_ok": "1 where a part of the deployment is well, as `manage.py doctor` finds it.",
    "feeds_queue_messages": "Messages in the broker's queues.",
}


@cache_control(no_store=True)
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Answer those who bear FEEDS_METRICS_TOKEN; without one there is no such page."""
    token = feeds_settings().metrics_token
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not token or not constant_time_compare(given, token):
        raise Http404
    return HttpResponse("".join(_lines()), content_type="text/plain; version=0.0.4; charset=utf-8")


def _lines() -> Iterator[str]:
    previous = ""
    for name, labels, value in _samples():
        if name != previous:
            yield f"# HELP {name} {HELP[name]}\n# TYPE {name} gauge\n"
            previous = name
        text = ",".join(f'{key}="{label}"' for key, label in labels.items())
        yield f"{name}{{{text}}} {value:g}\n" if text else f"{name} {value:g}\n"


def _samples() -> Iterator[Sample]:
    now = clock.now()
    counts = figures.feeds(now)
    for state in ("total", "due", "late", "paused", "disabled"):
        yield f"feeds_{state}", {}, getattr(counts, state)
    for kind, count in counts.failing:
        yield "feeds_failing", {"error": kind.value}, count
    yield "feeds_workers", {}, len(diagnosis.workers(now))
    if (at := aware(diagnosis.schedule_at())) is not None:
        yield "feeds_schedule_age_seconds", {}, (now - at).total_seconds()
    for finding in diagnosis.examine():
        yield "feeds_part_ok", {"part": finding.part}, not finding.problems
    for depth in diagnosis.or_none(lambda: brokers.server(dramatiq.get_broker()).depths()) or ():
        for state in ("waiting", "delayed", "dead"):
            yield "feeds_queue_messages", {"queue": depth.queue, "state": state}, getattr(depth, state)
