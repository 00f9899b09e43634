"""The score of one import: which room is asked when. It decides nothing itself."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

from django.utils import timezone

from feeds import (
    addresses,
    discovery,
    hosts,
    identity,
    lanes,
    locks,
    moves,
    outage,
    pacing,
    planner,
    sandbox,
    schedule,
    storage,
)
from feeds.conf import FeedsSettings, feeds_settings
from feeds.deadlines import Patience
from feeds.documents import (
    Failed,
    FailureKind,
    FeedRequest,
    Fetched,
    FetchOutcome,
    ImportReport,
    KnownFeed,
    Move,
    NextCheck,
    Outcome,
    ParsedFeed,
    PlannedEntry,
)
from feeds.fetcher import Fetcher

logger = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds for which a caller without a queue waits for the host's slot

Fetch = Callable[[FeedRequest, Patience | None], FetchOutcome]

_outlook = outage.Outlook()


def import_feed(
    url: str, *, requested_at: datetime | None = None, slot: datetime | None = None, fetch: Fetch | None = None
) -> ImportReport:
    """Import the feed at `url`.

        storage.load     what is known
        lanes.visit      a place for a slow server, or back later
        hosts.enter      through the host's door, or back with a slot
        fetcher.fetch    what the server says
        sandbox.parse    what the document says; an HTML page may name its feed: that is imported then
        identity         which entry is which
        planner.plan     what that means
        storage.apply    written, or superseded

    A request made before the last check began is answered by that check. Where the host is busy the report says when
    to come back, with its `slot`; where that is far off, the schedule will do it and the report has none. Outcomes of
    the outside world are values in the report; only our own database raises.
    """
    started_at = timezone.now()
    known = storage.load(addresses.feed_url(url))
    fetch = fetch or _fetcher(feeds_settings()).fetch
    report = _answered(known, requested_at) or _visit(known, slot, started_at, fetch)
    _tell(report, (timezone.now() - started_at).total_seconds())
    return report


def import_now(url: str) -> ImportReport:
    """Import the feed at `url` for a caller that has no queue: wait here for the host's slot, but not for long."""
    give_up = time.monotonic() + PATIENCE
    report = import_feed(url)
    while report.slot is not None:
        rest = max(0.0, (report.slot - timezone.now()).total_seconds())
        if time.monotonic() + rest > give_up:
            storage.put_off(storage.load(report.url), report.slot, timezone.now())
            break
        time.sleep(rest)
        report = import_feed(url, slot=report.slot)
    return report


def _answered(known: KnownFeed, requested_at: datetime | None) -> ImportReport | None:
    if known.paused:
        return ImportReport(feed_id=known.id, url=known.url, outcome=Outcome.PAUSED)
    if requested_at and known.checked_at and known.checked_at > requested_at:
        return ImportReport(feed_id=known.id, url=known.url, outcome=Outcome.COVERED)
    return None


def _visit(known: KnownFeed, slot: datetime | None, started_at: datetime, fetch: Fetch) -> ImportReport:
    with _lane(feeds_settings().slow_fetches).visit(known.fetch_seconds) as visit:
        if not visit.is_turned_away:
            report = _enter(known, slot, started_at, fetch, visit)
            if report is not None:
                return report
    wait = lanes.wait(has_waited=slot is not None, luck=random.random())  # noqa: S311  # jitter
    return _delayed(replace(known, next_check_reason=lanes.FULL), timezone.now() + timedelta(seconds=wait))


def _enter(
    known: KnownFeed, slot: datetime | None, started_at: datetime, fetch: Fetch, visit: lanes.Visit
) -> ImportReport | None:
    """Return None where the fetch was ended because it took long and there was no place for it."""
    settings = feeds_settings()
    answer: hosts.Ticket | pacing.Wait | None = None
    if known.host is not None:
        deadline = known.request.deadline or settings.fetch_deadline
        answer = hosts.enter(known.host, slot=slot, default_gap=settings.host_delay, deadline=deadline)
    if isinstance(answer, pacing.Wait):
        return _delayed(known, answer.at)
    return _check(known, started_at, answer, fetch, visit)


