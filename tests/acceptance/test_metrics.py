"""What two worker processes counted, as one port of theirs tells it, beside what stands in the database."""

import re
from collections import Counter
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.acceptance.conftest import StartWorkers
from tests.acceptance.deployment import Deployment
from tests.rigs.servers.counting import CountingServer
from tests.rigs.servers.daemon import eventually, free_port

FEEDS, MISSING = 24, 6
PORT = free_port()
SAMPLE = re.compile(r"^(\w+?)(?:\{(.*)\})? ([\d.e+]+)$", re.MULTILINE)


@pytest.fixture
def extra_environment(tmp_path: Path) -> dict[str, str]:
    own = {"dramatiq_prom_db": str(tmp_path / "metrics"), "dramatiq_prom_host": "127.0.0.1"}
    return {"METRICS": "true", "dramatiq_prom_port": str(PORT), **own}


def told() -> Counter[str]:
    """Return the sums of the samples, by name; of imports by outcome, too."""
    with urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    sums: Counter[str] = Counter()
    for name, labels, value in SAMPLE.findall(text):
        outcome = re.search('outcome="([a-z]+)"', labels)
        sums[name] += float(value)
        if outcome:
            sums[outcome[1]] += float(value)
    return sums


def test_they_add_up_to_what_was_imported(
    deployment: Deployment, start_workers: StartWorkers, counting_server: CountingServer, tmp_path: Path
) -> None:
    workers = start_workers(2, 4)
    counting_server.pace = 0.1  # so that no process does it all
    urls = [counting_server.url(str(number)) for number in range(FEEDS)]
    missing = [f"http://127.0.0.1:{free_port()}/{number}" for number in range(MISSING)]
    deployment.send([*urls, *missing])
    deployment.wait_until_imported(FEEDS, within=30)
    deployment.wait_until_queued(0, 0, 0, within=30)
    deployment.send(urls[:10])
    deployment.wait_until_queued(0, 0, 0, within=30)

    messages = FEEDS + MISSING + 10
    eventually(lambda: told()["feeds_imports_total"] == messages, within=10, what="all imports are told")
    sums = told()
    assert (sums["imported"], sums["unchanged"], sums["failed"]) == (FEEDS, 10, MISSING)
    assert sums["feeds_entries_new_total"] == deployment.entries() > 0
    assert sums["feeds_lock_held_seconds_count"] == sums["dramatiq_messages_total"] == messages
    assert sums["feeds_queue_wait_seconds_count"] == messages
    assert len(list((tmp_path / "metrics").glob("counter_*.db"))) == 2

    workers.stop()  # what each counted since its last sign of life is written then
    ((checks, new),) = deployment.rows("SELECT sum(checks), sum(new) FROM feeds_minute")
    assert (checks, new) == (messages, deployment.entries())
