"""The import of one feed, from its row to its row: `Importer.run` is the whole path."""

import logging
import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from django.apps import apps

from feeds import canonical_urls, clock, planning, scheduling, storage
from feeds.conf import FeedsSettings
from feeds.databases import refuse_transaction
from feeds.exceptions import log_unforeseen
from feeds.fetching import DELTA, Failed, Fetched, Fetcher, FetchOutcome, FetchSettings
from feeds.outcomes import AskedBy, FailureKind, Outcome
from feeds.parsing import Document, ParsedFeed, Parser, SandboxUnavailable, Unreadable
from feeds.planning import Circumstances, FeedState, ImportReport, NextCheck, Rules, Trace
from feeds.scheduling import Admission, Admitted, Bulkhead, OutageDetector, Postponed

logger = logging.getLogger(__name__)

# What a value of a document can bring about that was not foreseen. Other errors are the database's: a retry may help.
UNFORESEEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
LONGEST_WAIT = 5.0  # seconds for which a caller without a queue waits for the host's slot


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """What is asked for: the import of one feed."""

    url: str  # canonical, or a text that is no URL: then that is recorded on the feed
    requested_at: datetime | None = None  # a check that began later answers the request
    slot: datetime | None = None  # the slot that the last report gave
    create: bool = True  # False: the feed was known before; if it is no more, it has been deleted, and stays so
    asked_by: str = AskedBy.CODE
    skew: timedelta = timedelta()  # by which the clock of who asked may differ from that of the last check

    def answer(self, feed: FeedState) -> Outcome | None:
        """Return the outcome if no check is needed or wanted; where clocks leave a doubt, the schedule makes one."""
        if feed.paused:
            return Outcome.PAUSED
        if not (self.requested_at and (checked_at := feed.history.checked_at) and checked_at > self.requested_at):
            return None
        is_sure = checked_at - self.skew > self.requested_at
        if is_sure or scheduling.postpone(feed.id, checked_at + self.skew, planning.ASKED_AT_THE_LAST_CHECK):
            return Outcome.COVERED  # or it will be: by one check later, and not one for each of a thousand messages now
        return None


