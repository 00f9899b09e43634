"""The status page, over HTTP as a browser asks for it."""

import html
import re
from datetime import timedelta
from typing import Any

import dramatiq
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker

from feeds import brokers, heartbeat
from feeds.brokers.server import Depth
from feeds.locking import lock
from feeds.models import Feed, Host, Import, Lock, Minute, Process
from feeds.outcomes import FailureKind
from tests.rigs.brokers import global_broker, middleware_of
from tests.rigs.people import staff
from tests.rigs.servers.daemon import free_port
from tests.rigs.servers.memcached import Memcached, locks_in
from tests.rigs.servers.rabbitmq import RabbitMQ
from tests.rigs.servers.redis_server import RedisServer
from tests.test_admin import new_feed, queries_of

pytestmark = pytest.mark.django_db

PAGE = reverse("feeds-status")


@pytest.fixture
def alive() -> None:
    now = timezone.now()
    Process.objects.create(name="host-a:1", threads=8, began_at=now - timedelta(hours=2), seen_at=now)
    heartbeat.note_schedule(now)


def page(client: Client, **query: str) -> str:
    answer = client.get(PAGE, query)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def heading(text: str) -> str:
    found = re.search(r"<h1[^>]*>(.*?)</h1>", text, re.DOTALL)
    assert found
    return " ".join(re.sub("<[^>]+>", "", found[1]).split())


def tile(text: str, name: str) -> int:
    found = re.search(rf"<dt>{name}</dt><dd>(?:<a[^>]*>)?([\d,]+)", text)
    assert found, name
    return int(found[1].replace(",", ""))


# People


def test_it_is_for_the_staff_that_may_look_at_feeds(client: Client) -> None:
    assert client.get(PAGE)["Location"].startswith(reverse("admin:login"))
    client.force_login(staff())
    assert client.get(PAGE).status_code == 403
    client.force_login(User.objects.create(username="reader"))
    assert client.get(PAGE)["Location"].startswith(reverse("admin:login"))


def test_it_is_the_front_page_of_the_project(admin_client: Client) -> None:
    assert "<h1" in admin_client.get("/").content.decode()


def test_it_refreshes_itself_without_a_script_until_told_to_stand_still(admin_client: Client) -> None:
    answer = admin_client.get(PAGE)
    assert int(answer["Refresh"]) > 0
    assert "<script" not in answer.content.decode()
    assert "Refresh" not in admin_client.get(PAGE, {"still": ""})


def test_its_policy_allows_its_own_style_and_nothing_else(admin_client: Client) -> None:
    answer = admin_client.get(PAGE)
    policy, text = answer["Content-Security-Policy"], answer.content.decode()
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; style-src 'nonce-")
    (nonce,) = re.findall(r'<style nonce="([^"]+)">', text)
    assert f"'nonce-{nonce}'" in policy
    assert not re.search(r"""\sstyle=|\son\w+=|(src|href)=["']?(https?:)?//""", text)


# The sentence


@pytest.mark.usefixtures("alive")
def test_where_all_is_well_it_says_so(admin_client: Client, settings: Any) -> None:
    new_feed(next_check_at=timezone.now() + timedelta(hours=1))
    assert heading(page(admin_client)) == "✓ Healthy: 1 feed on time"


@pytest.mark.usefixtures("alive")
def test_feeds_that_are_late_are_told_first(admin_client: Client) -> None:
    new_feed(next_check_at=timezone.now() - timedelta(hours=1))
    assert heading(page(admin_client)) == "! Late: 1 feed due for more than 10 minutes"


def test_without_workers_it_says_for_how_long_and_what_to_start(admin_client: Client) -> None:
    Minute.objects.create(at=timezone.now() - timedelta(minutes=12, seconds=5), checks=1)
    text = page(admin_client)
    assert heading(text).startswith("✗ Nothing has been imported for 12 minutes: no worker is running")
    assert "Start `manage.py crontab`" in text


@pytest.mark.usefixtures("alive")
def test_a_lock_store_that_is_down_is_told(admin_client: Client, settings: Any) -> None:
    settings.CACHES = settings.CACHES | locks_in(f"127.0.0.1:{free_port()}")
    assert "ConnectionRefusedError" in heading(page(admin_client))


@pytest.mark.usefixtures("alive")
def test_a_memcached_that_may_drop_locks_stops_no_imports(
    admin_client: Client, settings: Any, memcached: Memcached
) -> None:
    settings.CACHES = settings.CACHES | locks_in(memcached.location)
    assert heading(page(admin_client)).startswith("! Imports go on, but memcached at ")


