"""Many feeds through nginx, PostgreSQL, memcached and each of the two brokers."""

from pathlib import Path

import pytest

from tests.acceptance.conftest import StartWorkers, on_both_brokers
from tests.acceptance.deployment import Deployment
from tests.rigs.servers.daemon import eventually
from tests.rigs.servers.nginx import Nginx
from tests.rigs.servers.samples import ENTRIES, sample_feed

FEEDS = 30


@pytest.fixture
def feed_list(nginx: Nginx, tmp_path: Path) -> Path:
    """Return a file that names the feeds that nginx serves, one URL a line."""
    names = [f"feed-{number:02}.xml" for number in range(FEEDS)]
    for number, name in enumerate(names):
        (nginx.root / name).write_bytes(sample_feed(name, kind="rss" if number % 2 else "atom"))
    path = tmp_path / "feeds.txt"
    path.write_text("".join(f"{nginx.url(name)}\n" for name in names))
    return path


@on_both_brokers
def test_all_feeds_are_imported_and_a_second_run_finds_them_unchanged(
    deployment: Deployment, start_workers: StartWorkers, nginx: Nginx, feed_list: Path
) -> None:
    start_workers(2, 4)

    first = deployment.manage("import_feeds", "--wait", str(feed_list))
    assert deployment.imported() == FEEDS, first
    assert deployment.entries() == FEEDS * ENTRIES
    eventually(lambda: len(nginx.requests()) == FEEDS, within=30, what="nginx has logged the first run")
    assert {request.status for request in nginx.requests()} == {200}

    nginx.forget_requests()
    second = deployment.manage("import_feeds", "--wait", str(feed_list))
    assert f"{FEEDS} unchanged" in second
    assert deployment.entries() == FEEDS * ENTRIES
    eventually(lambda: len(nginx.requests()) == FEEDS, within=30, what="nginx has logged the second run")
    assert {request.status for request in nginx.requests()} == {304}
    assert all(request.etag and request.modified for request in nginx.requests())