class Importer:
    """Imports feeds. One in each process: it holds the connections, and what was seen of the network lately.

        load     what the database knows of the feed               storage
        admit    its turn at the host, a permit if it is slow      scheduling
        fetch    what the server says                              fetching
        parse    what the document says                            parsing
        plan     what that means: entries, next check, redirects   planning
        store    all of it in one transaction, or nothing          storage

    Safe to share between threads. `clock` returns aware datetimes, `jitter` random numbers in [0, 1).
    """

    def __init__(
        self,
        settings: FeedsSettings,
        *,
        fetcher: Fetcher | None = None,
        parser: Parser | None = None,
        admission: Admission | None = None,
        clock: Callable[[], datetime] = clock.now,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._jitter = jitter
        self._fetcher = fetcher or Fetcher(settings.part(FetchSettings), clock=lambda: clock().timestamp())
        self._admission = admission or Admission(
            Bulkhead(settings.slow_fetches),
            host_delay=settings.host_delay,
            fetch_deadline=settings.fetch_deadline,
            jitter=jitter,
        )
        self._parser = parser or Parser(limit=settings.parse_limit)
        self._outage = OutageDetector()
        self._rules = settings.part(Rules)

    def close(self) -> None:
        """End the children that parse."""
        self._parser.close()

    def run(self, request: ImportRequest) -> ImportReport:
        """Import a feed, or say why not.

        A request made before the last check began is answered by that check. Where the host is busy the report says
        when to come back, with its `slot`; where that is far off, the schedule does it, and the report has none. An
        HTML page may name its feed: that is imported then. Outcomes of the outside world are values in the report;
        only our own database raises.
        """
        started_at = self._clock()
        report = self._attempt(request)
        if report.outcome is Outcome.SUPERSEDED:
            report = self._attempt_again(report, replace(request, requested_at=request.requested_at or started_at))
        while report.outcome is Outcome.DISCOVERED:  # twice at the most
            report = self._attempt(ImportRequest(url=report.url, create=False, asked_by=request.asked_by))
        _log(report, (self._clock() - started_at).total_seconds())
        return report

    def run_now(self, url: str) -> ImportReport:
        """Import the feed at `url` for a caller that has no queue: wait here for the host's slot, but not for long."""
        refuse_transaction()
        give_up = time.monotonic() + LONGEST_WAIT
        report = self.run(ImportRequest(url=url))
        while report.slot is not None:
            rest = max(0.0, (report.slot - self._clock()).total_seconds())
            if time.monotonic() + rest > give_up:
                scheduling.postpone(report.feed_id, report.slot, report.next_check.reason if report.next_check else "")
                break
            time.sleep(rest)
            report = self.run(ImportRequest(url=url, slot=report.slot, create=False))
        return report

    def _attempt(self, request: ImportRequest) -> ImportReport:
        feed = storage.load(request.url, create=request.create, now=self._clock())
        if feed is None:
            return ImportReport(feed_id=0, url=request.url, outcome=Outcome.DELETED)
        if (outcome := request.answer(feed)) is not None:
            return ImportReport(feed_id=feed.id, url=feed.url, outcome=outcome)
        started_at = self._clock()
        admission = self._admission.ask(feed, request.slot)
        if isinstance(admission, Postponed):
            return self._postpone(feed, admission)
        with admission:
            with admission.fetching():
                request_ = planning.request(feed, started_at, self._jitter())
                with _stage(feed, "fetch"):
                    response = self._fetcher.fetch(request_, admission.allowance, admission.admit)
            if (cut := admission.cut) is not None:
                return self._postpone(feed, cut)
            try:
                document = self._parse(feed, response, admission)
            except SandboxUnavailable as error:
                return self._postpone(feed, admission.cut) if admission.cut else self._unread(feed, error)
        circumstances = Circumstances(
            started_at=started_at,
            now=self._clock(),
            jitter=self._jitter(),
            fetch_seconds=admission.seconds,
            outage=self._is_outage(feed, response),
            trace=_trace(request, started_at, response, admission.stages),
        )
        if isinstance(response, Fetched):  # eight threads would keep 80 MiB while they store
            response = replace(response, body=b"")
        return self._store(feed, response, document, circumstances)

    def _attempt_again(self, report: ImportReport, request: ImportRequest) -> ImportReport:
        """Serve a superseded request once more, unless it was another import that came first, which answers it.

        To pause, move, merge or prune a feed moves its revision on, too, and imports nothing.
        """
        again = self._attempt(replace(request, url=report.url, slot=None, create=False))
        return report if again.outcome is Outcome.COVERED else again

    def _postpone(self, feed: FeedState, admission: Postponed) -> ImportReport:
        """Report the slot to come back with; one that is far off is left to the schedule: brokers are no calendars."""
        now = self._clock()
        if admission.cut_after is not None:
            storage.note_slowness(feed, admission.cut_after)
        is_far = scheduling.is_for_the_schedule(at=admission.at, now=now, claimed_at=feed.history.claimed_at)
        reason = planning.with_slot(feed.history.next_check_reason, (admission.at - now).total_seconds())
        is_scheduled = is_far and scheduling.postpone(feed.id, admission.at, reason)
        next_check = NextCheck(at=admission.at, reason=reason, interval=feed.history.interval)
        slot = None if is_scheduled else admission.at
        return ImportReport(feed_id=feed.id, url=feed.url, outcome=Outcome.DELAYED, next_check=next_check, slot=slot)

    def _unread(self, feed: FeedState, error: SandboxUnavailable) -> ImportReport:
        """Leave it to the schedule to fetch the document again: what is wrong is ours, and stands on no feed."""
        logger.error("feed=%s: %s", canonical_urls.redacted(feed.url), error)
        next_check = planning.unread(feed.history, str(error), self._clock())
        if next_check.at is not None:
            scheduling.postpone(feed.id, next_check.at, next_check.reason)
        return ImportReport(feed_id=feed.id, url=feed.url, outcome=Outcome.DELAYED, next_check=next_check)

    def _parse(self, feed: FeedState, response: FetchOutcome, admission: Admitted) -> ParsedFeed | Unreadable | None:
        if not isinstance(response, Fetched):
            return None
        return self._parser.parse(
            document_of(response),
            feed.document.seen,
            suspicious=feed.failures.kind == FailureKind.HOSTILE,
            goes_on=admission.goes_on,
            context={"feed_id": feed.id},
        )

    def _is_outage(self, feed: FeedState, response: FetchOutcome) -> bool:
        kind = response.kind if isinstance(response, Failed) else None
        return self._outage.note(feed.host.name if feed.host else "", kind, self._clock())

    def _store(
        self,
        feed: FeedState,
        response: FetchOutcome,
        document: ParsedFeed | Unreadable | None,
        circumstances: Circumstances,
    ) -> ImportReport:
        parsed = document if isinstance(document, ParsedFeed) else None
        planned = partial(planning.plan, feed, rules=self._rules, circumstances=circumstances)
        try:
            with _stage(feed, "plan"):
                entries = planning.match_entries(feed, parsed, storage.EntryRows(feed)) if parsed else ()
                plan = planned(response, document, entries)
            with _stage(feed, "store"):
                report = storage.apply(plan, lambda refusal: planned(refusal, None, ()))
                if plan.pause:
                    scheduling.pause(plan.pause)
                storage.prune_flood(report, self.settings.part(storage.Retention), self._clock())
        except UNFORESEEN as error:
            if parsed is None:
                raise
            # Not for the queue to try again at once: the schedule comes back, for another document.
            text = f"the document could not be stored: {type(error).__name__}"
            return self._store(feed, response, Unreadable(kind=FailureKind.HOSTILE, text=text), circumstances)
        return report


def _stage(feed: FeedState, stage: str) -> AbstractContextManager[None]:
    return log_unforeseen(logger, feed=canonical_urls.redacted(feed.url), feed_id=feed.id, stage=stage)


def get_importer() -> Importer:
    """Return the process's importer."""
    current: Importer = apps.get_app_config("feeds").importer  # type: ignore[attr-defined]
    return current


def _trace(request: ImportRequest, started_at: datetime, response: FetchOutcome, stages: dict[str, float]) -> Trace:
    """Return what the history tells of a check that was made."""
    waited = (started_at - request.requested_at).total_seconds() if request.requested_at else None
    return Trace(
        asked_by=request.asked_by,
        waited=waited,
        seconds=stages,
        status=response.status,
        size=len(response.body) if isinstance(response, Fetched) else 0,
    )


def document_of(fetched: Fetched) -> Document:
    """Return what was fetched as a document to parse."""
    return Document(
        url=fetched.url,
        body=fetched.body,
        content_type=fetched.content_type,
        content_language=fetched.content_language,
        links=fetched.links,
        is_delta=fetched.status == DELTA,
    )


def _log(report: ImportReport, seconds: float) -> None:
    if report.left_out:
        text = "feed=%s left_out=%s: more new entries than FEEDS_DAILY_ENTRIES; a later check takes them"
        logger.warning(text, canonical_urls.redacted(report.url), report.left_out)
    logger.info(
        "feed=%s outcome=%s new=%s changed=%s seconds=%.3f error=%s next=%s",
        canonical_urls.redacted(report.url),
        report.outcome.value,
        report.new,
        report.changed,
        seconds,
        f"{report.failure.kind.value}: {report.failure.text}" if report.failure else "-",
        f"{report.next_check.at:%Y-%m-%dT%H:%M:%SZ}" if report.next_check and report.next_check.at else "-",
    )
