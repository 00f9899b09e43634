"""History, hints and the time in; the time of the next check out, with its reason in words. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, log

from feeds.outcomes import FailureKind
from feeds.planning.values import NextCheck

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
}
LONGEST_BACKOFF = 7 * DAY
LONGEST_HINT = DAY  # feeds that claim to be fresh for sixteen years were seen
LONGEST_RETRY_AFTER = 7 * DAY
CONFIRMATION = DAY  # from a first 410 to the check that confirms it
AFTER_OUTAGE = 600.0  # seconds until a feed is looked at again that failed because nothing could be reached

JITTER = 0.1  # of the wait: feeds added together do not poll together for ever
POLLS_PER_ENTRY = 2  # aimed at
MEMORY = 0.7  # the weight of the pace so far when a new gap comes in
SILENCE_SHARE = 1 / 8  # a feed silent for eight days is polled once a day
# Days of silence, and how many of the longest intervals lie between two polls then.
SILENCES = ((365, 7), (90, 4), (30, 2))

SLOT = "; host slot "


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What bounds a feed's interval. All in seconds."""

    shortest: int
    longest: int
    unconditional: int = 0  # the shortest for a server that gives no validator, so that each poll costs the document
    fixed: int | None = None  # set by a person: overrides pace and hints


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is known of a feed when a poll has gone well."""

    interval: int  # seconds, the feed's own; 0 = not known yet
    silent: float  # seconds since a new entry was last seen before this poll
    new_entries: int = 0
    dates: Sequence[datetime] = ()  # of the new entries; they give a first pace
    validators: bool = True  # does the server give an ETag or a Last-Modified?


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What the feed and its server ask for. They only lengthen the wait. All in seconds; masks as in ParsedFeed."""

    max_age: float | None = None
    ttl: int | None = None
    update_period: int | None = None
    skip_hours: int = 0
    skip_days: int = 0


# The next check


def after_success(*, now: datetime, history: History, pace: Pace, hints: Hints, luck: float) -> NextCheck:
    """Return the next check after a poll that went well. `luck` in [0, 1) is the jitter's random number."""
    interval = own_interval(history, pace, now)
    if pace.fixed is not None:
        at = now + timedelta(seconds=pace.fixed * (1 + JITTER * luck))
        return NextCheck(at=at, reason=f"fixed interval {pace.fixed} s", interval=interval)
    wait, reason = _longest(_wishes(interval, history, pace, hints))
    at, skipped = _skip(now + timedelta(seconds=wait * (1 + JITTER * luck)), hints, luck)
    return NextCheck(at=at, reason=reason + skipped, interval=interval)


def after_failure(
    *, now: datetime, interval: int, failures: int, pace: Pace, kind: FailureKind, luck: float
) -> NextCheck:
    """Return the next check after `failures` failures in a row: exponential, with full jitter, never before `pace`."""
    ceiling = min(LONGEST_BACKOFF, BACKOFF.get(kind, PASSING) * 2 ** min(failures - 1, 20))
    shortest = float(pace.shortest if pace.fixed is None else pace.fixed)
    wait = max(shortest * (1 + JITTER * luck), ceiling * luck)
    reason = f"{kind.label}; failure {failures} in a row, back-off up to {ceiling:.0f} s"
    return NextCheck(at=now + timedelta(seconds=wait), reason=reason, interval=interval)


def after_retry_after(*, now: datetime, interval: int, retry_after: float, pace: Pace, luck: float) -> NextCheck:
    """Return the next check where the server said when: not before, and not all feeds at that very second."""
    asked = min(max(retry_after, 0.0), LONGEST_RETRY_AFTER)
    wait = max(asked, float(pace.shortest))
    return NextCheck(
        at=now + timedelta(seconds=wait * (1 + JITTER * luck)),
        reason=f"Retry-After {asked:.0f} s" + (f" < shortest interval {pace.shortest} s" if wait > asked else ""),
        interval=interval,
    )


def to_confirm(*, now: datetime, interval: int, luck: float) -> NextCheck:
    """Return the check that shall confirm a 410: they come from broken deployments, too."""
    return NextCheck(
        at=now + timedelta(seconds=CONFIRMATION * (1 + JITTER * luck)),
        reason="the server says gone; asked once more after a day",
        interval=interval,
    )


