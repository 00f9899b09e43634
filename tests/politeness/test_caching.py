"""Rules of HTTP caching: validators, what they belong to, and what a 304 and a 226 mean."""

import itertools
from datetime import timedelta
from itertools import pairwise

from tests.politeness.answers import ATOM, NOT_MODIFIED, document, feed, page, steady
from tests.politeness.reader import Reader
from tests.politeness.server import PoliteServer
from tests.rigs.servers.feed_server import Received, answer

DATE = "Mon, 05 Jan 2026 10:00:00 GMT"


def test_validators_go_back_byte_for_byte(server: PoliteServer, reader: Reader) -> None:
    """Validators go back byte for byte (RFC 9110 §8.8, §13.1)."""
    etag, date = 'W/"a b\\c=,;"', "Someday, 32 Foo 2041 25:61 CEST"
    served = server.serve(feed(etag=etag, last_modified=date), NOT_MODIFIED)
    reader.follow(served, days=3)
    assert served.sent("If-None-Match")[:3] == [None, etag, etag]
    assert served.sent("If-Modified-Since")[:3] == [None, date, date]


def test_both_validators_are_sent_when_both_are_known(server: PoliteServer, reader: Reader) -> None:
    """Both validators are sent when both are known (RFC 9110 §13.1.3)."""
    served = server.serve(feed(etag='"1"', last_modified=DATE), NOT_MODIFIED)
    reader.follow(served, days=2)
    assert served.sent("If-None-Match")[1] == '"1"'
    assert served.sent("If-Modified-Since")[1] == DATE


def test_every_200_replaces_both_validators_together(server: PoliteServer, reader: Reader) -> None:
    """Every 200 replaces both validators together (RFC 9110 §8.8, RFC 9111 §4.3.3)."""
    served = server.serve(
        feed("one", etag='"1"', last_modified=DATE),
        feed("one", etag='"2"'),
        feed("two", last_modified="whenever"),
        NOT_MODIFIED,
    )
    reader.follow(served, days=6)
    assert served.sent("If-None-Match")[:4] == [None, '"1"', '"2"', None]
    assert served.sent("If-Modified-Since")[:4] == [None, DATE, None, "whenever"]


def test_a_304_may_refresh_validators_and_freshness(server: PoliteServer, reader: Reader) -> None:
    """A 304 may refresh validators and freshness (RFC 9111 §4.3.4)."""
    hours = 20
    refreshed = answer(304, etag='"2"', cache_control=f"max-age={hours * 3600}")
    served = server.serve(feed(etag='"1"'), refreshed, NOT_MODIFIED)
    reader.follow(served, days=4)
    assert served.intervals()[1] >= timedelta(hours=hours)
    assert served.sent("If-None-Match")[:3] == [None, '"1"', '"2"']


def test_no_validator_of_an_error_a_login_page_or_a_broken_document_is_kept(
    server: PoliteServer, reader: Reader
) -> None:
    """No validator of an error, a login page or a broken document is kept (RFC 9111 §3)."""
    served = server.serve(
        feed(etag='"good"'),
        answer(404, b"<p>lost", etag='"error"'),
        page(etag='"login"'),
        answer(200, b"<feed><entry></feed", etag='"broken"', content_type=ATOM),
        NOT_MODIFIED,
    )
    reader.follow(served, days=8)
    assert served.sent("If-None-Match")[:5] == [None, *['"good"'] * 4]


def test_validators_belong_to_one_url(server: PoliteServer, reader: Reader) -> None:
    """Validators belong to one URL (RFC 9110 §8.8.1)."""
    first = server.serve(feed(etag='"first"'), host="first.example")
    second = server.serve(feed("two", etag='"second"'), NOT_MODIFIED, host="second.example")
    start = server.serve(answer(302, location=first.url), answer(302, location=second.url))
    reader.follow(start, days=5)
    assert second.sent("If-None-Match")[:2] == [None, '"second"']
    assert start.sent("If-None-Match")[:3] == [None] * 3