def _delayed(known: KnownFeed, slot: datetime) -> ImportReport:
    now = timezone.now()
    seconds = (slot - now).total_seconds()
    put_off = seconds > pacing.LONGEST_DELAY and storage.put_off(known, slot, now)
    reason = schedule.with_slot(known.next_check_reason, seconds)
    return ImportReport(
        feed_id=known.id,
        url=known.url,
        outcome=Outcome.DELAYED,
        next_check=NextCheck(at=slot, reason=reason, interval=known.interval),
        slot=None if put_off else slot,
    )


def _check(
    known: KnownFeed, started_at: datetime, ticket: hosts.Ticket | None, fetch: Fetch, visit: lanes.Visit
) -> ImportReport | None:
    settings = feeds_settings()
    begun = time.monotonic()
    with hosts.holding(ticket):
        outcome = fetch(known.request, visit.patience)
    fetch_seconds = time.monotonic() - begun
    kind = outcome.kind if isinstance(outcome, Failed) else None
    if visit.was_cut and kind is FailureKind.TIMEOUT:
        storage.note_slowness(known, fetch_seconds)
        return None
    is_outage = _outlook.note(addresses.host_key(known.url), kind, timezone.now())
    parsed: ParsedFeed | None = None
    if isinstance(outcome, Fetched):
        suspicious = known.failure_kind == FailureKind.HOSTILE
        document = sandbox.parse(outcome, known.seen, limit=settings.parse_limit, suspicious=suspicious)
        found = discovery.choose(outcome, known) if discovery.is_worth_a_look(document, known) else None
        if found is not None:
            return _found(known, found, started_at, fetch)
        parsed, outcome = (document, outcome) if isinstance(document, ParsedFeed) else (None, document)
    plan = planner.plan(
        known,
        outcome,
        parsed,
        _identified(known, parsed) if parsed else (),
        started_at=started_at,
        now=timezone.now(),
        pace=schedule.Pace(
            shortest=settings.min_interval,
            longest=settings.max_interval,
            unconditional=settings.unconditional_interval,
            fixed=known.fixed_interval,
        ),
        outage=is_outage,
        fetch_seconds=fetch_seconds,
        luck=random.random(),  # noqa: S311  # jitter
    )
    rule = moves.Rule(sightings=settings.redirect_sightings, days=settings.redirect_days)
    return storage.apply(moves.decided(plan, rule, started_at))


def _found(known: KnownFeed, move: Move, started_at: datetime, fetch: Fetch) -> ImportReport:
    """Go on with the feed that a page names: under its own URL, and through the door of its own host."""
    logger.info("feed=%s found=%s reason=%s", addresses.redacted(known.url), addresses.redacted(move.url), move.reason)
    home = storage.adopt(known, move, started_at)
    if home is None:
        return ImportReport(feed_id=known.id, url=known.url, outcome=Outcome.SUPERSEDED)
    if home != known.id:  # known already, and polled when it is due
        return ImportReport(feed_id=home, url=move.url, outcome=Outcome.COVERED)
    return _visit(storage.load(move.url), None, started_at, fetch)


def _identified(known: KnownFeed, parsed: ParsedFeed) -> tuple[PlannedEntry, ...]:
    named = identity.name_entries(parsed)
    stored = storage.stored_entries(known, identity.names_of(named))
    entries = identity.identify(named, stored, identity.not_parsed(known, parsed))
    if identity.seems_moved(known, parsed, entries):
        return identity.recognise(entries, storage.newest_entries(known, 2 * len(entries)))
    return entries


@lru_cache(maxsize=1)
def _fetcher(settings: FeedsSettings) -> Fetcher:
    """Return the process's one fetcher: its sockets are shared by all threads."""
    return Fetcher(settings, clock=lambda: timezone.now().timestamp())


@lru_cache(maxsize=1)
def _lane(places: int) -> lanes.Lane:
    """Return the process's one lane for slow fetches."""
    return lanes.Lane(places)


def _tell(report: ImportReport, seconds: float) -> None:
    locks.counts.add(report.outcome.value)
    logger.info(
        "feed=%s outcome=%s new=%s changed=%s seconds=%.3f error=%s next=%s",
        addresses.redacted(report.url),
        report.outcome.value,
        report.new,
        report.changed,
        seconds,
        f"{report.failure.kind.value}: {report.failure.text}" if report.failure else "-",
        f"{report.next_check.at:%Y-%m-%dT%H:%M:%SZ}" if report.next_check and report.next_check.at else "-",
    )
