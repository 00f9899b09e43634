"""The door of a host: whoever sends the message, and with no thread that waits."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone

from feeds import canonical_urls, storage, tasks
from feeds.fetching.values import FetchOutcome, TooMany
from feeds.models import Feed, Host
from feeds.outcomes import Outcome
from feeds.planning.values import Circumstances, FeedState, HostState, ImportPlan, ImportReport, Move
from feeds.scheduling import dispatch, hosts, rate_limit
from feeds.storage import Subscription
from tests.rigs.importing import import_feed
from tests.rigs.planning import make_plan
from tests.rigs.servers.feed_server import FeedServer, Received, answer
from tests.rigs.servers.samples import sample_feed

pytestmark = pytest.mark.django_db(transaction=True)

HERE = "127.0.0.1"
GAP = 0.3  # seconds
FAR = timedelta(hours=1)
PUBLIC = HostState(name="example.org", shared=True)


class TimedServer(FeedServer):
    """Serves a feed under every path and notes when each request came, and how many were open at once."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []
        self.open = self.most_open = 0
        self.mutex = threading.Lock()

    def serve(self, *paths: str) -> list[str]:
        for path in paths:
            self.routes[f"/{path}"] = self._answer
        return [f"http://{HERE}:{self.port}/{path}" for path in paths]

    def _answer(self, request: Received) -> Iterator[bytes]:
        with self.mutex:
            self.times.append(time.monotonic())
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        try:
            yield answer(body=sample_feed(request.target, kind="atom"), content_type="application/atom+xml", etag='"1"')
        finally:
            with self.mutex:
                self.open -= 1

    def closest(self) -> float:
        """Return the shortest time between the begins of two requests."""
        ordered = sorted(self.times)
        return min(later - earlier for earlier, later in pairwise(ordered))


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.FEEDS_ALLOWED_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def server() -> Iterator[TimedServer]:
    with TimedServer() as server:
        yield server


def paced(**values: Any) -> Host:
    """Give the host of our server a line, though it is private."""
    return Host.objects.create(**({"name": HERE, "gap": GAP} | values))


def send(urls: list[str]) -> None:
    for url in urls:
        tasks.import_feed.send(url)
    assert tasks.import_feed.broker.drain(60)


def enter(host: HostState = PUBLIC, feed_id: int = 1, slot: datetime | None = None, gap: float = 1.0) -> Any:
    return hosts.enter(host, feed_id=feed_id, slot=slot, default_gap=gap, deadline=60.0)


def come(url: str) -> Any:
    """Let a feed come to the door of its host; who is let in leaves at once."""
    known = storage.load(url)
    assert known.host is not None
    answer = enter(known.host, known.id)
    if isinstance(answer, hosts.Permission):
        with hosts.holding(answer):
            pass
    return answer


def test_h21_a_bulk_import_of_one_host_is_spaced_and_never_two_at_once(server: TimedServer) -> None:
    paced()
    urls = server.serve(*(f"feed-{number}" for number in range(10)))  # more than there are threads
    storage.register(Subscription(url=url) for url in urls)
    send(urls)
    assert Feed.objects.filter(last_outcome=Outcome.IMPORTED).count() == len(urls)
    assert server.most_open == 1
    assert server.closest() > GAP - 0.1  # seen from the server's end of the connections
    assert Host.objects.get().requests == len(urls)


def test_a_message_that_meets_a_busy_host_uses_up_no_retry(server: TimedServer) -> None:
    paced(open_at=timezone.now() + timedelta(seconds=3))  # somebody's request takes long
    urls = server.serve("feed")
    send(urls)
    assert Host.objects.get().waits > 3  # as many as import_feed has retries
    assert Feed.objects.get().last_outcome == Outcome.IMPORTED
    assert tasks.import_feed.broker.dead_letters == []