def test_the_first_request_is_unconditional_and_the_second_is_not(server: PoliteServer, reader: Reader) -> None:
    """The first request is unconditional, the second is not (RFC 9110 §13.1.2)."""
    served = server.serve(feed(etag='"1"'), NOT_MODIFIED)
    reader.follow(served, days=2)
    assert served.sent("If-None-Match")[:2] == [None, '"1"']


def test_a_check_by_hand_is_conditional_too(server: PoliteServer, reader: Reader) -> None:
    """A check by hand is conditional, too (RFC 9110 §13.1.2)."""
    served = server.serve(feed(etag='"1"'), NOT_MODIFIED, by_hand=True)
    for _ in range(3):
        reader.check(served.url)
    assert served.sent("If-None-Match") == [None, '"1"', '"1"']


def test_no_poll_of_a_week_drops_the_conditions_by_itself(server: PoliteServer, reader: Reader) -> None:
    """No poll drops the conditions by itself, but for one a week (rachelbythebay.com/w/2024/08/17)."""
    served = server.serve(steady(feed(etag='"1"'), '"1"'))
    reader.follow(served, days=60)
    whole = [exchange.at for exchange in served.log if not exchange.request.header("If-None-Match")]
    assert len(served.log) > 30
    assert all(later - earlier >= timedelta(days=7) for earlier, later in pairwise(whole))


def test_a_server_that_says_304_without_conditions_is_asked_with_them_again(
    server: PoliteServer, reader: Reader
) -> None:
    """A server that says 304 without having been given conditions is asked with them again (RFC 9110 §15.4.5)."""
    served = server.serve(feed(etag='"1"'), NOT_MODIFIED)
    reader.follow(served, days=20)
    assert served.sent("If-None-Match").count(None) == 3
    assert reader.row(served).error_kind == ""


def test_a_delta_is_asked_for_with_an_etag_only_and_merged(server: PoliteServer, reader: Reader) -> None:
    """A-IM: feed goes with an ETag only; a 226 is merged (RFC 3229 §10.5)."""
    delta = answer(226, document("two"), content_type=ATOM, im="feed", etag='"2"')
    served = server.serve(feed("one", etag='"1"'), delta, NOT_MODIFIED)
    plain = server.serve(feed(last_modified=DATE), NOT_MODIFIED, host="plain.example")
    reader.follow(served, plain, days=4)
    assert served.sent("A-IM")[:2] == [None, "feed"]
    assert not any(plain.sent("A-IM"))
    assert reader.titles(served) == {"one", "two"}


def test_a_server_that_says_304_for_ever_is_asked_for_the_document_once_a_week(
    server: PoliteServer, reader: Reader
) -> None:
    """A server that says 304 for ever is asked for the document once a week (feed2imap-go #140 and many others)."""
    names = [*"abcdefghijklmnopqrst"]

    def growing(request: Received) -> bytes:
        conditional = request.header("If-None-Match")
        return NOT_MODIFIED if conditional else feed(*names[: len(served.log) + 1], etag='"1"')

    served = server.serve(growing)
    reader.follow(served, days=30)
    whole = [exchange.at for exchange in served.log if exchange.status == 200]
    assert len(whole) in (4, 5)
    assert all(later - earlier >= timedelta(days=7) for earlier, later in pairwise(whole))
    assert len(reader.titles(served)) > 3


def test_validators_that_never_bring_a_304_count_as_none(server: PoliteServer, reader: Reader) -> None:
    """Validators that never bring a 304 count as none: such a server is asked once a day (RFC 9110 §13.1)."""
    moments = (f"<!-- {number} -->" for number in itertools.count())

    def busy(request: Received) -> bytes:
        return answer(200, document("one") + next(moments).encode(), content_type=ATOM, etag='"1"')

    served = server.serve(busy)
    reader.restart(max_interval=2 * 3600)
    reader.follow(served, days=5)
    assert min(served.intervals()[4:]) >= timedelta(days=1)
