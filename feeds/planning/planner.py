"""What is known and what was fetched in, what to write out. Pure: it decides, `storage` does."""

from dataclasses import replace
from datetime import datetime, timedelta

from feeds import canonical_urls, fetching
from feeds.fetching import Failed, Fetched, FetchOutcome, Gone, NotModified, TooMany
from feeds.outcomes import FailureKind, Outcome
from feeds.parsing import ParsedFeed
from feeds.planning import schedule
from feeds.planning.values import FeedState, ImportPlan, NextCheck, Pause, PlannedEntry

MOST_CHANGES = 24  # of one entry: a clock or a counter in the content must not rewrite it for ever
CONFIRMED_AFTER = timedelta(seconds=schedule.CONFIRMATION)  # between two 410 that switch a feed off
GIVEN_UP_AFTER = timedelta(weeks=6)  # of 404
MOST_LISTED = 20_000  # entries of which is remembered that the feed lists them
EXPIRED = "the feed says that it will never change again"
UNKNOWN = bytes(16)  # stands for a digest that is not known


def plan(
    known: FeedState,
    outcome: FetchOutcome,
    parsed: ParsedFeed | None,
    entries: tuple[PlannedEntry, ...],
    *,
    started_at: datetime,
    now: datetime,
    pace: schedule.Pace,
    luck: float,
    outage: bool = False,
    fetch_seconds: float | None = None,
) -> ImportPlan:
    """Decide everything that one import writes.

    `luck` in [0, 1) is the random number for jitter. `outage` says that nothing can be reached: no fault of the feed.
    """
    failure = as_failure(outcome)
    if failure is not None:
        plan = _failed(known, failure, started_at=started_at, now=now, pace=pace, luck=luck, charged=not outage)
        return replace(plan, pause=_pause(outcome, now), fetch_seconds=fetch_seconds)
    assert not isinstance(outcome, Gone | TooMany | Failed)  # noqa: S101  # for mypy
    new = tuple(entry for entry in entries if entry.stored is None)
    off = EXPIRED if (parsed or known).expired else ""  # a 304 leaves what the document said in force
    if off:
        next_check = schedule.never(interval=known.interval, reason=off)
    else:
        next_check = schedule.after_success(
            now=now,
            history=_history(known, outcome, parsed, new, now),
            pace=pace,
            hints=_hints(known, parsed, outcome.max_age),
            luck=luck,
        )
    return ImportPlan(
        feed=known,
        outcome=Outcome.UNCHANGED if isinstance(outcome, NotModified) else Outcome.IMPORTED,
        started_at=started_at,
        fetched=outcome,
        parsed=parsed,
        new=new,
        changed=tuple(entry for entry in entries if _is_change(entry)),
        listed=_listed(known, parsed, entries) if parsed else (),
        fetch_seconds=fetch_seconds,
        switch_off=off,
        next_check=next_check,
    )


def _is_change(entry: PlannedEntry) -> bool:
    old = entry.stored
    if old is None or old.buried or old.changes >= MOST_CHANGES:
        return False
    return (old.guid_digest, old.content_digest) != (entry.guid_digest, entry.content_digest)


def _listed(known: FeedState, parsed: ParsedFeed, entries: tuple[PlannedEntry, ...]) -> tuple[tuple[bytes, bytes], ...]:
    """Return what the document lists: the digest of each entry, and its guid digest, also where it was not parsed."""
    guids = dict(known.listed) | {one.entry.digest: one.guid_digest for one in entries}
    pairs = [(digest, guids.get(digest, UNKNOWN)) for digest in parsed.digests]
    pairs += [(UNKNOWN, one.guid_digest) for one in entries if not one.entry.digest]
    if not parsed.complete:  # absence means nothing
        pairs += known.listed
    return tuple(dict.fromkeys(pairs))[:MOST_LISTED]


def _hints(known: FeedState, parsed: ParsedFeed | None, max_age: float | None) -> schedule.Hints:
    said = parsed or known
    return schedule.Hints(
        max_age=max_age,
        ttl=said.ttl,
        update_period=said.update_period,
        skip_hours=said.skip_hours,
        skip_days=said.skip_days,
    )


