"""A host's line and the claims of schedulers, between processes."""

import itertools
import threading
import time
from collections.abc import Iterator

import pytest
from django.db import connection
from django.utils import timezone

from feeds.scheduling import dispatch
from tests.acceptance.conftest import StartWorkers
from tests.acceptance.deployment import Deployment
from tests.rigs.servers.feed_server import FeedServer, Received, answer
from tests.rigs.servers.samples import sample_feed

GAP = 0.4  # seconds
FEEDS = 10

SPACED = f"""
from feeds.models import Host
Host.objects.create(name="127.0.0.1", gap={GAP})
"""

# Half of the feeds alone on their hosts, half together on one.
DUE = f"""
from django.utils import timezone
from feeds import canonical_urls
from feeds.models import Feed
for number in range({FEEDS}):
    url = f"http://127.0.0.1:1/{{number}}" if number % 2 else f"http://127.0.1.{{number}}:1/"
    Feed.objects.create(url=url, url_md5=canonical_urls.url_md5(url), host=canonical_urls.host_key(url))
"""

CLAIM = """
import sys
from datetime import timedelta
from django.db import transaction
from django.utils import timezone
from feeds import polling
with transaction.atomic():
    batch = polling.claim(timezone.now() + timedelta(seconds=5), 4, 1.0)
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


class Arrivals(FeedServer):
    """Serves every path and notes when each request came, and how many were open at once."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []
        self.open = self.most_open = 0
        self.mutex = threading.Lock()

    def serve(self, count: int) -> list[str]:
        for number in range(count):
            self.routes[f"/{number}"] = self._answer
        return [f"http://127.0.0.1:{self.port}/{number}" for number in range(count)]

    def _answer(self, request: Received) -> Iterator[bytes]:
        with self.mutex:
            self.times.append(time.monotonic())
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        yield answer(body=sample_feed(request.target, kind="atom"), content_type="application/atom+xml", etag='"1"')
        with self.mutex:
            self.open -= 1


@pytest.fixture
def server() -> Iterator[Arrivals]:
    with Arrivals() as server:
        yield server


def test_h21_two_processes_with_more_messages_than_threads_space_the_requests_to_one_host(
    deployment: Deployment, start_workers: StartWorkers, server: Arrivals
) -> None:
    deployment.manage("shell", "-c", SPACED)
    start_workers(2, 2)
    deployment.send(server.serve(FEEDS))
    deployment.wait_until_imported(FEEDS, within=60)
    deployment.wait_until_queued(0, 0, 0, within=15)  # no copy is left, none has died
    gaps = [later - earlier for earlier, later in itertools.pairwise(sorted(server.times))]
    assert len(server.times) == FEEDS
    assert min(gaps) > GAP - 0.15  # seen from the server's end of the connections
    assert server.most_open == 1


def test_h11_after_a_restart_of_workers_and_scheduler_no_feed_is_polled_early(
    deployment: Deployment, start_workers: StartWorkers, server: Arrivals
) -> None:
    workers = start_workers(1, 2)
    urls = server.serve(FEEDS)
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


def test_one_minute_of_the_scheduler_reaches_the_workers_of_a_deployment(
    deployment: Deployment, start_workers: StartWorkers, server: Arrivals
) -> None:
    start_workers(1, 2)
    (url,) = server.serve(1)
    deployment.manage("shell", "-c", MINUTE.format(url=url))
    deployment.wait_until_imported(1, within=30)
