"""What an import writes, decided at once: entries, next check, redirects, pauses. Pure: `storage` does it."""

from datetime import datetime, timedelta

from feeds import canonical_urls
from feeds.durations import in_words
from feeds.fetching import Failed, Fetched, FetchOutcome, NotModified, is_private_host
from feeds.outcomes import FailureKind, Outcome
from feeds.parsing import ParsedFeed, Unreadable
from feeds.planning import budget, conditions, redirects, schedule
from feeds.planning.recognition import READER
from feeds.planning.values import (
    Circumstances,
    FeedState,
    ImportPlan,
    NextCheck,
    Pause,
    PlannedEntry,
    RedirectStreak,
    Rules,
)

MOST_CHANGES = 24  # of one entry: a clock or a counter in the content must not rewrite it for ever
CONFIRMED_AFTER = timedelta(seconds=schedule.CONFIRMATION)  # between two 410 that disable a feed
GIVEN_UP_AFTER = timedelta(weeks=6)  # of 404
MOST_LISTED = 20_000  # entries of which is remembered that the feed lists them
EXPIRED = "the feed says that it will never change again"
UNKNOWN = bytes(16)  # stands for a digest that is not known


def plan(
    feed: FeedState,
    response: FetchOutcome,
    document: ParsedFeed | Unreadable | None,
    entries: tuple[PlannedEntry, ...],
    rules: Rules,
    circumstances: Circumstances,
) -> ImportPlan:
    """Decide everything that one import writes. `entries` are those of the document, under their identities."""
    if isinstance(document, Unreadable):
        move = redirects.discovered(feed, response, document)
        if move is not None:
            return ImportPlan(feed=feed, outcome=Outcome.DISCOVERED, circumstances=circumstances, move=move)
        return _failed(feed, Failed(kind=document.kind, text=document.text), rules, circumstances)
    if isinstance(response, Failed):
        return _failed(feed, response, rules, circumstances)
    return _succeeded(feed, response, document, entries, rules, circumstances)


# A check that went well


def _succeeded(
    feed: FeedState,
    fetched: Fetched | NotModified,
    parsed: ParsedFeed | None,
    entries: tuple[PlannedEntry, ...],
    rules: Rules,
    circumstances: Circumstances,
) -> ImportPlan:
    unknown = tuple(entry for entry in entries if entry.stored is None)
    new, used = budget.spend(feed, unknown, rules.daily_entries, circumstances)
    changed = tuple(entry for entry in entries if _is_change(entry))
    document = parsed or feed.document  # a 304 leaves what the document said in force
    expired = EXPIRED if document.expired else ""
    ignored = conditions.ignored(feed, fetched, circumstances.started_at, has_news=bool(unknown or changed))
    if expired:
        next_check = NextCheck(at=None, reason=expired, interval=feed.history.interval)
    else:
        is_read = not (parsed and parsed.cut_short)  # else its validators are not kept
        are_honoured = is_read and ignored < conditions.MOST_IGNORED
        news = _news(fetched, new, used.left_out, circumstances.now, has_validators=are_honoured)
        next_check = schedule.after_success(feed.history, news, document, rules, circumstances)
    streak = redirects.streak(feed, fetched, circumstances.started_at)
    return ImportPlan(
        feed=feed,
        outcome=Outcome.UNCHANGED if isinstance(fetched, NotModified) else Outcome.IMPORTED,
        circumstances=circumstances,
        fetched=fetched,
        parsed=parsed,
        new=new,
        changed=changed,
        listed=_listed(feed, streak, parsed, entries, unknown[len(new) :]) if parsed else (),
        next_check=next_check,
        disable=expired,
        redirect=streak,
        validators_ignored=ignored,
        budget=used if unknown or feed.budget.left_out else None,
        move=redirects.move(feed, streak, rules, circumstances.started_at, public=fetched.public),
    )


def _is_change(entry: PlannedEntry) -> bool:
    old = entry.stored
    if old is None or old.is_tombstone or old.changes >= MOST_CHANGES:
        return False
    return (old.guid_digest, old.content_digest) != (entry.guid_digest, entry.content_digest)


