"""What a newcomer does with `manage.py demo --serve`, in Debian's chromium."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from tests.rigs.servers.daemon import free_port
from tests.rigs.servers.feed_server import FeedServer, answer

PROJECT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
# What Django's own admin does, and we do not change: its navigation, tables' empty headings and colours.
OF_DJANGO = {"empty-table-header", "color-contrast", "label-title-only", "link-in-text-block"}
HOSTILE = (
    b'<rss version="2.0"><channel><title>A hostile feed</title><item><guid>1</guid><title>Harm</title><description>'
    b"&lt;p&gt;Read me&lt;/p&gt;&lt;script&gt;parent.document.title='harmed'&lt;/script&gt;"
    b"&lt;img src=x onerror=\"parent.document.title='harmed'\"&gt;</description></item></channel></rss>"
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The demo, running: its URL, and the password of its user."""
    for name in ("feeds", "feeds_project"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "manage.py", tmp_path)
    port = free_port()
    command = [sys.executable, "manage.py", "demo", "--serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout
    try:
        password = next(found[1] for line in process.stdout if (found := re.search(r"password (\S+)\.", line)))
        wait_for(port)
        yield f"http://127.0.0.1:{port}", password
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate()


def wait_for(port: int) -> None:
    """Wait until somebody listens; pytest's time-out ends it."""
    while True:
        with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        time.sleep(0.1)


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page(viewport={"width": 1200, "height": 900})
        browser.close()


def serious(page: Page) -> list[str]:
    """Return what axe finds serious on a page."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical") and each["id"] not in OF_DJANGO
    ]


def open_admin(page: Page, link: str) -> None:
    page.get_by_role("link", name=link, exact=True).first.click()


def test_a_newcomer_looks_uploads_imports_pauses_and_reads(demo: tuple[str, str], page: Page, tmp_path: Path) -> None:
    url, password = demo
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.goto(url)
    page.fill("#id_username", "demo")
    page.fill("#id_password", password)
    page.get_by_role("button", name="Log in").click()

    page.wait_for_selector("h1")
    assert "feeds on time" in page.inner_text("h1")
    assert serious(page) == []
    page.screenshot(path=tmp_path / "status.png")

    with FeedServer() as server:
        server.routes = {"/hostile": answer(body=HOSTILE)}
        outlines = f'<outline xmlUrl="{server.url("/hostile")}"/><outline text="broken" xmlUrl="nowhere"/>'
        (tmp_path / "list.opml").write_text(f"<opml><body>{outlines}</body></opml>")
        open_admin(page, "Feeds")
        assert serious(page) == []
        page.get_by_role("link", name="Upload OPML").click()
        page.set_input_files("#id_file", tmp_path / "list.opml")
        page.get_by_role("button", name="Show what it would add").click()
        assert "1 new, 0 known, 0 named twice, 1 broken" in page.inner_text("#content")
        assert serious(page) == []
        page.get_by_role("button", name="Add 1 feed").click()
        assert "1 feed added" in page.inner_text(".messagelist")
        page.goto(f"{url}/admin/feeds/feed/?q=hostile")
        page.locator("#result_list .field-name a").click()
        page.get_by_role("button", name="Import now").click()
        assert re.search("Imported: 1 new|Nothing is new", page.inner_text(".messagelist"))
    assert "✓ well" in page.inner_text(".feeds-state")
    assert serious(page) == []

    page.get_by_role("link", name="look at them").click()
    page.get_by_role("link", name="Harm").click()
    assert page.frame_locator("iframe").first.locator("p").inner_text() == "Read me"
    assert "harmed" not in page.title()
    assert serious(page) == []

    page.goto(f"{url}/admin/feeds/feed/?q=hostile")
    for action, state in (("pause", "paused by demo"), ("resume", "well")):
        page.check("input.action-select")
        page.select_option("select[name=action]", action)
        page.get_by_role("button", name="Go").click()
        assert state in page.inner_text("#result_list")
    assert {each.split("/")[2] for each in loaded if each.startswith("http")} == {url.removeprefix("http://")}