def test_other_hosts_do_not_wait(server: TimedServer) -> None:
    paced(gap=2.0)
    slow = server.serve("a", "b", "c")
    (elsewhere,) = (url.replace(HERE, "localhost") for url in server.serve("d"))
    for url in [*slow, elsewhere]:
        tasks.import_feed.send(url)
    deadline = time.monotonic() + 10
    while not Feed.objects.filter(url=elsewhere, imported_at__isnull=False).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert Feed.objects.exclude(url=elsewhere).filter(imported_at__isnull=False).count() < len(slow)
    assert tasks.import_feed.broker.drain(60)


def test_a_far_slot_is_left_to_the_schedule_and_not_to_the_broker(server: TimedServer) -> None:
    slot = timezone.now() + FAR
    paced(slot_at=slot)
    send(server.serve("feed"))
    feed = Feed.objects.get()
    assert (feed.next_check_at, feed.slot_at, feed.checked_at) == (slot, slot, None)
    assert feed.next_check_reason.startswith("never checked; host slot +3")
    assert server.times == []


def test_a_feed_that_the_schedule_has_given_up_keeps_its_message(server: TimedServer) -> None:
    paced(slot_at=timezone.now() + FAR)
    (url,) = server.serve("feed")
    storage.register([Subscription(url=url)])
    Feed.objects.update(status=Feed.Status.OFF)
    assert import_feed(url).slot is not None


def test_the_manager_waits_a_moment_for_the_hosts_slot(server: TimedServer) -> None:
    paced(slot_at=timezone.now() + timedelta(seconds=0.5))
    (url,) = server.serve("feed")
    assert Feed.objects.import_feed(url).last_outcome == Outcome.IMPORTED


def test_the_manager_says_when_it_will_be_where_that_is_too_long(server: TimedServer) -> None:
    slot = timezone.now() + timedelta(seconds=60)
    paced(slot_at=slot)
    (url,) = server.serve("feed")
    feed = Feed.objects.import_feed(url)
    assert (feed.checked_at, feed.next_check_at, feed.slot_at) == (None, slot, slot)
    assert "host slot +" in feed.next_check_reason


# What it costs


def test_a_feed_alone_on_its_host_pays_nothing_but_for_the_first_time(django_assert_num_queries: Any) -> None:
    storage.register([Subscription(url=ALONE)])
    assert isinstance(come(ALONE), hosts.Permission)
    with django_assert_num_queries(1):  # the feed itself
        assert come(ALONE) is None


