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
from feeds.fetching import Failed, Fetched, FetchOutcome, NotModified, Redirect, is_private_host
from feeds.outcomes import FailureKind
from feeds.parsing import COMMENTS, FEED_TYPES, JSON, Document, Link, feed_links
from feeds.planning.values import FeedState, ImportPlan, Move, RedirectStreak

PERMANENT = frozenset({301, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How often, and for how many days, a redirect must have been seen."""

    sightings: int
    days: float


def sighted(known: FeedState, fetched: Fetched | NotModified, now: datetime) -> RedirectStreak | None:
    """Return what is known of the feed's permanent redirect after a successful check; None = it has none."""
    url = _target(known, fetched)
    if not url:
        return None
    if known.sighting and known.sighting.url == url:
        return replace(known.sighting, count=known.sighting.count + 1)
    return RedirectStreak(url=url, since=now, count=1)


def believed(sighting: RedirectStreak | None, rule: Rule, now: datetime) -> Move | None:
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


def _target(known: FeedState, fetched: Fetched | NotModified) -> str:
    """Return the URL that the feed could have instead of its own, or ""."""
    if not fetched.redirects or fetched.into_private or not _is_permanent(fetched.redirects):
        return ""
    hops = [canonical_urls.split_url(url) for url in (known.url, *(hop.url for hop in fetched.redirects))]
    if any(one.scheme == "https" and other.scheme == "http" for one, other in pairwise(hops)):
        return ""
    return own_url(known, fetched.redirects[-1].url)


def own_url(known: FeedState, url: str) -> str:
    """Return `url`, which a server gave, as the feed's own: with its login where that stays at its origin.

    "" where a login or headers set for the feed would be sent to another origin from then on.
    """
    start, end = canonical_urls.split_url(known.url), canonical_urls.split_url(url)
    if end.origin == start.origin:
        return str(replace(end, userinfo=start.userinfo))
    return "" if known.request.username or known.request.headers else str(replace(end, userinfo=""))


def _is_permanent(redirects: Sequence[Redirect]) -> bool:
    return all(hop.status in PERMANENT for hop in redirects)


def feed_of(page: FetchOutcome, outcome: FetchOutcome, known: FeedState) -> Move | None:
    """Return the move to the feed that a fetched page names, where `outcome` says that the page itself is none."""
    if isinstance(page, Fetched) and is_worth_a_look(outcome, known):
        return choose(page, known)
    return None


def is_worth_a_look(outcome: FetchOutcome, known: FeedState) -> bool:
    """Tell whether a document that is no feed may be the page of one: a feed known as one shows a login page now.

    What a page led to must be a feed itself, so that one import costs one request more at the most.
    """
    is_no_feed = isinstance(outcome, Failed) and outcome.kind is FailureKind.NOT_A_FEED
    return is_no_feed and known.imported_at is None and not known.found_on


def choose(page: Fetched, known: FeedState) -> Move | None:
    """Return the move to the best feed that the page names, or None."""
    homes = ((link, own_url(known, link.url)) for link in _reachable(page))
    found = [replace(link, url=url) for link, url in homes if url and url != known.url]
    if not found:
        return None
    host = canonical_urls.host_key(page.url)
    best = min(found, key=lambda link: _rank(link, host))  # of equals the first
    kind = FEED_TYPES.get(best.type, "JSON")
    reason = f"a page; of {_count(found)} on it this was chosen: {kind}" + (f" {best.title!r}" if best.title else "")
    return Move(url=best.url, reason=reason, found=True)


def _reachable(page: Fetched) -> list[Link]:
    """Return the feeds that a page names; one of the Internet must not point us into a network that was allowed."""
    links = feed_links(Document(url=page.url, body=page.body))
    if is_private_host(canonical_urls.host_key(page.url)):
        return links
    return [link for link in links if not is_private_host(canonical_urls.host_key(link.url))]


def _rank(link: Link, host: str) -> tuple[bool, bool, bool]:
    is_comments = bool(COMMENTS.search(link.title) or COMMENTS.search(link.url.partition("://")[2].partition("/")[2]))
    return is_comments, link.type == JSON, canonical_urls.host_key(link.url) != host


def _count(found: list[Link]) -> str:
    return "1 feed" if len(found) == 1 else f"{len(found)} feeds"
