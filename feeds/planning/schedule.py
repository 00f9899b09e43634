"""When to look again, with the reason in words. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, log

from feeds.durations import in_words
from feeds.fetching import Failed
from feeds.outcomes import FailureKind
from feeds.parsing import ParsedFeed
from feeds.planning.values import Circumstances, DocumentState, History, NextCheck, Rules

HOUR, DAY = 3600.0, 24 * 3600.0  # seconds

# After a failure: up to so many seconds, doubled by each further one.
PASSING = 0.5 * HOUR  # the network, a server in trouble
LASTING = 6 * HOUR  # what somebody has to repair
BACKOFF = {
    FailureKind.UNAUTHORIZED: LASTING,
    FailureKind.FORBIDDEN: LASTING,
    FailureKind.NOT_FOUND: LASTING,
    FailureKind.LEGAL: LASTING,
    FailureKind.CLIENT_ERROR: LASTING,
    FailureKind.REDIRECT: LASTING,
    FailureKind.REFUSED_ADDRESS: LASTING,
    FailureKind.TOO_LARGE: LASTING,
    FailureKind.ENCODING: LASTING,
    FailureKind.NOT_A_FEED: LASTING,
    FailureKind.HOSTILE: LASTING,
    FailureKind.DATABASE: LASTING,
}
LONGEST_BACKOFF = 7 * DAY
LONGEST_HINT = DAY  # feeds that claim to be fresh for sixteen years were seen
CONFIRMATION = DAY  # from a first 410 to the check that confirms it
LONGEST_PAUSE = DAY  # one odd Retry-After must not silence a big host for a week
# Seconds, where the server does not say how long. 429 means us; a 503 may be the trouble of one feed among thousands.
PAUSES = {429: 600.0, 503: 60.0}
AFTER_OUTAGE = 600.0  # seconds until a feed is looked at again that failed because nothing could be reached

JITTER = 0.1  # of the wait: feeds added together do not poll together for ever
POLLS_PER_ENTRY = 2  # aimed at
MEMORY = 0.7  # the weight of the interval so far when a new one comes in
SILENCE_SHARE = 1 / 8  # a feed silent for eight days is polled once a day
# Days of silence, and how many of the longest intervals lie between two polls then.
SILENCES = ((365, 7), (90, 4), (30, 2))

SLOT = "; host slot "
ASKED_AT_THE_LAST_CHECK = "asked for at about the time of the last check, by clocks that may differ"
UNREAD = "; no process could read the document: "
# Children that end are replaced at once; what stays wrong must not cost the publisher a document each minute.
UNREAD_ONCE, UNREAD_AGAIN = timedelta(minutes=1), timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a check that went well has brought."""

    new_entries: int = 0
    dates: Sequence[datetime] = ()  # of the new entries; they give a first interval
    left_out: int = 0  # new entries over the budget of the day: none of the others is taken before it is over
    has_validators: bool = True  # does the server give an ETag or a Last-Modified?
    max_age: float | None = None  # seconds that the answer stays fresh
    retry_after: float | None = None  # seconds for which a redirect on the way asked not to come back


# The next check

Hints = DocumentState | ParsedFeed  # what a document says about polling only lengthens the wait


def after_success(history: History, news: News, hints: Hints, rules: Rules, circumstances: Circumstances) -> NextCheck:
    """Return the next check after one that went well."""
    now, jitter = circumstances.now, circumstances.jitter
    interval, fixed = learned_interval(history, news, rules, now), history.fixed_interval
    waits = _waits(interval, history, news, hints, rules, now) if fixed is None else {"fixed interval": float(fixed)}
    wait, reason = _longest(waits | {"Retry-After": news.retry_after or 0.0})
    at, skipped = now + timedelta(seconds=wait * (1 + JITTER * jitter)), ""
    if fixed is None:
        at, skipped = _skip(at, hints, jitter)
    return NextCheck(at=at, reason=reason + skipped, interval=interval)


def after_failure(
    history: History, failures: int, failure: Failed, rules: Rules, circumstances: Circumstances
) -> NextCheck:
    """Return the next check after `failures` failures in a row, of which this is the last one."""
    jitter = circumstances.jitter
    apart = 1 + JITTER * jitter  # feeds that failed together are not looked at again all at once
    if circumstances.outage:
        wait = AFTER_OUTAGE * (1 + jitter)
        reason = "no host could be reached: the fault is on our side and does not count against the feed"
    elif failure.kind is FailureKind.GONE:  # which broken deployments say, too
        wait = max(CONFIRMATION, failure.retry_after or 0.0) * apart
        reason = "the server says gone; asked once more after a day"
    elif failure.retry_after is not None:
        wait = max(failure.retry_after, rules.min_interval) * apart
        reason = f"Retry-After {in_words(failure.retry_after)}"
        if failure.retry_after < rules.min_interval:
            reason += f" < shortest interval {in_words(rules.min_interval)}"
    else:  # exponential, with full jitter, bounded below
        ceiling = min(LONGEST_BACKOFF, BACKOFF.get(failure.kind, PASSING) * 2 ** min(failures - 1, 20))
        least = rules.min_interval if history.fixed_interval is None else history.fixed_interval
        wait = max(least * apart, ceiling * jitter)
        reason = f"{failure.kind.label}; failure {failures} in a row, back-off up to {in_words(ceiling)}"
    return NextCheck(at=circumstances.now + timedelta(seconds=wait), reason=reason, interval=history.interval)


