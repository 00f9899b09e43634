"""A feed and a fetch in; what came of the fetch, or when to come back for it, out.

Every fetch passes here, whoever asked for it: through the lane if its server is slow, and through its host's door.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.utils import timezone

from feeds.conf import FeedsSettings
from feeds.fetching import Failed, FeedRequest, FetchOutcome, Patience
from feeds.outcomes import FailureKind
from feeds.planning import FeedState
from feeds.scheduling import hosts, rate_limit, slow_servers

Fetch = Callable[[FeedRequest, Patience | None], FetchOutcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    outcome: FetchOutcome
    seconds: float  # that the fetch took


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """Nothing was fetched that counts."""

    at: datetime  # when to come back
    cut_after: float | None = None  # seconds; the fetch had begun, and ended because there was no place for a slow one


def admit(known: FeedState, fetch: Fetch, *, slot: datetime | None, settings: FeedsSettings) -> Admitted | Postponed:
    """Fetch the feed if it is its turn. `slot` is what the last TurnedAway said."""
    lane = _lanes(settings.slow_fetches)
    with lane.visit(known.fetch_seconds, is_new=known.checked_at is None) as place:
        if place.is_turned_away:
            return _back_to_the_lane(slot)
        ticket = _take_turn(known, slot, settings)
        if isinstance(ticket, rate_limit.Wait):
            return Postponed(at=ticket.at)
        begun = time.monotonic()
        with hosts.holding(ticket):
            outcome = fetch(known.request, place.patience)
        seconds = time.monotonic() - begun
        lane.habit.note(seconds)
    kind = outcome.kind if isinstance(outcome, Failed) else None
    if place.was_cut and kind is FailureKind.TIMEOUT:
        return _back_to_the_lane(slot, cut_after=seconds)
    return Admitted(outcome=outcome, seconds=seconds)


def _take_turn(
    known: FeedState, slot: datetime | None, settings: FeedsSettings
) -> hosts.Permission | rate_limit.Wait | None:
    if known.host is None:
        return None
    deadline = known.request.deadline or settings.fetch_deadline
    return hosts.enter(known.host, feed_id=known.id, slot=slot, default_gap=settings.host_delay, deadline=deadline)


def _back_to_the_lane(slot: datetime | None, *, cut_after: float | None = None) -> Postponed:
    wait = slow_servers.wait(has_waited=slot is not None, luck=random.random())  # noqa: S311  # jitter
    return Postponed(at=timezone.now() + timedelta(seconds=wait), cut_after=cut_after)


@lru_cache(maxsize=1)
def _lanes(places: int) -> slow_servers.Lanes:
    """Return the lanes of this process."""
    return slow_servers.Lanes(places)
