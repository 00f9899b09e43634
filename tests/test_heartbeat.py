"""The heartbeat: a worker that lives is seen, one that ended is not, and what it did is counted by minutes."""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import dramatiq
import pytest
from django.utils import timezone
from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker

from feeds import heartbeat
from feeds.fetching import Failed
from feeds.heartbeat import Heartbeat
from feeds.models import Minute, Process
from feeds.outcomes import FailureKind
from tests.rigs.documents import URL, import_document, item, rss
from tests.rigs.importing import import_feed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker() -> Iterator[Worker]:
    """A worker of a broker of its own, started by the test."""
    worker = Worker(StubBroker(middleware=[Heartbeat()]), worker_threads=3)
    yield worker
    worker.stop()


def first_process() -> Process:
    """Return the process that gives a sign of life; pytest's time-out ends the wait."""
    while (process := Process.objects.first()) is None:
        time.sleep(0.01)
    return process


def test_a_worker_without_messages_is_seen_while_it_runs(worker: Worker) -> None:
    worker.start()
    process = first_process()
    assert process.threads == 3
    assert process.seen_at > timezone.now() - heartbeat.SILENT_AFTER
    worker.stop()
    assert not Process.objects.exists()


def test_what_it_imported_is_counted_when_it_ends(worker: Worker) -> None:
    worker.start()
    import_document(rss(item(1), item(2)))
    import_document(None)
    import_feed(URL, fetch=lambda *_: Failed(kind=FailureKind.DNS, text=""))
    worker.stop()
    counts = [sum(column) for column in zip(*Minute.objects.values_list("checks", "new"), strict=True)]
    assert counts == [3, 2]


def test_two_add_up_in_one_minute() -> None:
    now = timezone.now()
    for _ in range(2):
        heartbeat._add(Counter(checks=2, new=5), now)
    minute = Minute.objects.get()
    assert (minute.checks, minute.new) == (4, 10)


def test_what_is_old_is_forgotten() -> None:
    now = timezone.now()
    old = now - timedelta(days=heartbeat.KEPT_DAYS + 1)
    Process.objects.create(name="dead", began_at=old, seen_at=old)
    Minute.objects.create(at=old)
    heartbeat.note_schedule(old)
    heartbeat._forget(now)
    assert list(Process.objects.values_list("name", flat=True)) == [heartbeat.SCHEDULER]
    assert not Minute.objects.exists()


def test_the_broker_of_the_project_has_one() -> None:
    assert any(isinstance(each, Heartbeat) for each in dramatiq.get_broker().middleware)
