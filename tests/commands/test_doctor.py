"""doctor: what it names, and that it says what to do."""

import io
import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from dramatiq.brokers.redis import RedisBroker

from feeds import heartbeat
from feeds.models import Process
from tests.rigs.brokers import global_broker, middleware_of
from tests.rigs.servers.daemon import free_port
from tests.rigs.servers.memcached import Memcached, locks_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def alive(settings: Any) -> None:
    """A worker and a schedule, as they are in the database."""
    settings.FEEDS_CONTACT_URL = "https://example.org/"
    now = timezone.now()
    Process.objects.create(name="a:1", threads=8, began_at=now, seen_at=now)
    heartbeat.note_schedule(now)


def redis(address: str) -> RedisBroker:
    """Return a broker with the middleware of this process's own."""
    return RedisBroker(url=f"redis://{address}", middleware=middleware_of(dramatiq.get_broker()))


def wrong() -> dict[str, str]:
    """Return the parts that doctor finds something wrong with, and what it prints of them."""
    out = io.StringIO()
    with suppress(CommandError):
        call_command("doctor", format="json", stdout=out)
    return {each["part"]: str(each["problems"]) for each in json.loads(out.getvalue()) if each["problems"]}


@pytest.mark.usefixtures("alive")
def test_a_deployment_that_is_well_has_a_line_for_each_part_and_exits_with_0() -> None:
    out = io.StringIO()
    call_command("doctor", stdout=out)
    lines = out.getvalue().splitlines()
    assert all(line.startswith("OK     ") for line in lines), lines
    assert {"database", "lock store", "broker", "workers", "schedule", "clock"} <= {line[7:] for line in lines}


def test_without_worker_and_schedule_it_says_how_to_start_them() -> None:
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"2 parts of \d+ not well"):
        call_command("doctor", stdout=out)
    assert "WRONG  workers: no worker is running" in out.getvalue()
    assert "WRONG  schedule: the feeds that are due are not sent (never)" in out.getvalue()
    assert "→ Start `manage.py crontab`" in out.getvalue()


@pytest.mark.usefixtures("alive")
def test_a_worker_and_a_schedule_that_fell_silent_are_named() -> None:
    Process.objects.update(seen_at=timezone.now() - timedelta(minutes=10))
    assert wrong().keys() == {"workers", "schedule"}


def test_an_embedded_schedule_needs_no_worker_besides_itself(settings: Any) -> None:
    heartbeat.note_schedule(timezone.now())
    assert wrong() == {}


@pytest.mark.usefixtures("alive")
def test_workers_that_cannot_be_seen_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = dramatiq.get_broker()
    others = [each for each in broker.middleware if not isinstance(each, heartbeat.Heartbeat)]
    monkeypatch.setattr(broker, "middleware", others)
    assert "feeds.heartbeat.Heartbeat" in wrong()["workers"]


@pytest.mark.usefixtures("alive")
def test_an_unmigrated_database_is_named_and_its_tables_are_not_asked() -> None:
    last = MigrationRecorder(connection).migration_qs.filter(app="feeds").latest("id")
    last.delete()
    found = wrong()
    assert found.keys() == {"migrations"}
    assert "manage.py migrate" in found["migrations"]


@pytest.mark.usefixtures("alive")
def test_a_broker_that_is_down_is_named() -> None:
    with global_broker(redis(f"user:secret@127.0.0.1:{free_port()}")):
        found = wrong()
    assert "ConnectionError" in found["broker"]
    assert "secret" not in found["broker"]


@pytest.mark.usefixtures("alive")
@pytest.mark.parametrize(
    ("options", "words"),
    [([], "drops locks"), (["-M", "-C"], "without CAS"), (["-M"], ""), (None, "the server up")],
)
def test_a_memcached_that_does_not_hold_locks_is_named(
    settings: Any, tmp_path: Path, options: list[str] | None, words: str
) -> None:
    with Memcached(tmp_path, *(options or ())) as memcached:
        settings.CACHES = settings.CACHES | locks_in(memcached.location)
        if options is None:
            memcached.stop()
        assert words.lower() in wrong().get("lock store", "").lower()


@pytest.mark.usefixtures("alive")
def test_a_setting_out_of_range_is_named(settings: Any) -> None:
    settings.FEEDS_HOST_DELAY = -1.0
    assert "FEEDS_HOST_DELAY must not be less than 0" in wrong()["settings"]


def test_a_database_that_is_set_up_badly_is_named_and_asked_all_the_same(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.sqlite3")
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", {})
    found = wrong()
    assert "transaction_mode IMMEDIATE" in found["settings"]
    assert found.keys() == {"settings", "workers", "schedule"}


@pytest.mark.usefixtures("alive")
def test_a_missing_contact_is_named(settings: Any) -> None:
    settings.FEEDS_CONTACT_URL = ""
    with global_broker(redis("127.0.0.1:1")):
        found = wrong()
    assert "FEEDS_CONTACT_URL" in found["publishers"]
