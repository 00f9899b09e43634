"""Clocks that were wrong once, and such as differ: what they wrote is not believed, and no request is lost."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from feeds import clock, storage
from feeds.conf import feeds_settings
from feeds.importer import Importer, ImportRequest
from feeds.models import Feed, Host
from feeds.outcomes import Outcome
from feeds.scheduling import dispatch, hosts, rate_limit
from feeds.storage import Subscription
from tests.rigs.importing import import_feed
from tests.rigs.servers.feed_server import FeedServer, answer
from tests.rigs.servers.samples import sample_feed

pytestmark = pytest.mark.django_db(transaction=True)

TIMES = ("checked_at", "imported_at", "received_at", "changed_at", "claimed_at", "failing_since", "moved_since")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AHEAD = [HOUR, 3 * DAY, 400 * DAY]


@pytest.fixture
def server(settings: Any) -> Iterator[FeedServer]:
    settings.FEEDS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with FeedServer(routes={"/feed": answer(200, sample_feed("news", kind="atom"))}) as server:
        yield server


@pytest.mark.parametrize("ahead", AHEAD)
def test_a_request_is_served_whatever_times_a_feed_has_in_the_future(server: FeedServer, ahead: timedelta) -> None:
    import_feed(server.url())
    later = timezone.now() + ahead
    Feed.objects.update(**dict.fromkeys(TIMES, later), created_at=later, moved_to="http://x.example/", error_count=3)
    server.routes["/feed"] = answer(200, sample_feed("other", kind="atom"))
    report = import_feed(server.url(), requested_at=timezone.now())
    feed = Feed.objects.get()
    assert (report.outcome, report.new) == (Outcome.IMPORTED, 3)
    assert [name for name in TIMES if (moment := getattr(feed, name)) and moment > timezone.now()] == []
    assert feed.next_check_at is not None
    assert feed.next_check_at <= timezone.now() + 2 * DAY


@pytest.mark.parametrize("seconds", [-90, 90])
def test_clocks_that_differ_by_ninety_seconds_cost_a_fetch_at_the_most_and_no_request(
    server: FeedServer, seconds: int
) -> None:
    """The worker's clock differs from that of whoever asks, right after a check: one more comes, now or soon."""
    worker = Importer(feeds_settings(), clock=lambda: timezone.now() + timedelta(seconds=seconds), jitter=lambda: 0.5)
    worker.run(ImportRequest(url=server.url()))
    asked = ImportRequest(url=server.url(), requested_at=timezone.now(), skew=clock.SKEW)
    reports = [worker.run(asked) for _ in range(3)]
    feed = Feed.objects.get()
    assert feed.checked_at is not None
    assert feed.next_check_at is not None
    if seconds > 0:
        assert [report.outcome for report in reports] == [Outcome.COVERED] * 3
        assert feed.next_check_at == feed.checked_at + clock.SKEW
    else:
        assert [report.outcome for report in reports] == [Outcome.UNCHANGED] * 3
    worker.close()


def test_a_request_that_was_made_well_before_the_last_check_is_answered_by_it(server: FeedServer) -> None:
    requested_at = timezone.now() - timedelta(minutes=5)
    import_feed(server.url())
    importer = Importer(feeds_settings())
    request = ImportRequest(url=server.url(), requested_at=requested_at, skew=clock.SKEW)
    assert importer.run(request).outcome is Outcome.COVERED
    assert len(server.received) == 1
    importer.close()


@pytest.mark.parametrize("ahead", AHEAD[1:])
def test_a_host_whose_slots_lie_far_ahead_moves_on(ahead: timedelta) -> None:
    register("http://shared.example/1", "http://shared.example/2")
    Host.objects.update(slot_at=timezone.now() + ahead, free_at=timezone.now() + ahead)
    known = storage.load("http://shared.example/1")
    assert known is not None
    assert known.host is not None
    answer = hosts.enter(known.host, slot=None, default_delay=1.0, deadline=60.0)
    assert callable(answer)


def test_a_host_with_many_feeds_may_have_slots_far_ahead() -> None:
    assert rate_limit.farthest_slot(100_000, 1.0) > DAY
    assert rate_limit.farthest_slot(10, 1.0) == HOUR


@pytest.mark.parametrize("ahead", AHEAD[1:])
def test_a_slot_that_no_host_has_given_is_not_waited_for(ahead: timedelta) -> None:
    now = timezone.now()
    queue = rate_limit.HostQueue(delay=1.0, slot_at=now, free_at=now)
    assert rate_limit.enter(queue, now=now, slot=now + ahead, longest=60.0).at is None


@pytest.mark.parametrize("times", [{"checked_at": 3 * DAY}, {"slot_at": 3 * DAY}, {"claimed_at": 3 * DAY}])
def test_the_scheduler_sends_what_was_planned_by_a_clock_days_ahead(times: dict[str, timedelta]) -> None:
    register("http://one.example/1", "http://two.example/2")
    now = timezone.now()
    Feed.objects.update(next_check_at=now + 4 * DAY, **{name: now + ahead for name, ahead in times.items()})
    sent: list[str] = []
    dispatch.send_due(now, lambda url, slot: sent.append(url), feeds_settings())
    assert sorted(sent) == ["http://one.example/1", "http://two.example/2"]


def register(*urls: str) -> None:
    storage.register([Subscription(url=url) for url in urls])
