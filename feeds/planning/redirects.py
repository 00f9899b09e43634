"""Where permanent redirects and pages that name a feed lead: to a new URL. Pure.

A redirect is followed at once and believed late: hotel portals, maintenance pages and stolen domains answer 301, too.
So the feed's URL follows only when each redirect of the chain is permanent (301, 308), what it leads to is a feed, and
checks have seen it again and again for days. It never follows from https to http, or, where the feed has a login or
headers of its own, to another origin; nor from the Internet into a private network, where no redirect leads at all.

Anybody can redirect to anybody's feed. So a move to another site takes nothing along that the new URL does not list
itself: the feed there is another row, and the old one is disabled.

A message with the old URL finds the feed by its alias. Its lock is another one than that of the new URL, so two such
imports may run side by side; the fence, `Feed.revision`, lets only one of them write.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from feeds import canonical_urls
from feeds.exceptions import InvalidURL
from feeds.fetching import Failed, Fetched, FetchOutcome, NotModified, is_private_host
from feeds.outcomes import FailureKind
from feeds.parsing import COMMENTS, FEED_TYPES, JSON, Link, Unreadable
from feeds.planning.values import FeedState, Move, RedirectStreak, Rules

PERMANENT = frozenset({301, 308})


# Permanent redirects


def streak(feed: FeedState, fetched: Fetched | NotModified, now: datetime) -> RedirectStreak | None:
    """Return what is known of the feed's permanent redirect after a successful check; None = it has none."""
    url = _target(feed, fetched)
    if not url:
        return None
    if feed.redirect and feed.redirect.url == url:
        return replace(feed.redirect, count=feed.redirect.count + 1)
    return RedirectStreak(url=url, since=now, count=1)


def move(
    feed: FeedState, streak: RedirectStreak | None, rules: Rules, now: datetime, *, public: bool = True
) -> Move | None:
    """Return the move, once the redirect has been seen often and long enough."""
    if (
        streak is None
        or streak.count < rules.redirect_checks
        or now - streak.since < timedelta(days=rules.redirect_days)
    ):
        return None
    reason = f"moved permanently: seen by {streak.count} checks in a row since {streak.since:%Y-%m-%d}"
    return Move(url=streak.url, reason=reason, across_sites=not is_same_site(feed.url, streak.url), public=public)


def is_same_site(one: str, other: str) -> bool:
    """Tell whether two URLs have the same owner for sure: the same host but for "www.", and the same or usual ports."""
    try:
        return _site(canonical_urls.split_url(one)) == _site(canonical_urls.split_url(other))
    except InvalidURL:
        return False


def _site(url: canonical_urls.SplitURL) -> tuple[str, int]:
    is_usual = url.port == canonical_urls.DEFAULT_PORTS[url.scheme]
    return url.host.removeprefix("www."), 0 if is_usual else url.port


def _target(feed: FeedState, fetched: Fetched | NotModified) -> str:
    """Return the URL that the feed could have instead of its own, or ""."""
    if not fetched.redirects or any(hop.status not in PERMANENT for hop in fetched.redirects):
        return ""
    hops = [canonical_urls.split_url(url) for url in (feed.url, *(hop.url for hop in fetched.redirects))]
    if any(one.scheme == "https" and other.scheme == "http" for one, other in pairwise(hops)):
        return ""
    url = own_url(feed, fetched.redirects[-1].url)
    return "" if url == feed.url else url  # it came back, with a cookie


def own_url(feed: FeedState, url: str) -> str:
    """Return `url`, which a server gave, as the feed's own: with its login where that stays at its origin.

    "" where a login or headers set for the feed would be sent to another origin from then on.
    """
    start, end = canonical_urls.split_url(feed.url), canonical_urls.split_url(url)
    if end.origin == start.origin:
        return str(replace(end, userinfo=start.userinfo))
    return "" if feed.request.username or feed.request.headers else str(replace(end, userinfo=""))


# Pages that name a feed


def discovered(feed: FeedState, response: FetchOutcome, document: Unreadable) -> Move | None:
    """Return the move to the best feed that a page names, where the document is no feed and may be the page of one.

    A feed known as one shows a login page now; and what a page led to must be a feed itself, or the next on the page
    is: so that the first contact costs three requests at the most.
    """
    is_first = feed.history.imported_at is None and not feed.found_on
    if not isinstance(response, Fetched) or document.kind is not FailureKind.NOT_A_FEED or not is_first:
        return None
    links = ((link, own_url(feed, link.url)) for link in _reachable(document, response))
    found = [replace(link, url=url) for link, url in links if url and url != feed.url]
    if not found:
        return None
    host = canonical_urls.host_key(response.url)
    best, *others = sorted(found, key=lambda link: _rank(link, host))  # of equals the first
    count = "1 feed" if len(found) == 1 else f"{len(found)} feeds"
    reason = f"a page; of {count} on it this was chosen: {FEED_TYPES.get(best.type, 'JSON')}"
    return Move(
        url=best.url,
        reason=reason + (f" {best.title!r}" if best.title else ""),
        found=True,
        other=others[0].url if others else "",
        public=response.public,
    )


def next_found(feed: FeedState, failure: Failed) -> Move | None:
    """Return the move to the next feed of the page that named this one, if this one answers its first request so."""
    was_never_one = feed.history.imported_at is None and feed.found_on
    if not was_never_one or feed.redirect is None or failure.kind is FailureKind.TOO_MANY:
        return None
    return Move(url=feed.redirect.url, reason=f"on a page, and no feed: {failure.text}", found=True)


def _reachable(page: Unreadable, fetched: Fetched) -> Sequence[Link]:
    """Return the feeds that a page names; one of the Internet must not point us into a network that was allowed."""
    if not fetched.public:
        return page.links
    return [link for link in page.links if not is_private_host(canonical_urls.host_key(link.url))]


def _rank(link: Link, host: str) -> tuple[bool, bool, bool]:
    is_comments = bool(COMMENTS.search(link.title) or COMMENTS.search(link.url.partition("://")[2].partition("/")[2]))
    return is_comments, link.type == JSON, canonical_urls.host_key(link.url) != host
