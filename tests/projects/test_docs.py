"""What the README and the docs tell people to do, done."""

import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest
from django.core.management import get_commands, load_command_class

from tests.rigs.foreign_project import ROOT, ForeignProject
from tests.rigs.servers.feed_server import FeedServer, answer
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.redis_server import RedisServer

PAGES = (ROOT / "README.md", *sorted((ROOT / "feeds" / "docs").glob("*.md")))
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ENDLESS = ("crontab", "demo", "rundramatiq")  # commands
EXAMPLE = re.compile(r"https://example\.org/feed(\.xml)?")
DOCUMENT = b'<rss version="2.0"><channel><title>t</title><item><guid>1</guid><title>One</title></item></channel></rss>'


class Block(NamedTuple):
    page: Path
    language: str
    text: str

    @property
    def is_settings(self) -> bool:
        return bool(re.match(r"[A-Z_]+ = ", self.text))

    def commands(self) -> Iterator[list[str]]:
        """Yield the commands of a shell's block, as words."""
        for line in self.text.splitlines():
            for command in re.split(r" && | \| ", re.sub(r"(^|\s)#.*", "", line)):
                if words := shlex.split(command):
                    yield words[2:] if words[:2] == ["uv", "run"] else words


BLOCKS = [Block(page, *found) for page in PAGES for found in FENCED.findall(page.read_text())]
SHELL = [block for block in BLOCKS if block.language == "sh"]
CODE = [block for block in BLOCKS if block.language == "python" and not block.is_settings]
SETTINGS = [block for block in BLOCKS if block.language == "python" and block.is_settings]


def managed(words: list[str]) -> list[str]:
    """Return a command of manage.py and its arguments; nothing where the words are no such command."""
    at = words.index("manage.py") if "manage.py" in words[:2] else None
    return [] if at is None else words[at + 1 :]


def plain(arguments: list[str]) -> list[str]:
    """Return what stands before a redirection."""
    return arguments[: arguments.index(">")] if ">" in arguments else arguments


def test_every_block_is_run_by_one_of_these_tests() -> None:
    assert {block.language for block in BLOCKS} == {"sh", "python", ""}  # "": what is printed
    assert [page.name for page in PAGES if re.search(r"\n\n    \S", FENCED.sub("", page.read_text()))] == []


def problem(words: list[str]) -> str:
    """Say why a command of the docs cannot be run."""
    if arguments := plain(managed(words)):
        name = arguments[0]
        load_command_class(get_commands()[name], name).create_parser("manage.py", name).parse_args(arguments[1:])
        return ""
    match words:
        case ["export", *names]:
            source = (ROOT / "feeds_project" / "settings.py").read_text() + (
                ROOT / "feeds/docs/settings.md"
            ).read_text()
            return "".join(name for name in names if f"`{name.partition('=')[0]}`" not in source)
        case ["python", "-m", module, *_]:
            return "" if find_spec(module) else module
        case ["pytest", *paths] | ["sh" | "bash", *paths]:
            return "".join(path for path in paths if "/" in path and not (ROOT / path).exists())
        case ["pip", "install", "uv"]:
            return ""
        case ["--extra", "web", "gunicorn", module]:
            return "" if find_spec(module) else module
    return "unknown"


@pytest.mark.parametrize("block", SHELL, ids=lambda block: f"{block.page.name}: {block.text.splitlines()[0]}")
def test_each_command_of_the_docs_can_be_given(block: Block) -> None:
    assert {shlex.join(words): why for words in block.commands() if (why := problem(words))} == {}


OURS = """
from feeds_project.settings import *
DATABASES["default"]["NAME"] = str(Path(__file__).with_name("ours.sqlite3"))
FEEDS_ALLOWED_NETWORKS, FEEDS_HOST_DELAY = ["127.0.0.0/8"], 0.0
"""
COMMANDS = """
import contextlib, io
from feeds.models import Entry
for name, *arguments in {commands}:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        call_command(name, *arguments)
    if name == "export_opml":
        print(out.getvalue().count("<outline"), "feeds exported")
print(Entry.objects.count(), "entries")
"""


