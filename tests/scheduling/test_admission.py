"""Requests to one host are spaced, from wherever the messages come, and no thread waits."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db.models import ProtectedError
from django.utils import timezone

from feeds import canonical_urls, storage, tasks
from feeds.fetching.values import Failed, FetchOutcome, NotModified, Redirect
from feeds.models import Feed, Host
from feeds.outcomes import FailureKind, Outcome
from feeds.planning.values import Circumstances, FeedState, HostState, ImportPlan, ImportReport, Move
from feeds.scheduling import dispatch, hosts, rate_limit
from feeds.storage import Subscription
from tests.rigs.importing import import_feed
from tests.rigs.planning import make_plan
from tests.rigs.servers.counting import CountingServer
from tests.rigs.servers.daemon import eventually
from tests.rigs.servers.feed_server import answer
from tests.rigs.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

HERE = "127.0.0.1"
DELAY = 0.3  # seconds
FAR = timedelta(hours=1)
PUBLIC = HostState(name="example.org", shared=True)


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.FEEDS_ALLOWED_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with CountingServer() as server:
        yield server


def spaced(**values: Any) -> Host:
    """Let requests to our server be spaced, though its host is private."""
    return Host.objects.create(**({"name": HERE, "delay": DELAY} | values))


def send(urls: list[str]) -> None:
    for url in urls:
        tasks.import_feed.send(url)
    assert tasks.import_feed.broker.drain(60)


def enter(host: HostState = PUBLIC, *, slot: datetime | None = None, delay: float = 1.0) -> Any:
    return hosts.enter(host, slot=slot, default_delay=delay, deadline=60.0)


def come(url: str) -> Any:
    """Ask for a request of a feed, and make it at once if it is granted."""
    known = storage.load(url)
    assert known.host is not None
    answer = enter(known.host)
    if callable(answer):
        answer()
    return answer


@pytest.mark.slow
def test_a_bulk_import_of_one_host_is_spaced_and_never_two_at_once(server: CountingServer) -> None:
    spaced()
    urls = server.urls(10)  # more than there are threads
    storage.register(Subscription(url=url) for url in urls)
    started = time.monotonic()
    send(urls)
    assert Feed.objects.filter(last_outcome=Outcome.IMPORTED).count() == len(urls)
    assert server.most_open == 1
    assert max(server.times) - started >= (len(urls) - 1) * DELAY  # each alone may reach the server late, and so closer
    assert Host.objects.get().requests == len(urls)


@pytest.mark.slow
def test_redirects_of_many_hosts_to_one_are_spaced_there_and_all_followed_in_the_end() -> None:
    spaced()
    with CountingServer(listens_on="0.0.0.0") as server:
        targets = server.urls(6)
        for number, target in enumerate(targets):
            server.routes[f"/{number}"] = answer(301, location=target)
        send([f"http://127.0.1.{number + 1}:{server.port}/{number}" for number in range(6)])
    assert Feed.objects.filter(last_outcome=Outcome.IMPORTED).count() == len(targets)
    assert server.most_open == 1
    assert max(server.times) - min(server.times) >= (len(targets) - 1) * DELAY * 0.8  # some may reach it late


def test_a_message_that_meets_a_busy_host_uses_up_no_retry(server: CountingServer) -> None:
    spaced(free_at=timezone.now() + timedelta(minutes=1))  # somebody's request takes long
    (url,) = server.urls(1)
    tasks.import_feed.send(url)
    eventually(lambda: Host.objects.get().waits > 3, within=30, what="as many as import_feed has retries")
    Host.objects.update(free_at=timezone.now())
    send([])
    assert Feed.objects.get().last_outcome == Outcome.IMPORTED
    assert tasks.import_feed.broker.dead_letters == []


@pytest.mark.slow
def test_other_hosts_do_not_wait(server: CountingServer) -> None:
    spaced(delay=2.0)
    *slow, other = server.urls(4)
    elsewhere = other.replace(HERE, "localhost")
    for url in [*slow, elsewhere]:
        tasks.import_feed.send(url)
    deadline = time.monotonic() + 10
    while not Feed.objects.filter(url=elsewhere, imported_at__isnull=False).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert Feed.objects.exclude(url=elsewhere).filter(imported_at__isnull=False).count() < len(slow)
    assert tasks.import_feed.broker.drain(60)


def test_a_far_slot_is_left_to_the_schedule_and_not_to_the_broker(server: CountingServer) -> None:
    slot = timezone.now() + FAR
    spaced(slot_at=slot)
    send(server.urls(1))
    feed = Feed.objects.get()
    assert (feed.next_check_at, feed.slot_at, feed.checked_at) == (slot, slot, None)
    assert feed.next_check_reason.startswith("never checked; host slot +")
    assert server.times == []


def test_a_feed_that_the_schedule_has_given_up_keeps_its_message(server: CountingServer) -> None:
    spaced(slot_at=timezone.now() + FAR)
    (url,) = server.urls(1)
    storage.register([Subscription(url=url)])
    Feed.objects.update(status=Feed.Status.DISABLED)
    assert import_feed(url).slot is not None


def test_the_manager_waits_a_moment_for_the_hosts_slot(server: CountingServer) -> None:
    spaced(slot_at=timezone.now() + timedelta(seconds=0.5))
    (url,) = server.urls(1)
    assert Feed.objects.import_feed(url).last_outcome == Outcome.IMPORTED


def test_the_manager_says_when_it_will_be_where_that_is_too_long(server: CountingServer) -> None:
    slot = timezone.now() + timedelta(seconds=60)
    spaced(slot_at=slot)
    (url,) = server.urls(1)
    feed = Feed.objects.import_feed(url)
    assert (feed.checked_at, feed.next_check_at, feed.slot_at) == (None, slot, slot)
    assert "host slot +" in feed.next_check_reason


# A feed alone on its host


ALONE, OTHER = "https://example.org/alone", "https://example.org/other"


def test_a_feed_alone_on_its_host_costs_no_statement_but_the_one_that_loads_it(
    django_assert_num_queries: Any,
) -> None:
    storage.register([Subscription(url=ALONE)])
    with django_assert_num_queries(1):
        assert come(ALONE) is None


def test_an_unchanged_poll_of_a_feed_alone_on_its_host_is_two_statements(django_assert_num_queries: Any) -> None:
    storage.register([Subscription(url=ALONE)])
    with django_assert_num_queries(2):
        known = storage.load(ALONE)
        assert enter(known.host) is None
        apply(NotModified(url=ALONE, etag='"1"'), known)


def test_a_delay_of_zero_for_all_hosts_costs_nothing(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert enter(delay=0.0) is None


def by_registering() -> None:
    storage.register([Subscription(url=OTHER)])


def past_our_code() -> None:
    Feed.objects.bulk_create([Feed(url=OTHER, url_md5=canonical_urls.url_md5(OTHER), host_id="example.org")])


def by_a_move() -> None:
    elsewhere = storage.load("https://elsewhere.example/feed")
    storage.apply(moved(elsewhere, OTHER))


@pytest.mark.parametrize("add", [by_registering, past_our_code, by_a_move])
def test_requests_are_spaced_from_the_second_feed_of_a_host_on_however_it_was_added(add: Callable[[], None]) -> None:
    come(ALONE)
    add()
    answers = [come(OTHER), come(ALONE), come(OTHER)]
    assert callable(answers[0])
    assert all(isinstance(one, datetime) for one in answers[1:])


def test_a_feed_is_alone_again_when_the_others_are_deleted() -> None:
    storage.register([Subscription(url=ALONE), Subscription(url=OTHER)])
    assert come(ALONE) is not None
    Feed.objects.get(url=OTHER).delete()
    assert come(ALONE) is None


def test_a_feed_moves_to_a_host_that_was_not_known_before() -> None:
    known = storage.load(ALONE)
    storage.apply(moved(known, "https://new.example/feed"))
    assert storage.load(ALONE).host == HostState(name="new.example")


def test_a_feed_whose_url_is_none_has_no_host() -> None:
    assert storage.load("ftp:nonsense").host is None


def test_a_host_that_feeds_refer_to_cannot_be_deleted() -> None:
    storage.load(ALONE)
    with pytest.raises(ProtectedError):
        Host.objects.get().delete()


def test_a_claim_gives_two_feeds_of_a_host_slots_of_their_own() -> None:
    storage.register([Subscription(url=ALONE), Subscription(url=OTHER)])
    now = timezone.now() + timedelta(minutes=1)
    batch = dispatch.claim(now, 10, 1.0)
    assert sorted(feed.slot for feed in batch.claimed if feed.slot) == [
        now,
        now + timedelta(seconds=rate_limit.SPACING),
    ]


def test_a_claim_writes_nothing_to_the_host_of_a_feed_that_is_alone() -> None:
    come(ALONE)
    before = Host.objects.values().get()
    batch = dispatch.claim(timezone.now() + timedelta(minutes=1), 10, 1.0)
    assert [feed.slot for feed in batch.claimed] == [None]
    assert Host.objects.values().get() == before


def test_a_pause_holds_a_feed_that_is_alone() -> None:
    come(ALONE)
    Host.objects.update(paused_until=timezone.now() + FAR)
    assert isinstance(come(ALONE), datetime)
    Host.objects.update(paused_until=None)
    assert come(ALONE) is None


# Several at the same time


def test_of_many_threads_at_a_free_host_one_may_go_and_all_others_get_slots_of_their_own() -> None:
    Host.objects.ensure(["example.org"])
    answers = at_once(lambda _: enter(), range(8))
    assert sum(callable(one) for one in answers) == 1
    slots = sorted(one for one in answers if isinstance(one, datetime))
    assert {later - earlier for earlier, later in pairwise(slots)} == {timedelta(seconds=rate_limit.SPACING)}


def test_a_request_that_outlasts_its_time_does_not_free_the_host_for_which_another_has_come() -> None:
    Host.objects.ensure(["example.org"])
    request = enter()
    anothers = timezone.now() + FAR
    Host.objects.update(free_at=anothers)
    request()
    assert Host.objects.get().free_at == anothers


def moved(feed: FeedState, url: str) -> ImportPlan:
    now = timezone.now()
    circumstances = Circumstances(started_at=now, now=now, jitter=0.0)
    move = Move(url=url, reason="redirects")
    return ImportPlan(feed=feed, outcome=Outcome.DISCOVERED, circumstances=circumstances, move=move)


# 429 and 503


def apply(response: FetchOutcome, feed: FeedState) -> ImportReport:
    plan = make_plan(feed, response, now=timezone.now())
    report = storage.apply(plan)
    if plan.pause:
        hosts.pause(plan.pause)
    return report


def send_away(url: str, *, by: str = "", seconds: float | None = 100.0, status: int = 429) -> None:
    """Let a feed be answered that it is one too many, by another URL if it was redirected."""
    hops = (Redirect(status=302, url=by),) if by else ()
    failure = Failed(kind=FailureKind.TOO_MANY, text="no", status=status, retry_after=seconds, redirects=hops)
    apply(failure, storage.load(url))


def test_a_429_of_one_feed_leaves_the_others_of_its_host_alone() -> None:
    storage.register(Subscription(url=f"https://example.org/{number}") for number in range(4))
    for _ in range(3):
        send_away("https://example.org/0", seconds=86_400.0)
    assert Host.objects.get().paused_until is None
    assert callable(come("https://example.org/1"))


def test_a_429_that_a_second_feed_gets_pauses_their_host_for_all_and_they_resume_spread_out() -> None:
    storage.register(Subscription(url=f"https://example.org/{number}") for number in range(5))
    send_away("https://example.org/4", seconds=86_400.0)
    before = timezone.now()
    send_away("https://example.org/0")
    host = Host.objects.get()
    assert timedelta(seconds=100) <= host.paused_until - before < timedelta(seconds=110)
    assert (host.pauses, host.pause_reason) == (1, "429, Retry-After: 1 min 40 s")
    slots = [come(f"https://example.org/{number}") for number in range(1, 4)]
    assert [slot - host.paused_until for slot in slots] == [
        timedelta(seconds=number * rate_limit.SPACING) for number in range(3)
    ]


def test_a_429_that_is_over_or_was_another_hosts_counts_for_no_other_feed() -> None:
    send_away("https://example.org/0")
    Feed.objects.update(next_check_at=timezone.now())
    send_away("https://example.org/1")
    send_away("https://elsewhere.example/0")
    assert not Host.objects.filter(paused_until__isnull=False).exists()


def test_a_429_where_redirects_lead_pauses_neither_host() -> None:
    storage.register([Subscription(url=f"https://cdn.example.net/{number}") for number in range(2)])
    send_away("https://cdn.example.net/0")
    for number in range(3):
        send_away(f"https://example.org/{number}", by=f"https://cdn.example.net/{number}", status=503, seconds=None)
    assert not Host.objects.filter(paused_until__isnull=False).exists()


def test_a_private_host_is_not_paused() -> None:
    for number in range(2):
        send_away(f"http://{HERE}/{number}")
    assert Host.objects.get().paused_until is None


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    send_away("https://example.org/1")
    for seconds in (1000.0, 10.0):
        send_away("https://example.org/0", seconds=seconds)
    assert Host.objects.get().paused_until > timezone.now() + timedelta(seconds=900)
