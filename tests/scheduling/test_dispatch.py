"""Due feeds are claimed, sent and lost by nobody."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from dramatiq_crontab import scheduler

from feeds import canonical_urls, storage, tasks
from feeds.conf import feeds_settings
from feeds.models import Feed, Host
from feeds.outcomes import Outcome
from feeds.planning import planner
from feeds.scheduling import dispatch, rate_limit
from feeds.storage import Subscription
from tests.rigs.documents import import_document
from tests.rigs.servers.counting import CountingServer
from tests.rigs.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)
SLOT = timedelta(seconds=rate_limit.SPACING)  # at the default delay


class Queue:
    """Stands where the broker is: remembers what is sent, and can fail."""

    def __init__(self, *, takes: int = 10**6) -> None:
        self.sent: list[tuple[str, datetime | None]] = []
        self.takes = takes

    def __call__(self, url: str, slot: datetime | None) -> None:
        if len(self.sent) == self.takes:
            raise ConnectionError("the broker is gone")
        self.sent.append((url, slot))

    @property
    def hosts(self) -> Counter[str]:
        return Counter(canonical_urls.host_key(url) for url, _ in self.sent)


def add(host: str, count: int = 1, *, due_at: datetime | None = None, **values: Any) -> None:
    urls = [f"https://{host}/{Feed.objects.count() + number}" for number in range(count)]
    Feed.objects.bulk_create(Feed(url=url, next_check_at=due_at or timezone.now(), **values) for url in urls)


def add_hosts(count: int, **values: Any) -> None:
    for number in range(count):
        add(f"host-{number}.example", **values)


def poll(queue: Queue, now: datetime | None = None, *, limit: int = 1000, delay: float = 1.0) -> None:
    settings = feeds_settings()
    values = {"claim_limit": limit, "host_delay": delay}
    dispatch.send_due(now or timezone.now(), queue, type(settings)(**values))


@contextmanager
def refused(condition: str, *, silently: bool = False) -> Iterator[None]:
    """Let the database refuse to update feeds, as a trigger of a host project may."""
    with connection.cursor() as cursor:
        raises, of = "BEGIN SELECT RAISE(ABORT, 'not this one'); END", ""
        if silently:
            raises = "BEGIN SELECT RAISE(IGNORE); END"
        if connection.vendor == "postgresql":
            body = "RETURN NULL" if silently else "RAISE 'not this one' USING ERRCODE = 'check_violation'"
            body = f"$$ BEGIN {body}; END $$"
            cursor.execute(f"CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS {body}")
            raises, of = "EXECUTE FUNCTION refuse()", "ON feeds_feed"
        cursor.execute(f"CREATE TRIGGER refuse BEFORE UPDATE ON feeds_feed FOR EACH ROW WHEN ({condition}) {raises}")
        try:
            yield
        finally:
            cursor.execute(f"DROP TRIGGER refuse {of}")


def test_what_is_due_is_sent_and_nothing_else() -> None:
    add("due.example")
    add("later.example", due_at=timezone.now() + MINUTE)
    add("paused.example", status=Feed.Status.PAUSED)
    add("disabled.example", status=Feed.Status.DISABLED)
    queue = Queue()
    poll(queue)
    assert list(queue.hosts) == ["due.example"]


def test_a_feed_that_has_expired_is_disabled_until_its_document_says_otherwise() -> None:
    import_document(b'{"items": [], "expired": true}')
    assert import_document(None).outcome is Outcome.UNCHANGED
    feed = Feed.objects.get()
    assert (feed.status, feed.status_reason, feed.next_check_at) == (Feed.Status.DISABLED, planner.EXPIRED, None)
    import_document(b'{"items": []}')
    feed.refresh_from_db()
    assert (feed.status, feed.status_reason, feed.next_check_at is None) == (Feed.Status.ACTIVE, "", False)


def test_the_longest_due_goes_first() -> None:
    now = timezone.now()
    for minutes in (1, 3, 2):
        add(f"{minutes}.example", due_at=now - minutes * MINUTE)
    queue = Queue()
    poll(queue, limit=2)
    assert list(queue.hosts) == ["3.example", "2.example"]


def test_a_claim_moves_the_feed_to_the_end_of_the_lease() -> None:
    add_hosts(3)
    now = timezone.now()
    poll(Queue(), now)
    assert set(Feed.objects.values_list("next_check_at", "claimed_at")) == {(now + rate_limit.LEASE, now)}


def test_a_crash_between_claim_and_send_loses_nothing() -> None:
    add_hosts(5)
    now = timezone.now()
    queue, later = Queue(takes=2), Queue()
    with pytest.raises(ConnectionError):
        poll(queue, now)
    poll(later, now + MINUTE)
    assert later.sent == []
    poll(later, now + rate_limit.LEASE)
    assert set(queue.hosts) < set(later.hosts) == {f"host-{number}.example" for number in range(5)}


def test_a_restart_polls_nothing_early() -> None:
    add_hosts(5)
    now = timezone.now()
    poll(Queue(), now)
    Feed.objects.update(next_check_at=now + 60 * MINUTE, claimed_at=None)  # as after their checks
    for minutes in range(60):  # a scheduler that is started again and again
        queue = Queue()
        poll(queue, now + minutes * MINUTE)
        assert queue.sent == []


def test_the_queue_never_holds_more_than_the_limit() -> None:
    add_hosts(30)
    now = timezone.now()
    queue = Queue()
    poll(queue, now, limit=10)
    poll(queue, now + MINUTE, limit=10)
    assert len(queue.sent) == 10
    Feed.objects.filter(claimed_at__isnull=False).update(claimed_at=None, next_check_at=None)
    poll(queue, now + 2 * MINUTE, limit=10)
    assert len(queue.sent) == 20


def test_lost_messages_do_not_block_the_queue_for_ever() -> None:
    add_hosts(20)
    now = timezone.now()
    poll(Queue(), now, limit=10)
    queue = Queue()
    poll(queue, now + rate_limit.LEASE, limit=10)
    assert len(queue.sent) == 10


def test_a_big_host_does_not_fill_a_batch_alone() -> None:
    now = timezone.now()
    add("big.example", 100, due_at=now - 10 * MINUTE)
    add_hosts(9, due_at=now)
    queue = Queue()
    poll(queue, now, limit=15, delay=0.0)
    assert queue.hosts == Counter({"big.example": 6} | {f"host-{number}.example": 1 for number in range(9)})


# Hosts


def test_due_feeds_of_a_host_get_different_slots_and_those_far_off_are_postponed() -> None:
    add("big.example", 100)
    now = timezone.now() + MINUTE
    queue = Queue()
    poll(queue, now)
    slots = [slot for _, slot in queue.sent]
    assert slots == [now + number * SLOT for number in range(58)]  # the look-ahead
    off = list(Feed.objects.filter(slot_at__isnull=False).order_by("next_check_at"))
    assert [feed.next_check_at for feed in off] == [now + number * SLOT for number in range(58, 100)]
    assert all(feed.next_check_at == feed.slot_at and feed.claimed_at is None for feed in off)
    assert off[0].next_check_reason == "never checked; host slot +1 min 1 s"


def test_a_postponed_feed_is_sent_in_time_with_its_slot() -> None:
    add("big.example", 100)
    now = timezone.now() + MINUTE
    first, second = Queue(), Queue()
    poll(first, now)
    poll(second, now + MINUTE)
    slots = [slot for _, slot in first.sent + second.sent]
    assert slots == [now + number * SLOT for number in range(100)]


def test_a_feed_alone_on_its_host_needs_no_slot() -> None:
    add_hosts(3)
    queue = Queue()
    poll(queue)
    assert {slot for _, slot in queue.sent} == {None}


def test_a_delay_of_its_own_spaces_a_host_further() -> None:
    Host.objects.create(name="strict.example", delay=60.0)
    add("strict.example", 3)
    now = timezone.now() + MINUTE
    queue = Queue()
    poll(queue, now)
    assert [slot for _, slot in queue.sent] == [now]
    assert Feed.objects.filter(next_check_at__in=(now + 60 * SLOT, now + 120 * SLOT)).count() == 2


def test_feeds_of_a_paused_host_are_postponed_behind_the_pause() -> None:
    now = timezone.now() + MINUTE
    Host.objects.create(name="tired.example", paused_until=now + 30 * MINUTE)
    add("tired.example", 2)
    queue = Queue()
    poll(queue, now)
    assert queue.sent == []
    found = Feed.objects.order_by("next_check_at").values_list("next_check_at", flat=True)
    assert list(found) == [now + 30 * MINUTE, now + 30 * MINUTE + SLOT]


def test_private_hosts_are_not_spaced() -> None:
    add("192.168.1.2", 5)
    queue = Queue()
    poll(queue)
    assert {slot for _, slot in queue.sent} == {None}


# More than one


def test_two_schedulers_at_once_send_every_feed_once() -> None:
    add_hosts(40)
    queues = [Queue(), Queue()]
    now = timezone.now()
    at_once(lambda queue: poll(queue, now), queues)
    assert sum((queue.hosts for queue in queues), Counter()) == Counter(
        f"host-{number}.example" for number in range(40)
    )


# A clock that was wrong


def test_feeds_that_were_claimed_by_a_clock_far_ahead_are_due_and_do_not_fill_the_queue() -> None:
    add_hosts(5)
    now = timezone.now()
    poll(Queue(), now + 365 * 24 * 60 * MINUTE)
    queue = Queue()
    poll(queue, now, limit=5)
    assert len(queue.sent) == 5


def test_slots_of_a_clock_far_ahead_are_given_up() -> None:
    add("big.example", 100)
    now = timezone.now() + MINUTE
    poll(Queue(), now + 365 * 24 * 60 * MINUTE)
    queue = Queue()
    poll(queue, now)
    assert [slot for _, slot in queue.sent] == [now + number * SLOT for number in range(58)]


def test_a_feed_that_was_checked_by_a_clock_far_ahead_is_due() -> None:
    now = timezone.now()
    ahead = now + 365 * 24 * 60 * MINUTE
    add("example.org", due_at=ahead + 60 * MINUTE, checked_at=ahead)
    queue = Queue()
    poll(queue, now)
    assert list(queue.hosts) == ["example.org"]
    assert Feed.objects.get().next_check_reason == "a clock was wrong"


def test_a_feed_with_a_long_interval_is_left_alone() -> None:
    now = timezone.now()
    add("example.org", due_at=now + 100 * 24 * 60 * MINUTE, checked_at=now)
    queue = Queue()
    poll(queue, now)
    assert queue.sent == []


# The actors


@pytest.fixture
def here(settings: Any, counting_server: CountingServer) -> Iterator[CountingServer]:
    settings.FEEDS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    storage.register(Subscription(url=counting_server.url(f"feed-{number}")) for number in range(6))
    yield counting_server
    assert tasks.import_feed.broker.drain(30)


def drain() -> None:
    for _ in range(2):  # the scheduler's message, then those that it has sent
        assert tasks.import_feed.broker.drain(30)


def test_one_message_imports_all_that_is_due(here: CountingServer) -> None:
    tasks.import_due_feeds.send()
    drain()
    assert set(Feed.objects.values_list("last_outcome", "claimed_at")) == {(Outcome.IMPORTED.value, None)}
    assert here.requests.total() == 6


def test_what_the_crontab_runs_every_minute_is_this_actor(here: CountingServer) -> None:
    (job,) = [job for job in scheduler.get_jobs() if job.name == "import_due_feeds"]
    assert {field.name: str(field) for field in job.trigger.fields if str(field) != "*"} == {"second": "0"}
    job.func()
    drain()
    assert here.requests.total() == 6


def test_the_same_minute_twice_polls_once(here: CountingServer) -> None:
    for _ in range(3):
        tasks.import_due_feeds.send()
    drain()
    assert here.requests.total() == 6


def test_a_backlog_drains_as_fast_as_the_queue_does(here: CountingServer, settings: Any) -> None:
    settings.FEEDS_CLAIM_LIMIT = 2
    for minute in range(3):
        tasks.import_due_feeds.send()
        drain()
        assert here.requests.total() == 2 * (minute + 1)


def test_a_feed_that_the_database_does_not_let_us_claim_stops_no_other_and_says_so() -> None:
    add_hosts(3)
    with refused("NEW.claimed_at IS NOT NULL AND NEW.url LIKE '%host-1.%'"):
        poll(queue := Queue())
    assert sorted(queue.hosts) == ["host-0.example", "host-2.example"]
    feed = Feed.objects.get(host="host-1.example")
    assert (feed.error_kind, feed.error_text) == (
        "database",
        "the database refuses the claim: IntegrityError: not this one",
    )
    assert feed.next_check_at is not None
    assert feed.next_check_at > timezone.now() + timedelta(hours=5)


@pytest.mark.parametrize("silently", [False, True])
def test_feeds_that_may_not_be_written_at_all_hold_up_no_other(
    silently: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rate_limit, "WINDOW", 3)
    add_hosts(4, due_at=timezone.now() - MINUTE)
    add("well.example")
    with refused("NEW.url LIKE '%host-%'", silently=silently):
        poll(queue := Queue())
    assert [*queue.hosts] == ["well.example"]
    assert "feed=https://host-3.example/3: the database refuses the claim" in caplog.text


@pytest.mark.parametrize("silently", [False, True])
def test_a_feed_whose_slot_may_not_be_written_stops_no_other(silently: bool) -> None:
    add("busy.example", 3)
    Host.objects.filter(name="busy.example").update(slot_at=timezone.now() + 10 * MINUTE)
    with refused("NEW.slot_at IS NOT NULL AND NEW.url LIKE '%/1'", silently=silently):
        poll(Queue())
    assert Feed.objects.filter(slot_at__isnull=False).count() == 2
    assert Feed.objects.get(error_kind="database").url == "https://busy.example/1"


def test_a_feed_that_may_not_be_written_keeps_no_other_from_being_due_after_a_wrong_clock() -> None:
    far = timezone.now() + timedelta(days=400)
    add("well.example", due_at=far, claimed_at=far)
    add("refused.example", due_at=far, claimed_at=far)
    with refused("NEW.url LIKE '%refused%'"):
        poll(queue := Queue())
    assert [*queue.hosts] == ["well.example"]