@pytest.mark.slow
def test_the_commands_of_the_docs_do_their_work(tmp_path: Path) -> None:
    given = [plain(managed(words)) for block in SHELL for words in block.commands() if managed(words)]
    commands = [arguments for arguments in given if arguments[0] not in ENDLESS]
    with FeedServer() as server:
        server.routes = {path: answer(body=DOCUMENT) for path in ("/feed", "/two", "/three")}
        files = {
            "urls.txt": server.url("/two"),
            "subscriptions.opml": f'<opml><body><outline xmlUrl="{server.url("/three")}"/></body></opml>',
        }
        local = [[EXAMPLE.sub(server.url(), word) for word in arguments] for arguments in commands]
        printed = ForeignProject(tmp_path, OURS, files, only=True).run(COMMANDS.format(commands=local))
    assert "3 feeds exported\n3 entries\n" in printed
    assert {"migrate", "import_feeds", "export_opml", "prune_entries", "probe_feed"} <= {name for name, *_ in commands}


WORK = """
import os, signal, threading
from datetime import timedelta
from apscheduler.events import EVENT_SCHEDULER_STARTED
from django.utils import timezone
from dramatiq import Worker, get_broker
from dramatiq_crontab import scheduler
from feeds.models import Feed

call_command("check")
call_command("migrate", verbosity=0)
worker = Worker(get_broker(), worker_threads=2, worker_timeout=50)
worker.start()

for block in {blocks}:
    exec(block, {{}})

polled = Feed.objects.create(url="{due}")

def is_polled(tries=200):
    for _ in range(tries):
        if Feed.objects.filter(pk=polled.pk, checked_at__isnull=False).exists():
            return True
        threading.Event().wait(0.1)

assert not is_polled(tries=2), "nobody has asked for it"

def fire(event):
    for job in scheduler.get_jobs():
        job.modify(next_run_time=timezone.now())
    threading.Thread(target=end).start()

def end():
    is_polled()
    os.kill(os.getpid(), signal.SIGTERM)

scheduler.add_listener(fire, EVENT_SCHEDULER_STARTED)
call_command("crontab")
worker.stop()
print({{feed.url: feed.entries.count() for feed in Feed.objects.all()}})
"""


@pytest.mark.slow
def test_a_project_made_of_the_readme_imports_and_polls(
    tmp_path: Path, redis_server: RedisServer, memcached: Memcached
) -> None:
    (readme,) = (block.text for block in SETTINGS if block.page.name == "README.md")
    settings = (
        readme.replace("[...,", '["django.contrib.contenttypes", "django.contrib.auth",')
        .replace("{...}", 'CACHES["default"]')
        .replace("localhost:6379", f"localhost:{redis_server.port}")
        .replace("localhost:11211", f"localhost:{memcached.port}")
    )
    assert settings.count("localhost:") == 2
    with FeedServer() as server:
        server.routes = {path: answer(body=DOCUMENT) for path in ("/feed", "/due")}
        blocks = [EXAMPLE.sub(server.url(), block.text) for block in CODE]
        code = WORK.format(blocks=blocks, due=server.url("/due"))
        printed = ForeignProject(tmp_path, settings).run(code)
    assert str({server.url(): 1, server.url("/due"): 1}) in printed
    assert "feeds.E" not in printed
    assert "feeds.W020" not in printed


def test_a_project_in_which_nothing_would_poll_is_told_so(tmp_path: Path) -> None:
    project = ForeignProject(tmp_path, 'INSTALLED_APPS.remove("dramatiq_crontab")')
    assert "nothing sends the feeds that are due" in project.manage("check")


@pytest.mark.parametrize("block", SETTINGS, ids=lambda block: block.page.name)
def test_the_settings_of_the_docs_are_settings(block: Block) -> None:
    names: dict[str, object] = {}
    exec(block.text, names)
    assert {name for name in names if name.isupper()} <= {"CACHES", "DATABASES", "DRAMATIQ_BROKER", "INSTALLED_APPS"}
