"""Whether badly behaved requests are noticed: the faults must not be easy to please."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.politeness.answers import feed, steady
from tests.politeness.faults import faults
from tests.politeness.server import ServedFeed
from tests.rigs.servers.feed_server import Handler, Received, answer

URL = "http://a.example/feed"
DATE = "Mon, 05 Jan 2026 10:00:00 GMT"
GOOD = {"If_None_Match": '"1"', "If_Modified_Since": DATE}
LATER = timedelta(minutes=90)


class Client:
    """Asks for a feed again and again, an hour and a half later each time unless told otherwise."""

    def __init__(self, *replies: bytes | Handler, by_hand: bool = False) -> None:
        self.at = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
        self.feed = ServedFeed(url=URL, now=lambda: self.at, replies=replies, by_hand=by_hand)

    def ask(self, after: timedelta = LATER, target: str = "/feed", **headers: str) -> None:
        self.at += after
        given = {"Accept-Encoding": "gzip"} | {name.replace("_", "-"): value for name, value in headers.items()}
        self.feed(Received("GET", target, tuple(given.items()), 1))

    def faults(self) -> set[str]:
        """Return what the faults are about."""
        return {fault.split()[0] for fault in faults(self.feed)}


def second(reply: bytes | None = None, after: timedelta = LATER, **headers: str) -> set[str]:
    """Return the faults of the second request of a client whose first one was in order."""
    client = Client(reply or feed(etag='"1"', last_modified=DATE), answer(304))
    client.ask()
    client.ask(after, **headers)
    return client.faults()


def test_a_good_client_has_no_faults() -> None:
    assert second(**GOOD) == set()


@pytest.mark.parametrize(
    ("headers", "fault"),
    [
        ({"If_None_Match": '"1"', "If_Modified_Since": "Mon, 05 Jan 2026 10:00:01 GMT"}, "If-Modified-Since"),
        ({"If_None_Match": 'W/"1"', "If_Modified_Since": DATE}, "If-None-Match"),
        ({"If_None_Match": '"1"'}, "If-Modified-Since"),
        ({"If_Modified_Since": DATE}, "If-None-Match"),
        ({}, "If-None-Match"),
        ({"Cookie": "id=1"}, "Cookie"),
        ({"Referer": URL}, "Referer"),
        ({"target": "/feed?_=12345"}, "target"),
        ({"Accept_Encoding": "identity"}, "Accept-Encoding"),
        ({"A_IM": "feed"}, "A-IM"),
    ],
)
def test_each_fault_is_noticed(headers: dict[str, str], fault: str) -> None:
    assert fault in second(**headers)


def test_a_validator_that_was_made_up_is_noticed() -> None:
    assert second(feed(), If_Modified_Since=DATE) == {"If-Modified-Since"}


def test_a_validator_that_a_newer_answer_replaced_is_noticed() -> None:
    client = Client(feed(etag='"1"'), feed(etag='"2"'), answer(304))
    client.ask()
    client.ask(If_None_Match='"1"')
    client.ask(If_None_Match='"1"')
    assert client.faults() == {"If-None-Match"}


def test_polling_early_is_noticed() -> None:
    assert second(feed(), after=timedelta(minutes=59)) == {"interval"}
    assert second(feed(cache_control="max-age=7200")) == {"max-age"}


@pytest.mark.parametrize("value", ["7200", "Wed, 04 Mar 2026 16:00:00 GMT"])
@pytest.mark.parametrize("status", [429, 503])
def test_ignoring_retry_after_is_noticed(status: int, value: str) -> None:
    assert second(answer(status, retry_after=value)) == {"Retry-After"}
    assert second(answer(status, retry_after=value), after=timedelta(hours=3)) == set()


def test_a_check_by_hand_may_come_early() -> None:
    client = Client(feed(), by_hand=True)
    client.ask()
    client.ask(timedelta(minutes=1))
    assert client.faults() == set()


def test_a_steady_answer_is_304_to_a_request_with_its_etag() -> None:
    client = Client(steady(feed(etag='"1"'), '"1"'))
    client.ask()
    client.ask(If_None_Match='"1"')
    assert [exchange.status for exchange in client.feed.log] == [200, 304]