def test_pacing_switched_off_costs_nothing(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert enter(gap=0.0) is None


# Who is alone


ALONE, OTHER = "https://example.org/alone", "https://example.org/other"


def by_registering() -> None:
    storage.register([Subscription(url=OTHER)])


def past_our_code() -> None:
    Feed.objects.bulk_create([Feed(url=OTHER, url_md5=canonical_urls.url_md5(OTHER), host="example.org")])


def by_a_move() -> None:
    elsewhere = storage.load("https://elsewhere.example/feed")
    storage.apply(moved(elsewhere, OTHER))


def by_deleting_its_row() -> None:
    """Forget who is alone after the other has come."""
    by_registering()
    come(OTHER)
    Host.objects.all().delete()


WAYS = [by_registering, past_our_code, by_a_move, by_deleting_its_row]


@pytest.mark.parametrize("add", WAYS)
def test_h21_the_second_feed_that_comes_ends_it_for_both_however_it_was_added(add: Callable[[], None]) -> None:
    come(ALONE)
    add()
    both = [come(OTHER), come(ALONE), come(OTHER)]
    assert isinstance(both[0], hosts.Permission | rate_limit.Wait)
    assert all(isinstance(one, rate_limit.Wait) for one in both[1:])


def test_whose_forerunner_was_deleted_is_gated_rather_than_not() -> None:
    come(ALONE)
    Feed.objects.all().delete()
    for _ in range(2):
        assert come(ALONE) is not None


def test_a_claim_that_meets_two_feeds_of_a_host_ends_it_too() -> None:
    come(ALONE)
    by_registering()
    now = timezone.now() + timedelta(minutes=1)
    batch = dispatch.claim(now, 10, 1.0)
    assert sorted(feed.slot for feed in batch.claimed if feed.slot) == [
        now,
        now + timedelta(seconds=rate_limit.SPACING),
    ]
    assert come(ALONE) is not None


def test_a_claim_leaves_a_feed_that_is_alone_in_peace() -> None:
    come(ALONE)
    before = Host.objects.values().get()
    batch = dispatch.claim(timezone.now() + timedelta(minutes=1), 10, 1.0)
    assert [feed.slot for feed in batch.claimed] == [None]
    assert Host.objects.values().get() == before


def test_a_pause_holds_a_feed_that_is_alone_and_leaves_it_so() -> None:
    come(ALONE)
    apply(TooMany(url=ALONE, status=429, retry_after=100.0), storage.load(ALONE))
    assert isinstance(come(ALONE), rate_limit.Wait)
    Host.objects.update(paused_until=None)
    assert come(ALONE) is None


# What must hold under the hands of many


def test_h21_of_many_threads_at_a_free_door_one_goes_through_and_all_others_get_slots_of_their_own() -> None:
    answers: list[Any] = []
    barrier = threading.Barrier(8)

    def come(feed_id: int) -> None:
        from django.db import connection

        barrier.wait()
        answers.append(enter(feed_id=feed_id))
        connection.close()

    threads = [threading.Thread(target=come, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(one, hosts.Permission) for one in answers) == 1
    slots = sorted(one.at for one in answers if isinstance(one, rate_limit.Wait))
    assert {later - earlier for earlier, later in pairwise(slots)} == {timedelta(seconds=rate_limit.SPACING)}


def test_a_ticket_that_has_run_out_does_not_open_anothers_door() -> None:
    ticket = enter()
    mine = timezone.now() + FAR
    Host.objects.update(open_at=mine)
    with hosts.holding(ticket):
        pass
    assert Host.objects.get().open_at == mine


def moved(feed: FeedState, url: str) -> ImportPlan:
    now = timezone.now()
    circumstances = Circumstances(started_at=now, now=now, jitter=0.0)
    move = Move(url=url, reason="redirects")
    return ImportPlan(feed=feed, outcome=Outcome.DISCOVERED, circumstances=circumstances, move=move)


# 429 and 503


def apply(response: FetchOutcome, feed: FeedState) -> ImportReport:
    plan = make_plan(feed, response, now=timezone.now())
    if plan.pause:
        hosts.pause(plan.pause)
    return storage.apply(plan)


def test_h14_a_429_of_one_feed_pauses_its_host_for_all_and_they_resume_spread_out() -> None:
    storage.register(Subscription(url=f"https://example.org/{number}") for number in range(4))
    before = timezone.now()
    apply(TooMany(url="https://example.org/0", status=429, retry_after=100.0), storage.load("https://example.org/0"))
    host = Host.objects.get()
    assert timedelta(seconds=100) <= host.paused_until - before < timedelta(seconds=110)
    assert (host.pauses, host.pause_reason) == (1, "429, Retry-After: 100 s")
    slots = [come(f"https://example.org/{number}").at for number in range(1, 4)]
    assert [slot - host.paused_until for slot in slots] == [
        timedelta(seconds=number * rate_limit.SPACING) for number in range(3)
    ]


def test_h14_the_host_that_answered_is_paused_not_the_one_that_sent_us_there() -> None:
    storage.register([Subscription(url="https://example.org/0")])
    apply(TooMany(url="https://cdn.example.net/0", status=503, retry_after=None), storage.load("https://example.org/0"))
    assert Host.objects.get().name == "cdn.example.net"


def test_h14_a_private_host_is_not_paused() -> None:
    url = f"http://{HERE}/feed"
    apply(TooMany(url=url, status=429, retry_after=100.0), storage.load(url))
    assert not Host.objects.exists()


def test_h14_a_shorter_pause_does_not_end_a_longer_one() -> None:
    storage.register([Subscription(url="https://example.org/0")])
    for seconds in (1000.0, 10.0):
        apply(
            TooMany(url="https://example.org/0", status=429, retry_after=seconds), storage.load("https://example.org/0")
        )
    assert Host.objects.get().paused_until > timezone.now() + timedelta(seconds=900)