def with_slot(reason: str, seconds: float) -> str:
    """Add to a reason that the host's queue postpones the check by so many seconds."""
    return f"{_check_reason(reason)}{SLOT}+{in_words(seconds)}"


def unread(history: History, fault: str, now: datetime) -> NextCheck:
    """Return when to fetch a document again that a fault of ours kept from being read; the reason so far is kept."""
    reason = history.next_check_reason
    wait = UNREAD_AGAIN if UNREAD in reason else UNREAD_ONCE
    return NextCheck(at=now + wait, reason=f"{_check_reason(reason)}{UNREAD}{fault}", interval=history.interval)


def _check_reason(reason: str) -> str:
    """Return why the check was due at first."""
    return reason.partition(SLOT)[0].partition(UNREAD)[0]


# The learned interval


def learned_interval(history: History, news: News, rules: Rules, now: datetime) -> int:
    """Return the feed's interval in seconds: two polls for each new entry, learned from the time between them.

    The mean is geometric: after months of silence one new entry brings the interval down by most of the way.
    """
    known = history.interval if history.changed_at else 0
    between = _between_entries(known, history, news, now)
    if between is None:
        return known or rules.min_interval
    wanted = _bounded(between / POLLS_PER_ENTRY, rules)
    if not known:
        return int(wanted)
    current = _bounded(float(known), rules)
    return round(_bounded(exp(MEMORY * log(current) + (1 - MEMORY) * log(wanted)), rules))


def _between_entries(known: int, history: History, news: News, now: datetime) -> float | None:
    """Return the mean seconds between two entries, as far as this check tells."""
    if not news.new_entries:
        return None
    if known:
        return _silent(history, now) / news.new_entries
    if not news.dates:
        return None
    return max(0.0, (now - min(news.dates)).total_seconds()) / len(news.dates)


def _silent(history: History, now: datetime) -> float:
    """Return for how many seconds no new entry was seen before this check."""
    return (now - (history.changed_at or history.created_at)).total_seconds()


def _bounded(seconds: float, rules: Rules) -> float:
    return min(max(seconds, float(rules.min_interval), 1.0), float(max(rules.max_interval, rules.min_interval, 1)))


def _waits(interval: int, history: History, news: News, hints: Hints, rules: Rules, now: datetime) -> dict[str, float]:
    """Return the waits that something asks for, in seconds; the learned interval stands first."""
    waits = {"learned interval": float(interval)}
    if not news.new_entries:
        waits["silence"] = _silence(_silent(history, now), rules)
    if news.left_out:
        waits[f"{news.left_out:,} new entries over the day's limit"] = float(rules.unconditional_interval)
    if not news.has_validators:
        waits["no validators"] = float(rules.unconditional_interval)
    for name, value in (("max-age", news.max_age), ("ttl", hints.ttl), ("sy:updatePeriod", hints.update_period)):
        waits[name] = min(float(value or 0.0), LONGEST_HINT)
    return waits


def _silence(silent: float, rules: Rules) -> float:
    """Return how long to wait for a feed in which nothing has been new for so many seconds."""
    for days, times in SILENCES:
        if silent >= days * DAY:
            return float(times * rules.max_interval)
    return min(silent * SILENCE_SHARE, float(rules.max_interval))


def _longest(waits: dict[str, float]) -> tuple[float, str]:
    """Return the longest wait with its reason, which names the first, too: that would have been enough otherwise."""
    usual, longest = next(iter(waits)), max(waits, key=waits.__getitem__)  # of equals the first
    reasons = [f"{name} {in_words(waits[name])}" for name in dict.fromkeys((longest, usual))]
    return waits[longest], " > ".join(reasons)


# Hours and days that the feed asks to skip


def _skip(at: datetime, hints: Hints, jitter: float) -> tuple[datetime, str]:
    """Move `at` (UTC) out of the hours and days that the feed asks to skip: at most a week, so 168 steps."""
    # To skip every hour or every day is a mistake.
    hours = hints.skip_hours if hints.skip_hours & 0xFFFFFF != 0xFFFFFF else 0
    days = hints.skip_days if hints.skip_days & 0x7F != 0x7F else 0
    moved = at
    while hours >> moved.hour & 1 or days >> moved.weekday() & 1:
        moved = moved.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    if moved == at:
        return at, ""
    # Many feeds skip the same hours: they must not all come on the hour.
    return moved + timedelta(seconds=JITTER * HOUR * jitter), f"; skipHours or skipDays until {moved:%a %H:%M} UTC"


def host_pause(status: int, retry_after: float | None) -> float:
    """Return for how many seconds a 429 or 503 pauses its host."""
    asked = PAUSES.get(status, 0.0) if retry_after is None else retry_after
    return min(max(asked, 0.0), LONGEST_PAUSE)