def _history(
    known: FeedState,
    fetched: Fetched | NotModified,
    parsed: ParsedFeed | None,
    new: tuple[PlannedEntry, ...],
    now: datetime,
) -> schedule.History:
    is_cut_short = parsed is not None and parsed.cut_short  # then its validators are not kept
    dates = (one.entry.published_at or one.entry.updated_at for one in new)
    return schedule.History(
        interval=known.interval if known.changed_at else 0,
        silent=(now - (known.changed_at or known.created_at)).total_seconds(),
        new_entries=len(new),
        dates=tuple(date for date in dates if date is not None and date < now),
        validators=bool(fetched.etag or fetched.last_modified) and not is_cut_short,
    )


def as_failure(outcome: FetchOutcome) -> Failed | None:
    """Return what went wrong, in the words that are stored, or None."""
    match outcome:
        case Failed():
            return outcome
        case Gone():
            return Failed(kind=FailureKind.GONE, text="the server says that the feed is gone for good", status=410)
        case TooMany():
            text = f"the server answers {outcome.status}: too many requests, or overloaded"
            return Failed(kind=FailureKind.TOO_MANY, text=text, status=outcome.status, retry_after=outcome.retry_after)
    return None


def _pause(outcome: FetchOutcome, now: datetime) -> Pause | None:
    """Return how long the host that answered is to be left alone; private ones answer for each feed by itself."""
    if not isinstance(outcome, TooMany):
        return None
    host = canonical_urls.host_key(outcome.url)
    seconds = schedule.host_pause(outcome.status, outcome.retry_after)
    if fetching.is_private_host(host) or not seconds:
        return None
    said = f"{outcome.status}, " + ("Retry-After" if outcome.retry_after is not None else "without Retry-After")
    return Pause(host=host, until=now + timedelta(seconds=seconds), reason=f"{said}: {seconds:.0f} s")


def _failed(
    known: FeedState,
    failure: Failed,
    *,
    started_at: datetime,
    now: datetime,
    pace: schedule.Pace,
    luck: float,
    charged: bool,
) -> ImportPlan:
    off = _end(known, failure, now)
    if charged:
        next_check = _after_failure(known, failure, off, now=now, pace=pace, luck=luck)
    else:
        next_check = schedule.after_outage(now=now, interval=known.interval, luck=luck)
    return ImportPlan(
        feed=known,
        outcome=Outcome.FAILED,
        started_at=started_at,
        failure=failure,
        switch_off=off,
        charged=charged,
        next_check=next_check,
    )


def _end(known: FeedState, failure: Failed, now: datetime) -> str:
    """Return why this feed is not to be polled any more, or ""."""
    if known.expired:
        return EXPIRED
    failing_for = now - known.failing_since if known.failing_since else timedelta()
    match failure.kind:
        case FailureKind.INVALID_URL if not canonical_urls.host_key(known.url):  # else a header or proxy of ours is
            return failure.text
        case FailureKind.GONE if known.failure_kind == FailureKind.GONE and failing_for >= CONFIRMED_AFTER:
            return failure.text
        case FailureKind.NOT_FOUND if failing_for >= GIVEN_UP_AFTER:
            return f"{failure.text}; failing since {known.failing_since:%Y-%m-%d}"
    return ""


def _after_failure(
    known: FeedState, failure: Failed, off: str, *, now: datetime, pace: schedule.Pace, luck: float
) -> NextCheck:
    if off:
        return schedule.never(interval=known.interval, reason=off)
    if failure.retry_after is not None:
        return schedule.after_retry_after(
            now=now, interval=known.interval, retry_after=failure.retry_after, pace=pace, luck=luck
        )
    if failure.kind is FailureKind.GONE:
        return schedule.to_confirm(now=now, interval=known.interval, luck=luck)
    return schedule.after_failure(
        now=now,
        interval=known.interval,
        failures=known.failures + 1,
        pace=pace,
        kind=failure.kind,
        luck=luck,
    )
