"""What a newcomer does with `manage.py demo --serve`, in Debian's chromium."""

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from tests.rigs.servers.daemon import free_port
from tests.rigs.servers.feed_server import FeedServer, answer

PROJECT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
# What Django's own admin writes, by axe's rule and how the element's selector begins.
OF_DJANGO = {
    "label": ("#id_paused_until_",),
    "label-title-only": ("#searchbar",),
    "link-in-text-block": (".breadcrumbs", '.small > a[href="?"]', 'a[href="?"]'),
}
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
        process.terminate()  # not SIGINT, which a shell lets its background jobs ignore
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
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(120_000)
        yield page
        browser.close()


def look_at(page: Page, name: str, folder: Path) -> None:
    """Look at a page light and dark, wide and narrow: axe finds nothing serious, and nothing sticks out."""
    for scheme, width in product(("light", "dark"), (1200, 390)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=folder / f"{name}-{scheme}-{width}.png", full_page=True)
        assert serious(page) == [], (name, scheme, width)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, scheme, width)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1200, "height": 900})


def serious(page: Page) -> list[str]:
    """Return what axe finds serious on a page."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
        if not node["target"][0].startswith(OF_DJANGO.get(each["id"], ()))
    ]


def log_in(page: Page, url: str, password: str) -> None:
    page.goto(url)
    page.fill("#id_username", "demo")
    page.fill("#id_password", password)
    page.get_by_role("button", name="Log in").click()


def open_admin(page: Page, link: str) -> None:
    page.get_by_role("link", name=link, exact=True).first.click()


def test_a_newcomer_looks_uploads_imports_pauses_and_reads(demo: tuple[str, str], page: Page, tmp_path: Path) -> None:
    url, password = demo
    asked: list[str] = []
    blocked: list[str] = []  # by the policy of a frame: the scanner that looks ahead of the parser asks, and is refused
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: blocked.append(request.url) if request.failure == "csp" else None)
    log_in(page, url, password)
    page.wait_for_selector("h1")
    assert "feeds on time" in page.inner_text("h1")
    look_at(page, "status", tmp_path)

    with FeedServer() as server:
        server.routes = {"/hostile": answer(body=HOSTILE)}
        outlines = f'<outline xmlUrl="{server.url("/hostile")}"/><outline text="broken" xmlUrl="nowhere"/>'
        (tmp_path / "list.opml").write_text(f"<opml><body>{outlines}</body></opml>")
        open_admin(page, "Feeds")
        look_at(page, "feeds", tmp_path)
        page.get_by_role("link", name="Upload OPML").click()
        page.set_input_files("#id_file", tmp_path / "list.opml")
        page.get_by_role("button", name="Show what it would add").click()
        assert "1 new, 0 known, 0 named twice, 1 broken" in page.inner_text("#content")
        look_at(page, "upload", tmp_path)
        page.get_by_role("button", name="Add 1 feed").click()
        assert "1 feed added" in page.inner_text(".messagelist")
        page.goto(f"{url}/admin/feeds/feed/?q=hostile")
        page.locator("#result_list .field-name a").click()
        page.get_by_role("button", name="Import now").click()
        assert re.search("Imported: 1 new|Nothing is new", page.inner_text(".messagelist"))
    assert "✓ well" in page.inner_text(".feeds-state")
    look_at(page, "feed", tmp_path)

    page.get_by_role("link", name="1 entry").click()
    page.get_by_role("link", name="Harm").click()
    assert page.frame_locator("iframe").first.locator("p").inner_text() == "Read me"
    assert "harmed" not in page.title()
    look_at(page, "entry", tmp_path)

    page.goto(f"{url}/admin/feeds/host/")
    look_at(page, "hosts", tmp_path)
    page.locator("#result_list .field-name a").click()
    look_at(page, "host", tmp_path)

    page.goto(f"{url}/admin/feeds/feed/?q=hostile")
    for action, state in (("pause", "paused by demo"), ("resume", "well")):
        page.check("input.action-select")
        page.select_option("select[name=action]", action)
        page.get_by_role("button", name="Go").click()
        assert state in page.inner_text("#result_list")
    assert not [
        each for each in asked if each.startswith("http") and not each.startswith(f"{url}/") and each not in blocked
    ]