def after_outage(*, now: datetime, interval: int, luck: float) -> NextCheck:
    """Return the next check of a feed that failed while nothing could be reached: soon, and not all at once."""
    return NextCheck(
        at=now + timedelta(seconds=AFTER_OUTAGE * (1 + luck)),
        reason="no host could be reached: the fault is on our side and not charged to the feed",
        interval=interval,
    )


def never(*, interval: int, reason: str) -> NextCheck:
    """Return that there is no next check."""
    return NextCheck(at=None, reason=reason, interval=interval)


def with_slot(reason: str, seconds: float) -> str:
    """Add to a reason that the host's line puts the check off by so many seconds."""
    return f"{reason.partition(SLOT)[0]}{SLOT}+{seconds:.0f} s"


# The feed's own pace


def own_interval(history: History, pace: Pace, now: datetime) -> int:
    """Return the feed's own interval in seconds: two polls for each new entry, learnt from the gaps between them.

    The mean is geometric: after months of silence one new entry brings the interval down by most of the way.
    """
    gap = _gap(history, now)
    if gap is None:
        return history.interval or pace.shortest
    wished = _bounded(gap / POLLS_PER_ENTRY, pace)
    if not history.interval:
        return int(wished)
    current = _bounded(float(history.interval), pace)
    return round(_bounded(exp(MEMORY * log(current) + (1 - MEMORY) * log(wished)), pace))


def _gap(history: History, now: datetime) -> float | None:
    """Return the mean seconds between two entries, as far as this poll tells."""
    if not history.new_entries:
        return None
    if history.interval:
        return history.silent / history.new_entries
    if not history.dates:
        return None
    return max(0.0, (now - min(history.dates)).total_seconds()) / len(history.dates)


def _bounded(seconds: float, pace: Pace) -> float:
    return min(max(seconds, float(pace.shortest), 1.0), float(max(pace.longest, pace.shortest, 1)))


def _wishes(interval: int, history: History, pace: Pace, hints: Hints) -> dict[str, float]:
    """Return the waits that something asks for, in seconds; the own interval stands first."""
    wishes = {"own": float(interval)}
    if not history.new_entries:
        wishes["silence"] = _silence(history.silent, pace)
    if not history.validators:
        wishes["no validators"] = float(pace.unconditional)
    for name, value in (("max-age", hints.max_age), ("ttl", hints.ttl), ("sy:updatePeriod", hints.update_period)):
        wishes[name] = min(float(value or 0.0), LONGEST_HINT)
    return wishes


def _silence(silent: float, pace: Pace) -> float:
    """Return how long to wait for a feed in which nothing has been new for so many seconds."""
    for days, times in SILENCES:
        if silent >= days * DAY:
            return float(times * pace.longest)
    return min(silent * SILENCE_SHARE, float(pace.longest))


def _longest(wishes: dict[str, float]) -> tuple[float, str]:
    own = wishes["own"]
    name = max(wishes, key=wishes.__getitem__)  # of equals the first: own
    if name == "own":
        return own, f"own {own:.0f} s"
    return wishes[name], f"{name} {wishes[name]:.0f} s > own {own:.0f} s"


# Hours and days to sleep through


def _skip(at: datetime, hints: Hints, luck: float) -> tuple[datetime, str]:
    """Move `at` (UTC) out of the hours and days that the feed asks to skip: at most a week, so 168 steps."""
    # Whoever skips every hour or every day has made a mistake.
    hours = hints.skip_hours if hints.skip_hours & 0xFFFFFF != 0xFFFFFF else 0
    days = hints.skip_days if hints.skip_days & 0x7F != 0x7F else 0
    moved = at
    while hours >> moved.hour & 1 or days >> moved.weekday() & 1:
        moved = moved.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    if moved == at:
        return at, ""
    # Many feeds skip the same hours: they shall not all come at the full one.
    return moved + timedelta(seconds=JITTER * HOUR * luck), f"; skipHours or skipDays until {moved:%a %H:%M} UTC"


LONGEST_PAUSE = 24 * 3600.0  # seconds; one odd Retry-After must not silence a big host for a week
# Seconds, where the server does not say how long. 429 means us; a 503 may be the trouble of one feed among thousands.
PAUSES = {429: 600.0, 503: 60.0}


def host_pause(status: int, retry_after: float | None) -> float:
    """Return for how many seconds a 429 or 503 pauses its host."""
    asked = PAUSES.get(status, 0.0) if retry_after is None else retry_after
    return min(max(asked, 0.0), LONGEST_PAUSE)
