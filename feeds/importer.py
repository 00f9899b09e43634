"""The score of one import: which room is asked when. It decides nothing itself."""

import logging
import random
import time
from datetime import datetime
from functools import lru_cache, partial

from django.db import DataError
from django.utils import timezone

from feeds import canonical_urls, fetching, locking, planning, scheduling, storage
from feeds.conf import FeedsSettings, feeds_settings
from feeds.fetching import DELTA, Failed, Fetched, Fetcher, FetchOutcome, FetchSettings
from feeds.outcomes import FailureKind, Outcome
from feeds.parsing import Document, ParsedFeed, Parser, Unreadable
from feeds.planning import FeedState, ImportReport, Move, NextCheck, PlannedEntry

logger = logging.getLogger(__name__)

# What a value of a document can bring about that nobody foresaw. The rest is the database's, and a retry may help.
UNFORESEEN = (ArithmeticError, AttributeError, DataError, LookupError, TypeError, ValueError)
PATIENCE = 5.0  # seconds for which a caller without a queue waits for the host's slot

_outlook = scheduling.OutageDetector()


def import_feed(
    url: str,
    *,
    requested_at: datetime | None = None,
    slot: datetime | None = None,
    add: bool = True,
    fetch: scheduling.Fetch | None = None,
) -> ImportReport:
    """Import the feed at `url`.

        storage.load     what is known
        gate.visit       what the server says, or when to come back
        Parser.parse     what the document says; an HTML page may name its feed: that is imported then
        identity         which entry is which
        planner.plan     what that means
        storage.apply    written, or superseded

    A request made before the last check began is answered by that check. Where the host is busy the report says when
    to come back, with its `slot`; where that is far off, the schedule will do it and the report has none. A feed not
    known yet is stored first; not so without `add`, where it was known before: it has been deleted since. Outcomes of
    the outside world are values in the report; only our own database raises.
    """
    started_at = timezone.now()
    url = canonical_urls.feed_url(url)
    fetch = fetch or _fetcher(feeds_settings()).fetch
    try:
        report = _serve(url, storage.load(url) if add else storage.find(url), requested_at, slot, fetch)
        if report.outcome is Outcome.SUPERSEDED:
            report = _serve_again(report, requested_at or started_at, fetch)
    finally:
        fetching.leave()
    _tell(report, (timezone.now() - started_at).total_seconds())
    return report


def import_now(url: str) -> ImportReport:
    """Import the feed at `url` for a caller that has no queue: wait here for the host's slot, but not for long."""
    give_up = time.monotonic() + PATIENCE
    report = import_feed(url)
    while report.slot is not None:
        rest = max(0.0, (report.slot - timezone.now()).total_seconds())
        if time.monotonic() + rest > give_up:
            if (known := storage.find(report.url)) is not None:
                scheduling.postpone(known, report.slot, timezone.now())
            break
        time.sleep(rest)
        report = import_feed(url, slot=report.slot, add=False)
    return report


def _serve(
    url: str, known: FeedState | None, requested_at: datetime | None, slot: datetime | None, fetch: scheduling.Fetch
) -> ImportReport:
    if known is None:
        return ImportReport(feed_id=0, url=url, outcome=Outcome.DELETED)
    if known.paused:
        return ImportReport(feed_id=known.id, url=known.url, outcome=Outcome.PAUSED)
    if requested_at and known.checked_at and known.checked_at > requested_at:
        return ImportReport(feed_id=known.id, url=known.url, outcome=Outcome.COVERED)
    return _check(known, slot, timezone.now(), fetch)


def _serve_again(report: ImportReport, requested_at: datetime, fetch: scheduling.Fetch) -> ImportReport:
    """Serve a request that was superseded once more, unless it was another import that came first, which answers it.

    Whoever pauses, moves, merges or prunes a feed moves its revision on, too, and has imported nothing.
    """
    again = _serve(report.url, storage.find(report.url), requested_at, None, fetch)
    return report if again.outcome is Outcome.COVERED else again


def _check(known: FeedState, slot: datetime | None, started_at: datetime, fetch: scheduling.Fetch) -> ImportReport:
    settings = feeds_settings()
    visit = scheduling.admit(known, fetch, slot=slot, settings=settings)
    if isinstance(visit, scheduling.Postponed):
        return _delayed(known, visit)
    outcome, parsed = _read(known, visit.outcome, settings)
    if (found := planning.feed_of(visit.outcome, outcome, known)) is not None:
        return _found(known, found, started_at, fetch)
    store = partial(_store, known, visit, started_at, settings)
    try:
        return store(outcome, parsed)
    except UNFORESEEN as error:
        if parsed is None:
            raise
        # Not for the queue to try again at once: the schedule comes back, for another document.
        logger.exception("feed=%s: the document could not be stored", canonical_urls.redacted(known.url))
        text = f"the document could not be stored: {type(error).__name__}"
        return store(Failed(kind=FailureKind.HOSTILE, text=text), None)


