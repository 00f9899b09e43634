"""A badly behaved client in, what its publisher complains of out: the judge must not be easy to please."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.politeness.publisher import Publisher, feed, steady
from tests.politeness.server import Received, answer

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
URL = "http://a.example/feed"
DATE = "Mon, 05 Jan 2026 10:00:00 GMT"
GOOD = {"Accept-Encoding": "gzip", "If-None-Match": '"1"', "If-Modified-Since": DATE}


class Client:
    """Asks a publisher again and again, an hour and a half later each time unless told otherwise."""

    def __init__(self, *replies: bytes) -> None:
        self.at = NOW
        self.publisher = Publisher(URL, lambda: self.at, replies)

    def ask(self, after: timedelta = timedelta(minutes=90), target: str = "/feed", **headers: str) -> None:
        self.at += after
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        self.publisher(Received("GET", target, tuple(({"Accept-Encoding": "gzip"} | given).items()), 1))

    def faults(self) -> set[str]:
        return {complaint.rule for complaint in self.publisher.complaints()}


def second(reply: bytes | None = None, after: timedelta = timedelta(minutes=90), **headers: str) -> set[str]:
    """Return what a publisher has against the second request of a client whose first one was in order."""
    client = Client(reply or feed(etag='"1"', last_modified=DATE), answer(304))
    client.ask()
    client.ask(after, **headers)
    return client.faults()


def test_a_good_client_is_not_complained_of() -> None:
    assert second(**{name.replace("-", "_"): value for name, value in GOOD.items()}) == set()


@pytest.mark.parametrize(
    ("headers", "rule"),
    [
        ({"If_None_Match": '"1"', "If_Modified_Since": "Mon, 05 Jan 2026 10:00:01 GMT"}, "H1"),
        ({"If_None_Match": 'W/"1"', "If_Modified_Since": DATE}, "H1"),
        ({"If_None_Match": '"1"'}, "H2"),
        ({"If_Modified_Since": DATE}, "H2"),
        ({}, "H2"),
        ({"Cookie": "id=1"}, "H10"),
        ({"Referer": URL}, "H10"),
        ({"target": "/feed?_=12345"}, "H10"),
        ({"Accept_Encoding": "identity"}, "H20"),
        ({"A_IM": "feed"}, "H23"),
    ],
)
def test_each_bad_habit_is_noticed(headers: dict[str, str], rule: str) -> None:
    assert rule in second(**headers)


def test_a_validator_that_was_made_up_is_noticed() -> None:
    assert second(feed(), If_Modified_Since=DATE) == {"H1"}


def test_a_validator_that_a_newer_answer_replaced_is_noticed() -> None:
    client = Client(feed(etag='"1"'), feed(etag='"2"'), answer(304))
    client.ask()
    client.ask(If_None_Match='"1"')
    client.ask(If_None_Match='"1"')
    assert client.faults() == {"H1"}


def test_polling_early_is_noticed() -> None:
    assert second(feed(), after=timedelta(minutes=59)) == {"H11"}
    assert second(feed(cache_control="max-age=7200")) == {"H12"}


@pytest.mark.parametrize("wish", ["7200", "Wed, 04 Mar 2026 16:00:00 GMT"])
@pytest.mark.parametrize("status", [429, 503])
def test_ignoring_retry_after_is_noticed(status: int, wish: str) -> None:
    assert second(answer(status, retry_after=wish)) == {"H13"}
    assert second(answer(status, retry_after=wish), after=timedelta(hours=3)) == set()


def test_who_asks_by_hand_may_come_early() -> None:
    client = Client(feed())
    client.publisher.is_hurried = True
    client.ask()
    client.ask(timedelta(minutes=1))
    assert client.faults() == set()


def test_a_steady_publisher_answers_304_to_whoever_has_its_document() -> None:
    client = Client(steady(feed(etag='"1"')))  # type: ignore[arg-type]
    client.ask()
    client.ask(If_None_Match='"1"')
    assert [visit.status for visit in client.publisher.visits] == [200, 304]
