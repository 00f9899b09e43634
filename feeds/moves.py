"""Permanent redirects seen so far in, the feed's new URL out. Pure.

A redirect is followed at once and believed late: hotel portals, maintenance pages and stolen domains answer 301, too.
So the feed's URL follows only when each redirect of the chain is permanent (301, 308), what it leads to is a feed, and
checks have seen it again and again for days. It never follows from https to http, into a private network, or, where
the feed has a login or headers of its own, to another origin.

A message with the old URL finds the feed by its alias. Its lock is another one than that of the new URL, so two such
imports may run side by side; the fence, `Feed.revision`, lets only one of them write.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from feeds import canonical_urls
from feeds.documents import ImportPlan, KnownFeed, Move, Sighting
from feeds.fetching import Fetched, NotModified, Redirect

PERMANENT = frozenset({301, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How often, and for how many days, a redirect must have been seen."""

    sightings: int
    days: float


def sighted(known: KnownFeed, fetched: Fetched | NotModified, now: datetime) -> Sighting | None:
    """Return what is known of the feed's permanent redirect after a successful check; None = it has none."""
    url = _target(known, fetched)
    if not url:
        return None
    if known.sighting and known.sighting.url == url:
        return replace(known.sighting, count=known.sighting.count + 1)
    return Sighting(url=url, since=now, count=1)


def believed(sighting: Sighting | None, rule: Rule, now: datetime) -> Move | None:
    """Return the move, once the redirect has been seen often and long enough."""
    if sighting is None or sighting.count < rule.sightings or now - sighting.since < timedelta(days=rule.days):
        return None
    reason = f"moved permanently: seen by {sighting.count} checks in a row since {sighting.since:%Y-%m-%d}"
    return Move(url=sighting.url, reason=reason)


def decided(plan: ImportPlan, rule: Rule, now: datetime) -> ImportPlan:
    """Return the plan with what its redirects mean. A check that failed says nothing about them."""
    if plan.fetched is None:
        return replace(plan, sighting=plan.feed.sighting)
    sighting = sighted(plan.feed, plan.fetched, now)
    return replace(plan, sighting=sighting, move=believed(sighting, rule, now))


def _target(known: KnownFeed, fetched: Fetched | NotModified) -> str:
    """Return the URL that the feed could have instead of its own, or ""."""
    if not fetched.redirects or fetched.into_private or not _is_permanent(fetched.redirects):
        return ""
    hops = [canonical_urls.split_url(url) for url in (known.url, *(hop.url for hop in fetched.redirects))]
    if any(one.scheme == "https" and other.scheme == "http" for one, other in pairwise(hops)):
        return ""
    return home(known, fetched.redirects[-1].url)


def home(known: KnownFeed, url: str) -> str:
    """Return `url`, which a server gave, as the feed's own: with its login where that stays at its origin.

    "" where a login or headers set for the feed would be sent to another origin from then on.
    """
    start, end = canonical_urls.split_url(known.url), canonical_urls.split_url(url)
    if end.origin == start.origin:
        return str(replace(end, userinfo=start.userinfo))
    return "" if known.request.username or known.request.headers else str(replace(end, userinfo=""))


def _is_permanent(redirects: Sequence[Redirect]) -> bool:
    return all(hop.status in PERMANENT for hop in redirects)
