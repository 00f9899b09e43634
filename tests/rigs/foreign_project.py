"""A Django project of somebody else's, in a folder: settings and files in, what its commands and its code print out.

Each run is a process of its own, and costs about a second: a test does in one what can be done in one.
"""

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
ROOT = Path(__file__).parents[2]  # where `feeds` is

# As small as a host can be: a queue that nobody works on, locks in the database. Text given to a project comes behind.
SETTINGS = """
from pathlib import Path

SECRET_KEY = "a host's"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "feeds", "django_dramatiq", "dramatiq_crontab"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(__file__).with_name("default.sqlite3"),
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 5, "init_command": "PRAGMA journal_mode = WAL"},
    }
}
DRAMATIQ_BROKER = {
    "BROKER": "dramatiq.brokers.stub.StubBroker",
    "OPTIONS": {},
    "MIDDLEWARE": [
        "dramatiq.middleware.AgeLimit",
        "django_dramatiq.middleware.DbConnectionsMiddleware",
        "dramatiq.middleware.Callbacks",
        "dramatiq.middleware.Pipelines",
        "dramatiq.middleware.CurrentMessage",
        "dramatiq.middleware.Retries",
        "feeds.locking.LockMiddleware",
        "dramatiq.middleware.ShutdownNotifications",
        "dramatiq.middleware.TimeLimit",
    ],
}
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "locks": {"BACKEND": "feeds.embedded.DatabaseLocks"},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
FEEDS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
FEEDS_HOST_DELAY = 0.0
"""
SETUP = """
import django
django.setup()
from django.core.management import call_command
"""


class ForeignProject:
    """A project in `folder`, with the settings above and behind them those of its own.

    `files` are texts by their paths in the folder, such as `shop/models.py`; packages get their `__init__.py` by
    themselves. `only` leaves the settings above out.
    """

    def __init__(
        self, folder: Path, settings: str = "", files: Mapping[str, str] | None = None, *, only: bool = False
    ) -> None:
        self.folder = folder
        self.write("host_settings.py", ("" if only else SETTINGS) + textwrap.dedent(settings))
        for path, text in (files or {}).items():
            self.write(path, text)

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        for package in file.relative_to(self.folder).parents[:-1]:
            (self.folder / package / "__init__.py").touch()
        file.write_text(textwrap.dedent(text))

    def run(self, code: str, *, status: int = 0) -> str:
        """Run Python code, with Django set up and `call_command` at hand; return what it printed, errors at the end."""
        return self._process("-c", SETUP + textwrap.dedent(code), status=status)

    def manage(self, *arguments: str, status: int = 0) -> str:
        """Run a command of Django's and return what it printed, errors at the end."""
        return self._process("-m", "django", *arguments, status=status)

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        path = os.pathsep.join([str(self.folder), str(ROOT)])
        return inherited | {"DJANGO_SETTINGS_MODULE": "host_settings", "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}

    def _process(self, *arguments: str, status: int) -> str:
        result = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        output = result.stdout + result.stderr
        assert result.returncode == status, f"ended with {result.returncode}:\n{output}"
        return output
