"""Store the feeds that sources name, send them to the queue, and follow each to the outcome of its import."""

import logging
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from math import inf
from typing import Any

from django.core.cache import caches
from django.core.management.base import BaseCommand, CommandError, CommandParser

from feeds import canonical_urls, clock, heartbeat, locking, storage, tasks
from feeds.conf import feeds_settings
from feeds.embedded import EmbeddedBroker
from feeds.management import following, sources
from feeds.management.following import Ending, Following
from feeds.management.progress import Progress, add_format, counted, dump, printable, table
from feeds.management.sources import BadLine, Intake
from feeds.models import Feed
from feeds.outcomes import AskedBy, Outcome

USAGE, INTERRUPTED = 2, 130  # exit codes

WORDS = {
    Outcome.IMPORTED: "imported",
    Outcome.UNCHANGED: "unchanged",
    Outcome.FAILED: "failed",
    Outcome.PAUSED: "skipped",  # paused, or deleted meanwhile
    Outcome.DELAYED: "postponed",  # the host's next free slot is so far off that the schedule will see to it
}
ALWAYS_SHOWN = ("imported", "unchanged", "failed")


@dataclass(slots=True)
class Tally:
    """The outcomes so far."""

    sent: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    outstanding: int = 0
    new_entries: int = 0
    failures: list[Ending] = field(default_factory=list)

    def add(self, endings: Iterable[Ending]) -> None:
        for ending in endings:
            self.outcomes[ending.outcome] += 1
            self.new_entries += ending.new
            if ending.outcome is Outcome.FAILED:
                self.failures.append(ending)

    def counts(self) -> dict[str, int]:
        return {word: self.outcomes[outcome] for outcome, word in WORDS.items()} | {"outstanding": self.outstanding}

    def summary(self) -> str:
        counts = self.counts()
        parts = [f"{count:,} {word}" for word, count in counts.items() if count or word in ALWAYS_SHOWN]
        entries = counted(self.new_entries, "new entry", "new entries")
        return f"{counted(sum(counts.values()), 'feed')}: {', '.join(parts)}; {entries}"


