"""What attacks cost a real worker of 8 threads that are all attacked at once: seconds and memory.

    uv run python -m tests.rigs.benchmarks.attacks [--feeds 8] [--slow 8] [ATTACK …]

The server is a process of its own. Printed for each attack: the most memory that the worker held meanwhile (VmHWM) and
the most that one of its parsing children did, the longest import, the longest fetch that was recorded, and how all
imports ended. A feed that found no permit comes back half a minute later.
"""

import argparse
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.acceptance.deployment import Deployment
from tests.rigs.servers import processes
from tests.rigs.servers.daemon import new_folder
from tests.rigs.servers.hostile import ATTACKS, HostileServer
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.postgresql import PostgreSQL
from tests.rigs.servers.redis_server import RedisServer
from tests.rigs.servers.workers import Workers

THREADS = 8
IMPORT = re.compile(r"feed=\S+/(\S+)/\d+ outcome=(\w+) .* seconds=([\d.]+) error=(?:-|(\w+): )")


def imports(workers: Workers, attack: str) -> list[tuple[str, float]]:
    """Return how each import of an attack ended, and after how many seconds."""
    found = IMPORT.findall(workers.output())
    return [(kind or outcome, float(seconds)) for name, outcome, seconds, kind in found if name == attack]


def wait_until_idle(deployment: Deployment, look: Callable[[], None] = lambda: None) -> None:
    """Wait until no message is left, and look ten times a second meanwhile."""
    until = time.monotonic() + 300
    while any(deployment.queued()[:2]):
        assert time.monotonic() < until, "the worker is held"
        look()
        time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("attacks", nargs="*", default=[*ATTACKS])
    parser.add_argument("--feeds", type=int, default=THREADS, help="attacked at once")
    parser.add_argument("--slow", default=str(THREADS), help="FEEDS_SLOW_FETCHES")
    parser.add_argument("--deadline", default="5", help="FEEDS_FETCH_DEADLINE")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="feeds-", dir="/tmp")))
        folder.chmod(0o755)

        postgresql = stack.enter_context(PostgreSQL(new_folder(folder, "postgresql")))
        deployment = Deployment(
            database_url=postgresql.url(postgresql.create_database()),
            broker_url=stack.enter_context(RedisServer(new_folder(folder, "redis"))).url,
            memcached_url=stack.enter_context(Memcached(new_folder(folder, "memcached"))).location,
            extra_environment={
                "FEEDS_FETCH_DEADLINE": options.deadline,
                "FEEDS_SLOW_FETCHES": options.slow,
                "FEEDS_PARSE_LIMIT": "4",
                "FEEDS_LOG_LEVEL": "INFO",
            },
        )
        deployment.manage("migrate", "--verbosity", "0")
        server = stack.enter_context(HostileServer(new_folder(folder, "hostile")))
        workers = stack.enter_context(
            Workers(new_folder(folder, "workers"), deployment.environment, processes=1, threads=THREADS)
        )
        (pid,) = workers.pids()
        print(f"{'':20} {processes.memory(pid) / 1e6:4.0f} MB")
        for attack in options.attacks:
            processes.forget_peak(pid)
            of_children: list[int] = []
            deployment.send(server.urls(attack, options.feeds))
            wait_until_idle(
                deployment, lambda seen=of_children: seen.extend(map(processes.memory, processes.children(pid)))
            )
            ended = imports(workers, attack)
            fetches = deployment.rows(f"SELECT max(fetch_seconds) FROM feeds_feed WHERE url LIKE '%/{attack}/%'")
            print(
                f"{attack:20} {processes.memory(pid) / 1e6:4.0f} MB {max(of_children, default=0) / 1e6:4.0f} MB"
                f" {max(seconds for _, seconds in ended):5.1f} s {fetches[0][0] or 0.0:5.1f} s ",
                ", ".join(f"{number} {kind}" for kind, number in Counter(kind for kind, _ in ended).items()),
                flush=True,
            )


if __name__ == "__main__":
    main()