def _store(
    known: FeedState,
    visit: scheduling.Admitted,
    started_at: datetime,
    settings: FeedsSettings,
    outcome: FetchOutcome,
    parsed: ParsedFeed | None,
) -> ImportReport:
    plan = planning.plan(
        known,
        outcome,
        parsed,
        _identified(known, parsed) if parsed else (),
        started_at=started_at,
        now=timezone.now(),
        pace=_pace(known, settings),
        outage=_is_outage(known, visit.outcome),
        fetch_seconds=visit.seconds,
        luck=random.random(),  # noqa: S311  # jitter
    )
    rule = planning.Rule(sightings=settings.redirect_sightings, days=settings.redirect_days)
    return storage.apply(planning.decided(plan, rule, started_at))


def _read(known: FeedState, outcome: FetchOutcome, settings: FeedsSettings) -> tuple[FetchOutcome, ParsedFeed | None]:
    """Return the document; where it is no feed, that is the outcome."""
    if not isinstance(outcome, Fetched):
        return outcome, None
    suspicious = known.failure_kind == FailureKind.HOSTILE
    parsed = _parser(settings.parse_limit).parse(document_of(outcome), known.seen, suspicious=suspicious)
    if isinstance(parsed, Unreadable):
        return Failed(kind=parsed.kind, text=parsed.text), None
    return outcome, parsed


def document_of(fetched: Fetched) -> Document:
    """Return what was fetched as a document to parse."""
    return Document(
        url=fetched.url,
        body=fetched.body,
        content_type=fetched.content_type,
        content_location=fetched.content_location,
        content_language=fetched.content_language,
        links=fetched.links,
        is_delta=fetched.status == DELTA,
    )


def _identified(known: FeedState, parsed: ParsedFeed) -> tuple[PlannedEntry, ...]:
    named = planning.name_entries(parsed)
    others = planning.not_parsed(known, parsed)
    entries = planning.identify(named, storage.stored_entries(known, planning.names_of(named)), others)
    if planning.seems_moved(known, parsed, entries):
        return planning.recognise(entries, storage.newest_entries(known, 2 * len(entries)))
    return entries


def _is_outage(known: FeedState, outcome: FetchOutcome) -> bool:
    kind = outcome.kind if isinstance(outcome, Failed) else None
    return _outlook.note(canonical_urls.host_key(known.url), kind, timezone.now())


def _pace(known: FeedState, settings: FeedsSettings) -> planning.Pace:
    return planning.Pace(
        shortest=settings.min_interval,
        longest=settings.max_interval,
        unconditional=settings.unconditional_interval,
        fixed=known.fixed_interval,
    )


def _delayed(known: FeedState, visit: scheduling.Postponed) -> ImportReport:
    """Report the slot to come back with; one that is far off is left to the schedule: brokers are no calendars."""
    now = timezone.now()
    if visit.cut_after is not None:
        storage.note_slowness(known, visit.cut_after)
    seconds = (visit.at - now).total_seconds()
    is_put_off = scheduling.is_for_the_schedule(at=visit.at, now=now, claimed_at=known.claimed_at)
    put_off = is_put_off and scheduling.postpone(known, visit.at, now)
    reason = planning.with_slot(known.next_check_reason, seconds)
    return ImportReport(
        feed_id=known.id,
        url=known.url,
        outcome=Outcome.DELAYED,
        next_check=NextCheck(at=visit.at, reason=reason, interval=known.interval),
        slot=None if put_off else visit.at,
    )


def _found(known: FeedState, move: Move, started_at: datetime, fetch: scheduling.Fetch) -> ImportReport:
    """Go on with the feed that a page names: under its own URL, and through the door of its own host."""
    logger.info(
        "feed=%s found=%s reason=%s", canonical_urls.redacted(known.url), canonical_urls.redacted(move.url), move.reason
    )
    home = storage.adopt(known, move, started_at)
    if home is None:
        return ImportReport(feed_id=known.id, url=known.url, outcome=Outcome.SUPERSEDED)
    if home != known.id:  # known already, and polled when it is due
        return ImportReport(feed_id=home, url=move.url, outcome=Outcome.COVERED)
    return _serve(move.url, storage.find(move.url), None, None, fetch)


@lru_cache(maxsize=1)
def _fetcher(settings: FeedsSettings) -> Fetcher:
    """Return the process's one fetcher: its sockets are shared by all threads."""
    return Fetcher(settings.part(FetchSettings), clock=lambda: timezone.now().timestamp())


@lru_cache(maxsize=1)
def _parser(limit: float) -> Parser:
    """Return the process's one parser: its children are shared by all threads."""
    return Parser(limit=limit)


def _tell(report: ImportReport, seconds: float) -> None:
    locking.counts.add(report.outcome.value)
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
