"""What an operator sees in the browser while workers run, while none does, and while a server is down."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from feeds.locking import Token, lock_key
from tests.acceptance.conftest import StartWorkers
from tests.acceptance.deployment import Deployment
from tests.acceptance.test_browser import CHROMIUM, log_in, look_at, page, wait_for
from tests.conftest import running
from tests.rigs.servers.counting import CountingServer
from tests.rigs.servers.daemon import eventually, free_port, new_folder
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.redis_server import RedisServer

__all__ = ["page"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")

USER = "from django.contrib.auth.models import User; User.objects.create_superuser('demo', password='secret')"


@pytest.fixture
def memcached(tmp_path: Path) -> Iterator[Memcached]:
    yield from running(Memcached(new_folder(tmp_path, "memcached"), "-M"))


@pytest.fixture
def extra_environment() -> dict[str, str]:
    """Settings that the status page has nothing to say about."""
    return {"FEEDS_CONTACT_URL": "https://example.org/", "FEEDS_HOST_DELAY": "1"}


@pytest.fixture
def site(deployment: Deployment) -> Iterator[str]:
    """The site of the deployment: its URL."""
    deployment.manage("shell", "-c", USER)
    port = free_port()
    process = deployment.spawn("runserver", "--noreload", str(port))
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()  # not SIGINT, which a shell lets its background jobs ignore
        process.communicate(timeout=90)


def test_the_status_page_tells_what_is_down_and_breaks_locks(
    site: str,
    deployment: Deployment,
    start_workers: StartWorkers,
    memcached: Memcached,
    redis_server: RedisServer,
    counting_server: CountingServer,
    page: Page,
    tmp_path: Path,
) -> None:
    def says(text: str) -> None:
        """Load the page until its first sentence says so, and look at it."""
        eventually(lambda: page.goto(f"{site}/feeds/?still") and text in page.inner_text("h1"), within=30, what=text)

    workers = start_workers(1, 2)
    deployment.manage("import_feeds", "--due")
    log_in(page, site, "secret")
    says("Healthy: 0 feeds on time")
    assert "threads" in page.inner_text("main")

    url = counting_server.url()
    deployment.send([url])
    deployment.wait_until_imported(1, within=20)
    left_behind = Token.make("a message", time.time(), 600)  # of a worker that was killed
    memcached.set(f":1:{lock_key('import_feed', url)}", str(left_behind).encode(), 600)
    page.reload()
    look_at(page, "held", tmp_path)
    page.get_by_role("button", name=f"Break the lock of {url}").click()
    assert "Broken: import_feed-lock-" in page.inner_text(".message")
    assert "None is held." in page.inner_text("main")

    memcached.stop()
    says("ConnectionRefusedError")
    look_at(page, "no-memcached", tmp_path)
    memcached.start()
    says("Healthy: 1 feed on time")

    workers.stop()
    says("no worker is running")
    assert "Start `manage.py rundramatiq`" in page.inner_text(".findings")
    look_at(page, "no-worker", tmp_path)

    redis_server.stop()
    says("ConnectionError")
    assert "The broker does not answer." in page.inner_text("main")
    look_at(page, "no-broker", tmp_path)