@pytest.mark.usefixtures("alive")
def test_workers_that_cannot_be_seen_may_import_all_the_same(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = dramatiq.get_broker()
    others = [each for each in broker.middleware if not isinstance(each, heartbeat.Heartbeat)]
    monkeypatch.setattr(broker, "middleware", others)
    assert heading(page(admin_client)) == "! Imports go on, but workers cannot be seen"


@pytest.mark.usefixtures("alive")
def test_a_broker_that_is_down_is_told_without_its_login(admin_client: Client) -> None:
    url = f"redis://user:secret@127.0.0.1:{free_port()}/0"
    down = RedisBroker(url=url, middleware=middleware_of(dramatiq.get_broker()))
    down.declare_queue("default")
    with global_broker(down):
        text = page(admin_client)
    assert heading(text).startswith("✗ ")
    assert "The broker does not answer" in text
    assert "secret" not in text


# Figures


@pytest.mark.usefixtures("alive")
def test_feeds_are_counted_by_their_state(admin_client: Client) -> None:
    soon = timezone.now() + timedelta(hours=1)
    for number, fields in enumerate(
        [
            {},
            {"error_kind": FailureKind.DNS},
            {"error_kind": FailureKind.DNS},
            {"error_kind": FailureKind.TLS, "status": Feed.Status.PAUSED},
            {"error_kind": FailureKind.GONE, "status": Feed.Status.DISABLED},
            {"status": Feed.Status.PAUSED},
        ]
    ):
        new_feed(f"https://example.com/{number}", next_check_at=soon, **fields)
    text = page(admin_client)
    counts = {name: tile(text, name) for name in ("feeds", "due now", "late", "failing", "paused", "disabled")}
    assert counts == {"feeds": 6, "due now": 0, "late": 0, "failing": 2, "paused": 2, "disabled": 1}
    assert "the host name does not resolve" in text
    assert "no trusted TLS connection" not in text


@pytest.mark.usefixtures("alive")
def test_the_lists_that_figures_lead_to_hold_the_same_feeds(admin_client: Client) -> None:
    soon = timezone.now() + timedelta(hours=1)
    new_feed("https://example.com/1", next_check_at=soon, error_kind=FailureKind.DNS, title="Broken")
    new_feed("https://example.com/2", next_check_at=soon, title="Fine")
    for url in re.findall(r'<dd><a href="([^"]+state=failing)"', page(admin_client)):
        listed = admin_client.get(url, follow=True).content.decode()
        assert "Broken" in listed
        assert "Fine" not in listed


@pytest.mark.usefixtures("alive")
def test_hosts_that_fail_or_are_paused_are_named(admin_client: Client) -> None:
    now = timezone.now()
    bad = new_feed("https://bad.example/feed", next_check_at=now + timedelta(hours=1))
    Import.objects.create(feed=bad, number=1, started_at=now, error_kind="dns", seconds={"connect": 2, "body": 1.5})
    Import.objects.create(feed=bad, number=2, started_at=now, seconds={"connect": 0.5, "body": 1})
    Host.objects.create(name="away.example", paused_until=now + timedelta(hours=3), pause_reason="429")
    text = page(admin_client)
    assert re.search(r'bad\.example</a></td><td class="number">1</td><td class="number">2</td>', text)
    assert "2.5" in text
    assert "away.example" in text


@pytest.mark.usefixtures("alive")
def test_the_charts_say_in_words_what_they_show(admin_client: Client) -> None:
    now = timezone.now().replace(second=0, microsecond=0)
    Minute.objects.create(at=now - timedelta(minutes=10), checks=30)
    Minute.objects.create(at=now, new=7)
    text = page(admin_client)
    assert "Checks per minute: 0 at the end, 3 at the most" in text
    assert "New entries per hour: 7 at the end, 7 at the most" in text


@pytest.mark.usefixtures("alive")
def test_it_takes_as_many_queries_for_many_feeds_as_for_one(admin_client: Client) -> None:
    def fill(number: int) -> None:
        feed = new_feed(f"https://{number}.example/feed", error_kind=list(FailureKind)[number])
        Import.objects.create(feed=feed, number=1, started_at=timezone.now(), error_kind="dns", seconds={"body": 2})
        token = lock.claim(f"import_feed-lock-{feed.url_md5.hex}", "message", 600).token
        Lock.objects.create(
            key=f":1:import_feed-lock-{feed.url_md5.hex}", token=token, expires_at=timezone.now() + timedelta(1)
        )

    fill(0)
    for_one = queries_of(lambda: page(admin_client))
    for number in range(1, 20):
        fill(number)
    assert len(queries_of(lambda: page(admin_client))) == len(for_one) <= 30


# Locks


@pytest.mark.usefixtures("alive")
def test_a_lock_is_broken_by_those_who_may_change_feeds(client: Client) -> None:
    feed = new_feed("https://user:secret@example.com/feed", next_check_at=timezone.now() + timedelta(hours=1))
    lease = lock.claim(f"import_feed-lock-{feed.url_md5.hex}", "message", 600)
    Lock.objects.create(key=f":1:{lease.key}", token=lease.token, expires_at=timezone.now() + timedelta(minutes=9))
    nonce = lock.Token.parse(lease.token).nonce
    client.force_login(staff("view_feed"))
    text = page(client)
    assert "https://example.com/feed" in text
    assert "secret" not in text
    assert "<button" not in text
    assert client.post(PAGE, {"lock": nonce}).status_code == 403
    User.objects.all().delete()
    client.force_login(staff("view_feed", "change_feed"))
    assert f'value="{nonce}"' in page(client)
    assert "No such lock" in client.post(PAGE, {"lock": "another"}, follow=True).content.decode()
    assert Lock.objects.exists()
    assert "Broken:" in client.post(PAGE, {"lock": nonce}, follow=True).content.decode()
    assert not Lock.objects.exists()


# Queues


def depth_of(broker: dramatiq.Broker) -> Depth:
    """Return the depth of a queue with two messages, one of them for later, in this broker."""
    actor = dramatiq.Actor(
        print, broker=broker, actor_name="print", queue_name="numbers", priority=0, options={"max_retries": 0}
    )
    actor.send(1)
    actor.send_with_options(args=(2,), delay=600_000)
    (depth,) = [each for each in brokers.server(broker).depths() if each.queue == "numbers"]
    return depth


def test_the_queues_of_redis_are_measured(redis_server: RedisServer) -> None:
    depth = depth_of(RedisBroker(url=redis_server.url))
    assert (depth.waiting, depth.delayed, depth.dead) == (1, 1, 0)


@pytest.mark.slow
def test_the_queues_of_rabbitmq_are_measured(rabbitmq: RabbitMQ) -> None:
    broker = RabbitmqBroker(url=rabbitmq.url, confirm_delivery=True)
    depth = depth_of(broker)
    broker.close()
    assert (depth.waiting, depth.delayed, depth.dead) == (1, 1, 0)
