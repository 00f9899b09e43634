"""Rules of pace: how often a feed and a host are asked, and what makes it less often."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from feeds.conf import feeds_settings
from feeds.models import Feed
from tests.politeness.answers import NOT_MODIFIED, busy_feed, feed, http
from tests.politeness.reader import Clock, Reader
from tests.politeness.server import PoliteServer, ServedFeed
from tests.rigs.servers.feed_server import Received, answer

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TTL = b"<rss version='2.0'><channel><title>t</title><ttl>900</ttl><item><guid>1</guid></item></channel></rss>"


@pytest.mark.slow
def test_a_feed_is_polled_once_an_hour_at_most(server: PoliteServer, reader: Reader, clock: Clock) -> None:
    """One poll an hour at most, one a day without validators, none for a restart (rachelbythebay.com/fs/help)."""
    busy = server.serve(lambda _: busy_feed(clock.now(), etag=f'"{clock.now():%d%H%M%S}"'), host="busy.example")
    plain = server.serve(lambda _: busy_feed(clock.now()), host="plain.example")
    reader.follow(busy, plain, days=2.5)
    assert len(busy.log) >= 10
    assert min(busy.intervals()) >= HOUR
    assert len(plain.log) >= 3
    assert min(plain.intervals()) >= DAY

    served = server.serve(feed(etag='"1"'), NOT_MODIFIED)
    reader.follow(served, hours=1)
    reader.restart()
    reader.run(hours=0.5)
    assert len(served.log) == 1


def test_hints_of_the_server_are_obeyed_for_up_to_a_day(server: PoliteServer, reader: Reader, clock: Clock) -> None:
    """Max-age − Age, Expires − Date and ttl are waited for, a day at most (RFC 9111 §4.2, §5.3; RSS 2.0)."""
    hints: dict[str, tuple[timedelta, bytes | Callable[[Received], bytes]]] = {
        "max-age": (14 * HOUR, feed(etag='"1"', cache_control="max-age=54000, public", age="3600")),
        "expires": (15 * HOUR, lambda _: _expiring(clock.now(), 15 * HOUR)),
        "ttl": (15 * HOUR, answer(200, TTL, etag='"1"')),
        "past": (HOUR, feed(etag='"1"', expires="0", cache_control="no-cache")),
        "forever": (24 * HOUR, feed(etag='"1"', cache_control="max-age=504576000")),
    }
    served = {name: server.serve(reply, host=f"{name}.example") for name, (_, reply) in hints.items()}
    reader.follow(*served.values(), days=4)
    first = {name: each.intervals()[0] for name, each in served.items()}
    assert {name: interval for name, interval in first.items() if interval < hints[name][0]} == {}


def _expiring(now: datetime, after: timedelta) -> bytes:
    return feed(etag='"1"', date=http(now - HOUR), expires=http(now - HOUR + after))


@pytest.mark.slow
def test_retry_after_is_obeyed_in_both_forms(server: PoliteServer, reader: Reader, clock: Clock) -> None:
    """Retry-After is obeyed in both forms, on 429, 503 and redirects (RFC 9110 §10.2.3, RFC 6585 §4)."""
    seconds = server.serve(answer(429, retry_after="14400"), feed(), host="seconds.example")
    date = server.serve(lambda _: answer(503, retry_after=http(clock.now() + 5 * HOUR)), host="date.example")
    redirect = server.serve(answer(302, retry_after="172800", location="/elsewhere"), host="redirect.example")
    server.serve(feed(etag='"1"'), host="redirect.example", target="/elsewhere")
    past = server.serve(answer(429, retry_after="-60"), feed(), host="past.example")
    absurd = server.serve(answer(429, retry_after="999999999"), feed(), host="absurd.example")
    reader.follow(seconds, date, redirect, past, absurd, days=9)
    assert seconds.intervals()[0] >= 4 * HOUR
    assert date.intervals()[0] >= 5 * HOUR
    assert redirect.intervals()[0] >= 2 * DAY
    assert past.intervals(), "a Retry-After in the past stops nothing"
    assert absurd.intervals()[0] >= DAY, "an absurd one counts for days, not years"


def test_a_429_that_two_feeds_get_is_meant_for_all_of_the_host(server: PoliteServer, reader: Reader) -> None:
    """A 429 that two feeds get is meant for all of the host; they come back one by one (RFC 6585 §4)."""
    busy = answer(429, retry_after="7200")
    refused = [server.serve(busy, feed(etag='"1"'), target=f"/refused-{number}") for number in range(2)]
    others = [server.serve(feed(etag='"1"'), target=f"/{number}") for number in range(5)]
    reader.follow(*refused, hours=0.01)
    reader.follow(*others, hours=6)
    arrivals = [each.log[0].at for each in others]
    assert min(arrivals) >= refused[1].log[0].at + 2 * HOUR
    assert len(set(arrivals)) == len(arrivals)


@pytest.mark.slow
def test_a_feed_that_is_gone_or_failing_is_asked_ever_more_rarely(server: PoliteServer, reader: Reader) -> None:
    """410 ends a feed once confirmed; 401, 403, 404, 451 and 5xx slow it down (RFC 9110 §15.5, §15.6; RFC 7725)."""
    gone = server.serve(feed(etag='"1"'), answer(410), host="gone.example")
    passing = server.serve(feed(etag='"1"'), answer(410), feed("two", etag='"2"'), host="passing.example")
    failing = {
        status: server.serve(feed(etag='"1"'), answer(status), host=f"status-{status}.example")
        for status in (401, 403, 404, 451, 500)
    }
    reader.follow(gone, passing, *failing.values(), days=14)

    row = reader.row(gone)
    assert row.status == Feed.Status.DISABLED
    assert row.status_reason
    assert len(gone.log) == 3
    assert gone.intervals()[1] >= DAY
    kept = [passing, *failing.values()]
    assert {reader.row(each).status for each in kept} == {Feed.Status.ACTIVE}
    requests = {status: len(each.log) for status, each in failing.items()}
    assert max(requests.values()) <= 20
    mean = sum(requests[status] for status in (401, 403, 404, 451)) / 4
    assert mean <= requests[500], "what a person must repair is not asked more often than a server in trouble"


def test_a_host_has_one_request_at_a_time_with_a_delay_in_between(server: PoliteServer, reader: Reader) -> None:
    """One request to a host at a time, with a delay in between (openrss.org/guides)."""
    many = [server.serve(feed(etag='"1"'), target=f"/{number}") for number in range(20)]
    reader.follow(*many, hours=2)
    arrivals = sorted(exchange.at for each in many for exchange in each.log)
    assert all(each.log for each in many)
    delay = timedelta(seconds=feeds_settings().host_delay)
    assert min(later - earlier for earlier, later in pairwise(arrivals)) >= delay > timedelta()


@pytest.mark.slow
def test_feeds_that_were_added_together_drift_apart(server: PoliteServer, reader: Reader) -> None:
    """Feeds that were added together drift apart (openrss.org/guides)."""
    many = [server.serve(feed(etag='"1"'), NOT_MODIFIED, host=f"host-{number}.example") for number in range(20)]
    reader.follow(*many, days=4)
    third = [each.log[2].at for each in many]
    assert max(third) - min(third) > timedelta(minutes=10)


@pytest.mark.slow
def test_a_feed_that_fails_every_other_time_is_never_overdue(
    server: PoliteServer, reader: Reader, clock: Clock
) -> None:
    replies = [answer(500) if number % 2 else feed(str(number), etag=f'"{number}"') for number in range(200)]
    moody: ServedFeed = server.serve(*replies)
    reader.follow(moody)
    for _ in range(7 * 24):
        reader.run(hours=1)
        due = reader.row(moody).next_check_at
        assert due is not None
        assert due > clock.now(), "what was due has been done"
    assert len(moody.log) > 20
