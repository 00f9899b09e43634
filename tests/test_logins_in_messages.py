"""The login in a URL stands in no message that the app sends, and in no line of any log."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import dramatiq
import pytest
from django.core.cache import caches
from django.utils import timezone
from django_dramatiq.middleware import DbConnectionsMiddleware
from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Retries, TimeLimit

from feeds import storage, tasks
from feeds.locking import LockMiddleware, lock_key
from feeds.locking.logs import without_login
from feeds.models import Feed, Host

pytestmark = pytest.mark.django_db(transaction=True)

LOGIN = "http://user:s3cret@10.0.0.1/feed"  # refused before anything is sent
PUBLIC = "http://10.0.0.1/feed"
WAIT = 20_000  # ms


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("feeds", "dramatiq"):
        caplog.set_level(logging.DEBUG, name)


def stored(url: str = LOGIN) -> Feed:
    return Feed.objects.create(url=url)


def drained() -> bool:
    return bool(tasks.import_feed.broker.drain(20))


def test_what_the_app_sends_names_the_feed_by_a_digest(caplog: pytest.LogCaptureFixture) -> None:
    feed = stored()
    tasks.send(feed.url)
    assert drained()
    feed.refresh_from_db()
    assert feed.checked_at is not None
    assert f"import_feed('md5:{feed.url_md5.hex}')" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_url_without_a_login_stands_in_the_message_as_it_is() -> None:
    assert tasks.reference("https://social.example/@user.rss") == "https://social.example/@user.rss"


def test_a_digest_has_the_lock_of_its_url() -> None:
    key = tasks.import_feed.options["lock_key"]
    by_url, by_digest = (lock_key("import_feed", key(text)) for text in (LOGIN, tasks.reference(LOGIN)))
    assert by_url == by_digest


def test_a_feed_deleted_meanwhile_is_not_brought_back_by_its_digest() -> None:
    feed = stored()
    feed.delete()
    tasks.send(LOGIN)
    assert drained()
    assert not Feed.objects.exists()


def test_a_feed_moved_meanwhile_is_found_by_the_digest_of_its_old_url() -> None:
    feed = stored()
    storage.change_url(feed.pk, LOGIN, "http://user:n3w@10.0.0.1/new", reason="", now=feed.created_at)
    tasks.send(LOGIN)
    assert drained()
    assert Feed.objects.get().checked_at is not None


@pytest.mark.parametrize(
    "url",
    [
        LOGIN,
        "feed://user:s3cret@10.0.0.1/feed",
        " HTTP://user:s3cret@10.0.0.1/@me",
        "http://user:pass word s3cret@10.0.0.1/feed",
        "http://user:'s3cret\"@10.0.0.1/feed",
        "http://user:s3cret/slash@10.0.0.1/feed",
        "http://user:s3cret?query@10.0.0.1/feed",
        "user:s3cret@10.0.0.1/feed",
    ],
)
def test_what_others_send_with_a_login_is_imported_and_printed_without(
    caplog: pytest.LogCaptureFixture, url: str
) -> None:
    tasks.import_feed.send(url)
    assert drained()
    feed = Feed.objects.get()
    assert feed.checked_at is not None
    assert "Received message import_feed(" in caplog.text
    assert "s3cret" not in caplog.text
    assert "s3cret" not in feed.error_text + feed.status_reason + feed.next_check_reason + str(feed)


def test_a_call_without_a_message_is_printed_without_the_login(caplog: pytest.LogCaptureFixture) -> None:
    tasks.import_feed(LOGIN)
    assert f"Received args=('{PUBLIC}',)" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_message_that_waits_for_a_busy_host_goes_back_without_the_login() -> None:
    sent: list[str] = []

    class Watch(dramatiq.Middleware):
        def before_enqueue(self, broker: dramatiq.Broker, message: dramatiq.Message, delay: int) -> None:
            sent.append(str(message))

    stored()
    Host.objects.update(delay=0.1, paused_until=timezone.now() + timedelta(seconds=1))
    broker, watch = tasks.import_feed.broker, Watch()
    broker.add_middleware(watch)
    try:
        tasks.import_feed.send(LOGIN)
        assert drained()
    finally:
        broker.middleware.remove(watch)
    assert sent[0] == f"import_feed({LOGIN!r})"
    assert set(sent[1:]) == {f"import_feed({tasks.reference(LOGIN)!r})"}


# Any actor with a lock


@pytest.fixture
def broker() -> Iterator[StubBroker]:
    middleware = [DbConnectionsMiddleware(), Retries(max_retries=0), LockMiddleware(), TimeLimit()]
    broker = StubBroker(middleware=middleware, fail_fast_default=False)
    broker.emit_after("process_boot")
    yield broker
    broker.close()


@pytest.mark.parametrize(
    "arguments", [{"account": LOGIN}, {"account": [LOGIN]}, {"account": {"url": LOGIN}}, {"account": (1, LOGIN)}]
)
def test_a_message_that_fails_is_printed_without_the_login(
    broker: StubBroker, caplog: pytest.LogCaptureFixture, arguments: dict[str, object]
) -> None:
    def fails(account: object) -> None:
        raise LookupError

    actor = dramatiq.actor(fails, broker=broker, lock_key=str, time_limit=60_000)
    worker = Worker(broker, worker_timeout=50, worker_threads=1)
    worker.start()
    actor.send(*arguments.values())
    actor.send(**arguments)
    broker.join("default", timeout=WAIT)
    worker.stop()
    assert caplog.text.count("with unhandled exception") == 2
    assert PUBLIC in caplog.text
    assert "s3cret" not in caplog.text
    assert caches["locks"].get(lock_key("fails", LOGIN)) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://example.org:8443/@me", "https://example.org:8443/@me"),
        ("https://a:b@example.org/@me", "https://example.org/@me"),
        ("https://a@b:c@example.org", "https://example.org"),
        ("a:b@example.org/x", "example.org/x"),
        ("https://a:b/c@example.org/x", "…@example.org/x"),
        ("https://[::1]/x", "https://[::1]/x"),
        ("a word", "a word"),
    ],
)
def test_the_login_is_taken_out_of_a_text(text: str, shown: str) -> None:
    assert without_login(text) == shown
