"""Dramatiq's middleware in a host's list, wherever it stands there."""

from pathlib import Path

from tests.rigs.foreign_project import ForeignProject

# One process for all places: Prometheus keeps its numbers in one folder.
COUNT = """
import dramatiq, logging, threading
from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware.prometheus import Prometheus

call_command("migrate", verbosity=0)
logging.disable(logging.WARNING)
for place in range(10):
    middleware = [type(one)() for one in dramatiq.get_broker().middleware]
    middleware.insert(place, prometheus := Prometheus())
    broker = StubBroker(middleware=middleware)
    begun, others_are_done = threading.Event(), threading.Event()

    @dramatiq.actor(broker=broker, lock_key=str, lock_expire=60, time_limit=10_000)
    def work(key):
        begun.set()
        others_are_done.wait()

    broker.emit_after("process_boot")
    worker = Worker(broker, worker_threads=2, worker_timeout=50)
    worker.start()
    work.send("a")
    begun.wait()
    before = sum(sample.value for metric in prometheus.inprogress_messages.collect() for sample in metric.samples)
    work.send("a")  # skipped
    while broker.queues["default"].unfinished_tasks > 1:
        threading.Event().wait(0.01)
    others_are_done.set()
    broker.join("default")
    worker.stop()
    after = sum(sample.value for metric in prometheus.inprogress_messages.collect() for sample in metric.samples)
    print(int(before), int(after), end="; ")
"""


def test_prometheus_counts_skipped_messages_right_in_any_place(tmp_path: Path) -> None:
    project = ForeignProject(tmp_path)
    output = project.run("import os; os.environ['dramatiq_prom_db'] = 'prometheus'\n" + COUNT)
    assert output == "1 0; " * 10
