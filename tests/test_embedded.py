"""The broker for one process: its workers begin with the first message, and end when all is done."""

import threading
from collections.abc import Iterator

import dramatiq
import pytest
from dramatiq.worker import WorkerThread

from feeds.embedded.broker import EmbeddedBroker


class Runs:
    """An actor that waits to be let go, and the first time sends itself again with a delay."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self.count = 0
        self.begun, self.go = threading.Event(), threading.Event()
        self.actor = dramatiq.actor(self._run, broker=broker, actor_name="run")

    def _run(self) -> None:
        self.count += 1
        self.begun.set()
        self.go.wait(30)
        if self.count == 1:
            self.actor.send_with_options(delay=300)


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker(middleware=[])
    yield broker
    broker.stop()


@pytest.fixture
def runs(broker: EmbeddedBroker) -> Runs:
    return Runs(broker)


def workers(broker: EmbeddedBroker) -> list[WorkerThread]:
    return [thread for thread in threading.enumerate() if isinstance(thread, WorkerThread) and thread.broker is broker]


def test_what_is_sent_while_the_queue_is_worked_off_is_done_too_and_starts_no_more_workers(
    broker: EmbeddedBroker, runs: Runs
) -> None:
    runs.actor.send()
    assert runs.begun.wait(30)
    threading.Timer(0.3, runs.go.set).start()
    broker.stop()
    assert runs.count == 2
    assert workers(broker) == []


def test_a_message_after_the_end_starts_new_workers(broker: EmbeddedBroker, runs: Runs) -> None:
    runs.go.set()
    runs.actor.send()
    broker.stop()
    runs.actor.send()
    assert broker.drain(30)
    assert runs.count == 3
