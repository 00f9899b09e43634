"""The memory of a real worker, attacked in all its threads at once; `tests.rigs.benchmarks.attacks` knows more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import StartWorkers
from tests.acceptance.deployment import Deployment
from tests.conftest import running
from tests.rigs.benchmarks.attacks import THREADS, imports
from tests.rigs.servers import processes
from tests.rigs.servers.daemon import eventually
from tests.rigs.servers.hostile import ATTACKS, HostileServer

MOST = 256 * 1024 * 1024  # bytes
COSTLY = ("gzip-bomb", "zstd-bomb", "page", "entries", "small-entries-1-mib", "almost-all")


@pytest.fixture
def extra_environment() -> dict[str, str]:
    return {
        "FEEDS_FETCH_DEADLINE": "2",
        "FEEDS_SLOW_FETCHES": str(THREADS),
        "FEEDS_PARSE_LIMIT": "4",  # eight documents wait for two children
        "FEEDS_LOG_LEVEL": "INFO",
    }


@pytest.fixture
def hostile_server(tmp_path: Path) -> Iterator[HostileServer]:
    folder = tmp_path / "hostile"
    folder.mkdir()
    yield from running(HostileServer(folder))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of another process is read from /proc")
def test_a_worker_under_attack_stays_below_256_mb(
    deployment: Deployment, start_workers: StartWorkers, hostile_server: HostileServer
) -> None:
    def peak_under(attack: str) -> int:
        deployment.send(hostile_server.urls(attack, THREADS))
        eventually(lambda: len(imports(workers, attack)) >= THREADS, within=60, what=f"{attack} is over")
        return processes.memory(pid)

    workers = start_workers(1, THREADS)
    (pid,) = workers.pids()
    peaks = {attack: peak_under(attack) for attack in COSTLY if attack in ATTACKS}
    assert max(peaks.values()) < MOST, peaks
