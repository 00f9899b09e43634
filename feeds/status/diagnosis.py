"""The examination of a deployment, each part with what to do: `manage.py doctor`, the sentence of the status page."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

import dramatiq
from django.core.checks import ERROR, CheckMessage
from django.db import connections

from feeds import checks, clock, parsing
from feeds.clock import Now, aware
from feeds.databases import primary_database
from feeds.embedded import EmbeddedBroker
from feeds.exceptions import describe
from feeds.heartbeat import LATE_AFTER, SCHEDULER, SILENT_AFTER, Heartbeat
from feeds.models import Process
from feeds.status import health

MOST_CLOCK_ERROR = timedelta(seconds=2)  # between this machine's clock and the database's

T = TypeVar("T")


class Problem(NamedTuple):
    text: str
    remedy: str
    is_warning: bool = False  # the part works


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A part of the deployment, and what is wrong with it."""

    part: str
    problems: tuple[Problem, ...] = ()  # none: it is well

    @property
    def fails(self) -> bool:
        return any(not problem.is_warning for problem in self.problems)


def examine() -> Iterator[Finding]:
    """Examine each part; servers are asked. One that cannot be asked is a finding, too."""
    has_tables = True
    for part, question in QUESTIONS.items():
        if part in NEED_TABLES and not has_tables:
            continue
        try:
            problems = tuple(question())
        except Exception as error:  # each client has its own
            problems = (Problem(describe(error), "Is the server up, and its address in the settings right?"),)
        if problems and part in ("database", "migrations"):
            has_tables = False
        yield Finding(part=part, problems=problems)


def or_none(question: Callable[[], T]) -> T | None:
    """Ask a server; None where it does not answer: the findings say so."""
    try:
        return question()
    except Exception:  # each client has its own
        return None


def workers(now: datetime) -> list[Process]:
    """Return the workers that are alive."""
    alive = Process.primary.filter(seen_at__gt=now - SILENT_AFTER).order_by("name")
    return list(alive.exclude(name=SCHEDULER))


def schedule_at() -> datetime | None:
    """Return when the feeds that are due were last sent."""
    return Process.primary.filter(name=SCHEDULER).values_list("seen_at", flat=True).first()


# The questions


def _said(*questions: Callable[..., Iterable[CheckMessage]]) -> Callable[[], Iterator[Problem]]:
    """Return the question for what some system checks say."""

    def ask() -> Iterator[Problem]:
        for question in questions:
            for message in question(None):
                yield Problem(str(message.msg), f"{message.hint or ''} ({message.id})", message.level < ERROR)

    return ask


def _asked(question: Callable[[], str], remedy: str) -> Callable[[], Iterator[Problem]]:
    """Return the question for what a health page says, too."""

    def ask() -> Iterator[Problem]:
        if problem := question():
            yield Problem(problem, remedy)

    return ask


def _database() -> Iterable[Problem]:
    with connections[primary_database()].cursor() as cursor:
        cursor.execute("SELECT 1")
    return ()


def _lock_store() -> Iterator[Problem]:
    if wrong := list(_said(checks.check_lock_cache)()):
        yield from wrong
        return
    if problem := health.ask_lock_store():
        remedy = "Nothing is imported twice as long as the database answers, but feeds may be fetched twice."
        yield Problem(problem, remedy)
    yield from _said(checks.check_lock_server)()


def _workers() -> Iterator[Problem]:
    broker = dramatiq.get_broker()
    if not any(isinstance(each, Heartbeat) for each in broker.middleware):
        remedy = "Add feeds.heartbeat.Heartbeat to MIDDLEWARE of DRAMATIQ_BROKER."
        yield Problem("workers cannot be seen", remedy, is_warning=True)
    elif not workers(clock.now()):
        if not isinstance(broker, EmbeddedBroker):
            yield Problem("no worker is running, so nothing is imported", "Start `manage.py rundramatiq`.")
        elif list(_schedule()):  # else they are imported where they are sent: by cron, and `import_feeds --due`
            yield Problem("no worker is running, so nothing is imported", "Start `manage.py crontab`.")


def _schedule() -> Iterator[Problem]:
    at, now = aware(schedule_at()), clock.now()
    if at is None or now - at > LATE_AFTER:
        when = f"last {at:%Y-%m-%d %H:%M} UTC" if at else "never"
        yield Problem(f"the feeds that are due are not sent ({when})", "Start `manage.py crontab`, and a worker.")


def _parser() -> Iterator[Problem]:
    yield from _said(checks.check_parser)()
    if problem := parsing.start_problem():
        yield Problem(problem, "Documents that are large or not plain wait until one can.")


def _clock() -> Iterator[Problem]:
    before = clock.now()
    theirs = Process.primary.annotate(now=Now()).values_list("now", flat=True).first()
    theirs = aware(theirs)
    if theirs is not None and abs(theirs - before) > MOST_CLOCK_ERROR + (clock.now() - before):
        seconds = (theirs - before).total_seconds()
        yield Problem(f"the database's clock is {seconds:+.0f} s off this machine's", "Let NTP set both.")


NEED_TABLES = frozenset({"migrations", "workers", "schedule", "clock", "documents"})
QUESTIONS: dict[str, Callable[[], Iterable[Problem]]] = {
    "settings": _said(checks.check_settings, checks.check_database),
    "middleware": _said(checks.check_middleware),
    "database": _database,
    "migrations": _asked(health.ask_database, "Run `manage.py migrate`."),
    "lock store": _lock_store,
    "broker": _asked(health.ask_broker, "Is BROKER_URL right, and the server up?"),
    "workers": _workers,
    "schedule": _schedule,
    "clock": _clock,
    "documents": _asked(health.ask_workers, "A worker cannot start the processes that parse: see its log."),
    "publishers": _said(checks.check_politeness),
    "network": _said(checks.check_networks),
    "parser": _parser,
}
