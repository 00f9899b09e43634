"""What can be wrong with the requests for a feed, as its publisher could tell from the server's log alone."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise

from tests.politeness.server import Exchange, ServedFeed

SHORTEST_INTERVAL = timedelta(hours=1)  # between two polls that no person asked for
LONGEST_TRUST = timedelta(days=7)  # in a server that says that nothing is new
LONGEST_WAIT = timedelta(days=1)  # that a server can ask for


def faults(feed: ServedFeed) -> list[str]:
    """Return what was wrong with the requests, in words that begin with what it is about."""
    found = [*_extras(feed.log)]
    if not feed.shared:
        found += _validators(feed.log)
        found += [] if feed.by_hand else _pace(feed.log)
    return found


def _extras(log: Sequence[Exchange]) -> Iterator[str]:
    for exchange in log:
        request = exchange.request
        for name in ("Cookie", "Referer"):
            if request.header(name):
                yield f"{name} was sent"
        if request.target != log[0].request.target:
            yield f"target was {request.target} instead of {log[0].request.target}"
        if "gzip" not in (request.header("Accept-Encoding") or ""):
            yield "Accept-Encoding was without gzip"


def _validators(log: Iterable[Exchange]) -> Iterator[str]:
    etag = last_modified = ""
    received_at = datetime.min.replace(tzinfo=UTC)
    redirected = False  # another document may count from then on, with its own validators
    for exchange in log:
        for name, given in (("If-None-Match", etag), ("If-Modified-Since", last_modified)):
            sent = exchange.request.header(name) or ""
            if sent and sent != given:
                yield f"{name} was {sent!r} where {given!r} had been given"
            elif given and not sent and not redirected and exchange.at - received_at < LONGEST_TRUST:
                yield f"{name} was missing where {given!r} had been given"
        if exchange.request.header("A-IM") and not exchange.request.header("If-None-Match"):
            yield "A-IM was sent without If-None-Match"
        redirected |= 300 < exchange.status < 304
        if exchange.status in (200, 226) and exchange.body.startswith((b"<?xml", b"<rss")):
            etag, last_modified = exchange.answered("etag"), exchange.answered("last-modified")
            received_at = exchange.at
        elif exchange.status == 304:
            etag, last_modified = exchange.answered("etag") or etag, exchange.answered("last-modified") or last_modified


def _pace(log: Iterable[Exchange]) -> Iterator[str]:
    for earlier, later in pairwise(log):
        interval, wanted = later.at - earlier.at, _wanted(earlier)
        if interval < SHORTEST_INTERVAL:
            yield f"interval was {interval}"
        if interval < wanted:
            header = "Retry-After" if earlier.answered("retry-after") else "max-age"
            yield f"{header} was {wanted}, and the interval {interval}"


def _wanted(exchange: Exchange) -> timedelta:
    """Return for how long the server asked not to be asked again."""
    retry_after = exchange.answered("retry-after")
    if retry_after.endswith("GMT"):
        seconds = parsedate_to_datetime(retry_after).timestamp() - exchange.at.timestamp()
    elif retry_after:
        seconds = float(retry_after)
    else:
        max_age = exchange.answered("cache-control").partition("max-age=")[2]
        seconds = float(max_age) if max_age.isdigit() else 0.0
    return min(timedelta(seconds=seconds), LONGEST_WAIT)
