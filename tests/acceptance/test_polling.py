"""Spaced requests to one host and the claims of schedulers, between processes."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from feeds import storage
from feeds.models import Host
from feeds.scheduling import dispatch, hosts, rate_limit
from feeds.storage import Subscription
from tests.acceptance.conftest import StartWorkers
from tests.acceptance.deployment import Deployment
from tests.rigs.servers.counting import CountingServer

DELAY = 0.4  # seconds
FEEDS = 10

SPACED = f"""
from feeds.models import Host
Host.objects.create(name="127.0.0.1", delay={DELAY})
"""

# Half of the feeds alone on their hosts, half together on one.
DUE = f"""
from feeds import storage
from feeds.storage import Subscription
urls = [f"http://127.0.0.1:1/{{n}}" if n % 2 else f"http://127.0.1.{{n}}:1/" for n in range({FEEDS})]
storage.register(Subscription(url=url) for url in urls)
"""

CLAIM = """
import sys
from datetime import timedelta
from django.db import transaction
from django.utils import timezone
from feeds.scheduling import dispatch
with transaction.atomic():
    batch = dispatch.claim(timezone.now() + timedelta(seconds=5), 4, 1.0)
    print(*(feed.url for feed in batch.claimed), flush=True)
    sys.stdin.readline()
"""


MINUTE = """
from feeds import storage
from feeds.storage import Subscription
from feeds.tasks import import_due_feeds
storage.register([Subscription(url="{url}")])
import_due_feeds.send()
"""


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with CountingServer() as server:
        yield server


def test_two_processes_with_more_messages_than_threads_space_the_requests_to_one_host(
    deployment: Deployment, start_workers: StartWorkers, server: CountingServer
) -> None:
    deployment.manage("shell", "-c", SPACED)
    start_workers(2, 2)
    started = time.monotonic()
    deployment.send(server.urls(FEEDS))
    deployment.wait_until_imported(FEEDS, within=60)
    deployment.wait_until_queued(0, 0, 0, within=15)  # no copy is left, none has died
    assert len(server.times) == FEEDS
    assert max(server.times) - started >= (FEEDS - 1) * DELAY  # each alone may reach the server late, and so closer
    assert server.most_open == 1


def test_after_a_restart_of_workers_and_scheduler_no_feed_is_polled_early(
    deployment: Deployment, start_workers: StartWorkers, server: CountingServer
) -> None:
    workers = start_workers(1, 2)
    urls = server.urls(FEEDS)
    deployment.send(urls)
    deployment.wait_until_imported(FEEDS, within=30)
    workers.stop()
    start_workers(1, 2)
    deployment.manage("shell", "-c", MINUTE.format(url=urls[0]))
    deployment.wait_until_queued(0, 0, 0, within=15)
    assert len(server.times) == FEEDS


def test_two_schedulers_claim_different_feeds_and_do_not_wait_for_each_other(deployment: Deployment) -> None:
    deployment.manage("shell", "-c", DUE)
    schedulers, claims = [], []
    for _ in range(2):
        scheduler = deployment.spawn("shell", "--verbosity", "0", "-c", CLAIM)
        assert scheduler.stdout is not None
        claims.append(scheduler.stdout.readline().split())  # both claim before either commits
        schedulers.append(scheduler)
    for scheduler in schedulers:
        output, _ = scheduler.communicate("\n", timeout=30)
        assert scheduler.returncode == 0, output
    assert not set(claims[0]) & set(claims[1])
    assert len(claims[0]) == 4


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("on_postgresql")
def test_a_look_for_due_feeds_reads_nothing_but_an_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")  # for a few rows they would do
        looks = [feeds.values_list("id", "host", "slot_at")[:1000] for feeds in dispatch.windows(timezone.now())]
        plans = [look.explain() for look in looks]
    for plan, index in zip(plans, ("feeds_feed_due", "feeds_feed_slots"), strict=True):
        assert f"Index Only Scan using {index}" in plan
        assert "Filter" not in plan
        assert "Sort" not in plan


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("on_postgresql")
def test_a_new_feed_does_not_wait_for_a_claim_that_has_locked_its_host() -> None:
    storage.register([Subscription(url="https://example.org/1")])
    Host.objects.update(slot_at=timezone.now() + timedelta(hours=1))
    added = threading.Event()

    def add() -> None:
        storage.register([Subscription(url="https://example.org/2")])
        connection.close()
        added.set()

    thread = threading.Thread(target=add)
    with transaction.atomic():
        hosts.assign([rate_limit.Due(1, "example.org")], now=timezone.now(), default_delay=1.0)
        thread.start()
        assert added.wait(10)
    thread.join()


def test_one_minute_of_the_scheduler_reaches_the_workers_of_a_deployment(
    deployment: Deployment, start_workers: StartWorkers, server: CountingServer
) -> None:
    start_workers(1, 2)
    (url,) = server.urls(1)
    deployment.manage("shell", "-c", MINUTE.format(url=url))
    deployment.wait_until_imported(1, within=30)