class Command(BaseCommand):
    help = "Store feeds and send them to the queue for import."
    requires_system_checks = ("feeds",)  # the others load the pages of the site: a third of the time until it begins

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "sources",
            nargs="*",
            metavar="SOURCE",
            help="a feed's URL, a file of URLs (one a line, # begins a comment), an OPML file, or - for standard input",
        )
        group = parser.add_mutually_exclusive_group()
        group.add_argument("--due", action="store_true", help="import the feeds whose next check is due")
        group.add_argument("--all", action="store_true", help="import all feeds that are neither paused nor disabled")
        parser.add_argument("--full", action="store_true", help="fetch and read whole documents, seen or not")
        parser.add_argument("--wait", action="store_true", help="follow each feed to its outcome (always, if embedded)")
        parser.add_argument("--timeout", type=float, default=inf, metavar="SECONDS", help="wait no longer than this")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done and write nothing")
        add_format(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        self.verbosity: int = options["verbosity"] if options["format"] == "text" else 0
        self.is_full: bool = options["full"]
        self.tally = Tally()
        _check_usage(options)
        try:
            self._run(options)
        except KeyboardInterrupt:
            _abandon_queue()
            text = "Interrupted. The feeds are stored; `import_feeds --due` takes up what is left."
            raise CommandError(text, returncode=INTERRUPTED) from None

    def _run(self, options: dict[str, Any]) -> None:
        intake = self._take_in(options)
        if options["dry_run"]:
            self._say(f"{counted(len(intake.feed_ids) + intake.added, 'feed')} would be sent to the queue")
        else:
            with _quiet_imports(self.verbosity):
                if options["due"]:
                    heartbeat.note_schedule(clock.now())
                self._asked_by = AskedBy.SCHEDULE if options["due"] or options["all"] else AskedBy.PERSON
                self._import(intake, wait=options["wait"] or bool(_embedded()), timeout=options["timeout"])
        if options["format"] == "json":
            dump(self.stdout, self._values(intake))
        _check_success(self.tally, intake)

    # From the sources to the database

    def _take_in(self, options: dict[str, Any]) -> Intake:
        if not options["sources"]:
            return _stored(due=options["due"])
        items = chain.from_iterable(sources.read(source, sys.stdin.buffer) for source in options["sources"])
        register = sources.rehearse if options["dry_run"] else storage.register
        intake = sources.take_in(items, register=register, report=self._report_bad_line)
        named = f"{counted(intake.added + intake.known, 'feed')} named: {intake.added:,} new, {intake.known:,} known"
        self._say(f"{named}; {counted(intake.duplicates, 'duplicate')}, {counted(intake.bad_lines, 'bad line')}")
        return intake

    def _report_bad_line(self, bad: BadLine) -> None:
        if self.verbosity:
            place = f"{bad.source}: line {bad.line}" if bad.line else bad.source
            shown = canonical_urls.redacted(bad.text)
            text = f" ({shown})" if shown and shown != bad.source else ""
            self.stderr.write(printable(f"{place}: {bad.why}{text}"))

    # From the database to the queue, and to the outcome

    def _import(self, intake: Intake, *, wait: bool, timeout: float) -> None:
        waiting = Following()
        with self._progress("Queueing", len(intake.feed_ids)) as progress:
            for feed_ids in storage.chunked(intake.feed_ids, storage.CHUNK):
                sent = self._send(feed_ids)
                if wait:
                    waiting.add(sent)
                progress.advance(len(feed_ids))
        if wait:
            self._follow(waiting, timeout)
            if self.tally.failures and self.verbosity:
                table(self.stdout, ("failed feed", "error"), [(each.url, each.error) for each in self.tally.failures])
            self._say(self.tally.summary())
        else:
            skipped = self.tally.outcomes[Outcome.PAUSED]
            more = f", {skipped:,} skipped: paused" if skipped else ""
            self._say(f"{counted(self.tally.sent, 'feed')} sent to the queue{more}")

    def _send(self, feed_ids: list[int]) -> list[Feed]:
        """Send feeds to the queue, but for those that are paused, and return them as they were before."""
        feeds = list(following.load(feed_ids))
        active = [feed for feed in feeds if feed.status != Feed.Status.PAUSED]
        self._finish([following.skipped(feed) for feed in feeds if feed.status == Feed.Status.PAUSED])
        if self.is_full:
            storage.forget_documents(feed.pk for feed in active)
        for feed in active:
            tasks.send(feed.url, asked_by=self._asked_by)
        self.tally.sent += len(active)
        return active

    def _follow(self, waiting: Following, timeout: float) -> None:
        with self._progress("Importing", len(waiting)) as progress:
            for endings in waiting.looks(timeout=timeout, patience=_patience(), settled=lambda: _is_settled(waiting)):
                self._finish(endings)
                progress.advance(len(endings))
        self.tally.outstanding = len(waiting)
        if waiting:
            _abandon_queue()

    def _finish(self, endings: list[Ending]) -> None:
        self.tally.add(endings)
        if self.verbosity > 1:
            for ending in endings:
                self.stdout.write(_line(ending))

    # What people read

    def _progress(self, label: str, total: int) -> Progress:
        return Progress(self.stderr, label, total, visible=self.verbosity == 1)  # above, each feed has its line

    def _values(self, intake: Intake) -> dict[str, Any]:
        counts = {name: getattr(intake, name) for name in ("added", "known", "duplicates", "bad_lines")}
        counts |= {"sent": self.tally.sent, **self.tally.counts(), "new_entries": self.tally.new_entries}
        return counts | {"failures": [{"url": each.url, "error": each.error} for each in self.tally.failures]}

    def _say(self, text: str) -> None:
        if self.verbosity:
            self.stdout.write(text)


def _check_usage(options: dict[str, Any]) -> None:
    if bool(options["sources"]) == bool(options["due"] or options["all"]):
        raise CommandError("Name one or more SOURCEs, or give --due or --all.", returncode=USAGE)
    if options["sources"].count(sources.STDIN) > 1:
        raise CommandError("Standard input can be read only once.", returncode=USAGE)
    for source in options["sources"]:
        if problem := sources.problem(source):
            raise CommandError(f"{source} is {problem}.", returncode=USAGE)


def _check_success(tally: Tally, intake: Intake) -> None:
    """Raise CommandError, exit code 1, if anything asked for was not done."""
    reasons = []
    if tally.failures:
        reasons.append(f"{counted(len(tally.failures), 'feed')} failed")
    if postponed := tally.outcomes[Outcome.DELAYED]:
        reasons.append(f"{counted(postponed, 'feed')} postponed until the host has a free slot")
    if tally.outstanding:
        reasons.append(f"{counted(tally.outstanding, 'feed')} still outstanding")
    if intake.bad_lines:
        reasons.append(counted(intake.bad_lines, "bad line"))
    if reasons:
        raise CommandError("; ".join(reasons) + ".")


def _stored(*, due: bool) -> Intake:
    intake = Intake()
    feeds = Feed.primary.due(clock.now()) if due else Feed.primary.active().order_by("id")
    # No iterator(): the server's cursor is gone with the next statement behind PgBouncer.
    intake.feed_ids.extend(feeds.values_list("id", flat=True))
    return intake


def _embedded() -> EmbeddedBroker | None:
    broker = tasks.import_feed.broker
    return broker if isinstance(broker, EmbeddedBroker) else None


def _is_settled(waiting: Following) -> bool:
    """Say whether no import that we wait for can be under way: none queued here, none locked by another process."""
    if not (broker := _embedded()) or not broker.drain(0):
        return False
    keys = [locking.lock_key(tasks.import_feed.actor_name, url) for url in waiting.some_urls()]
    return not caches[feeds_settings().lock_cache].get_many(keys)


def _abandon_queue() -> None:
    """Empty an embedded queue: the process would else work it off before it ends, and the feeds stay due anyway."""
    if broker := _embedded():
        broker.flush_all()


def _patience() -> float:
    """Return the seconds without any news after which a message must be lost: a killed worker's comes back sooner."""
    return feeds_settings().lock_expire + feeds_settings().time_limit


@contextmanager
def _quiet_imports(verbosity: int) -> Iterator[None]:
    """Keep the imports' INFO lines, which in embedded mode come from this process, out of the progress."""
    logger = logging.getLogger("feeds")
    level = logger.level
    if verbosity < 3:
        logger.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(level)


def _line(ending: Ending) -> str:
    more = ending.error or (f"{ending.new:,} new" if ending.outcome is Outcome.IMPORTED else "")
    return printable(f"{WORDS[ending.outcome]:<9} {ending.url} {more}".rstrip())
