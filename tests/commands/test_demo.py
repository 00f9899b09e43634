"""`manage.py demo` as the README's first command: a process of its own, whatever the environment says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from feeds_project.management.commands.demo import demo_environment

PROJECT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the project in a folder whose name has a space, so that no demo.sqlite3 is touched."""
    folder = tmp_path / "my feeds"
    folder.mkdir()
    for name in ("feeds", "feeds_project"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "manage.py", folder)
    return folder


def demo(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "demo"],
        cwd=checkout,
        env={"PATH": os.environ["PATH"], "PYTHONWARNINGS": "default", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def cells(output: str, label: str) -> list[str]:
    """Return the cells behind a row's label."""
    (line,) = [line for line in output.splitlines() if line.startswith(label)]
    return re.split(r"  +", line)[1:]


def test_the_demo_shows_what_was_counted(checkout: Path) -> None:
    shown = demo(checkout)
    assert shown.returncode == 0, shown.stderr
    assert shown.stderr == ""
    assert cells(shown.stdout, "messages sent") == ["18", "6"]
    assert cells(shown.stdout, "took the lock and ran")[1] == "6"
    ran, skipped = (
        int(cells(shown.stdout, label)[0]) for label in ("took the lock and ran", "skipped: another worker")
    )
    assert ran + skipped == 18
    server = shown.stdout.split("What the server saw")[1].split("What is in")[0]
    for name in ("/news.rss", "/library.rdf", "/journal.atom", "/tides.json"):
        assert cells(server, name) == ["2", "1", "1", "1"], "requests, conditional, answered 304, most at once"
    assert "404" in shown.stdout
    assert "manage.py import_feeds" in shown.stdout
    assert (checkout / "demo.sqlite3").exists()


def test_the_demo_runs_embedded_whatever_the_environment_says(checkout: Path) -> None:
    shown = demo(
        checkout,
        DATABASE_URL="postgres://nobody@127.0.0.1:1/none",
        BROKER_URL="redis://127.0.0.1:1",
        MEMCACHED_URL="127.0.0.1:1",
        SECRET_KEY="x",
        FEEDS_LOCK_EXPIRE="600",
    )
    assert shown.returncode == 0, shown.stderr
    assert cells(shown.stdout, "messages sent") == ["18", "6"]


def test_an_older_demo_database_is_replaced(checkout: Path) -> None:
    (checkout / "demo.sqlite3").write_bytes(b"not a database")
    assert demo(checkout).returncode == 0


def test_settings_of_the_demo_leave_nothing_of_ours_behind() -> None:
    environment = demo_environment({"PATH": "/bin", "BROKER_URL": "x", "MEMCACHED_URL": "x", "FEEDS_TIME_LIMIT": "1"})
    assert set(environment) == {
        "PATH",
        "DATABASE_URL",
        "FEEDS_ALLOWED_NETWORKS",
        "FEEDS_HOST_DELAY",
        "FEEDS_LOG_LEVEL",
        "FEEDS_DEMO",
    }


def test_the_demo_is_not_run_inside_another_process() -> None:
    with pytest.raises(CommandError, match="from the command line"):
        call_command("demo")


def test_settings_that_do_not_follow_database_url_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDS_DEMO", "1")
    with pytest.raises(CommandError, match="DATABASE_URL"):
        call_command("demo")