def _listed(
    feed: FeedState,
    streak: RedirectStreak | None,
    parsed: ParsedFeed,
    entries: tuple[PlannedEntry, ...],
    left_out: tuple[PlannedEntry, ...],
) -> tuple[tuple[bytes, bytes], ...]:
    """Return what the document lists: the digest of each entry, and its guid digest, also where it was not parsed.

    What was left out is to be read again.
    """
    is_elsewhere = (streak and streak.url) != (feed.redirect and feed.redirect.url)
    guids = dict(feed.document.listed) | {one.entry.digest: one.guid_digest for one in entries}
    forgotten = {one.entry.digest for one in left_out}
    pairs = [(digest, guids.get(digest, UNKNOWN)) for digest in parsed.digests if digest not in forgotten]
    pairs += [(UNKNOWN, one.guid_digest) for one in entries if not one.entry.digest]
    if not parsed.complete and not is_elsewhere:  # absence means nothing
        pairs += feed.document.listed
    return (*tuple(dict.fromkeys(pair for pair in pairs if pair != READER))[: MOST_LISTED - 1], READER)


def _news(
    fetched: Fetched | NotModified, new: tuple[PlannedEntry, ...], left_out: int, now: datetime, *, has_validators: bool
) -> schedule.News:
    dates = (one.entry.published_at or one.entry.updated_at for one in new)
    return schedule.News(
        new_entries=len(new),
        dates=tuple(date for date in dates if date is not None and date < now),
        left_out=left_out,
        has_validators=has_validators and bool(fetched.etag or fetched.last_modified),
        max_age=fetched.max_age,
        retry_after=fetched.retry_after,
    )


# A check that failed


def _failed(feed: FeedState, failure: Failed, rules: Rules, circumstances: Circumstances) -> ImportPlan:
    if not circumstances.outage and (move := redirects.next_found(feed, failure)):
        return ImportPlan(feed=feed, outcome=Outcome.DISCOVERED, circumstances=circumstances, move=move)
    reason = _reason_to_stop(feed, failure, circumstances.now)
    if reason:
        next_check = NextCheck(at=None, reason=reason, interval=feed.history.interval)
    else:
        next_check = schedule.after_failure(feed.history, feed.failures.count + 1, failure, rules, circumstances)
    return ImportPlan(
        feed=feed,
        outcome=Outcome.FAILED,
        circumstances=circumstances,
        failure=failure,
        next_check=next_check,
        disable=reason,
        pause=_pause(feed, failure, circumstances.now),
        redirect=feed.redirect,  # a check that failed says nothing about it
    )


def _reason_to_stop(feed: FeedState, failure: Failed, now: datetime) -> str:
    """Return why this feed is not to be polled any more, or ""."""
    if feed.document.expired:
        return EXPIRED
    since = feed.failures.since
    failing_for = now - since if since else timedelta()
    match failure.kind:
        case FailureKind.INVALID_URL if not canonical_urls.host_key(feed.url):  # else a header or proxy of ours is
            return failure.text
        case FailureKind.GONE if feed.failures.kind == FailureKind.GONE and failing_for >= CONFIRMED_AFTER:
            return failure.text
        case FailureKind.NOT_FOUND if failing_for >= GIVEN_UP_AFTER:
            return f"{failure.text}; failing since {since:%Y-%m-%d}"
    return ""


def _pause(feed: FeedState, failure: Failed, now: datetime) -> Pause | None:
    """Return how long the feed's host is to be left alone; private ones answer for each feed by itself.

    Where a redirect leads, another host answers: that is between the two, and stops no feed of either but this one.
    """
    if failure.kind is not FailureKind.TOO_MANY or failure.status is None:
        return None
    host = canonical_urls.host_key(feed.url)
    if failure.redirects and canonical_urls.host_key(failure.redirects[-1].url) != host:
        return None
    seconds = schedule.host_pause(failure.status, failure.retry_after)
    if is_private_host(host) or not seconds:
        return None
    asked = "Retry-After" if failure.retry_after is not None else "without Retry-After"
    reason = f"{failure.status}, {asked}: {in_words(seconds)}"
    return Pause(host=host, feed_id=feed.id, until=now + timedelta(seconds=seconds), reason=reason)
