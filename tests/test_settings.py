"""The project's settings, as processes of their own read them from the environment."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import running
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.postgresql import PostgreSQL
from tests.rigs.servers.redis_server import RedisServer

PROJECT = Path(__file__).parents[1]

# As the docs have them.
PRODUCTION = {
    "DATABASE_URL": "postgres://feeds:secret@localhost/feeds",
    "BROKER_URL": "redis://localhost:6379/0",
    "SECRET_KEY": "a-key-of-the-tests-that-is-long-enough-and-has-1234567890-characters",
    "ALLOWED_HOSTS": "feeds.example.org",
    "CSRF_TRUSTED_ORIGINS": "https://feeds.example.org",
    "FEEDS_CONTACT_URL": "https://example.org/about-our-polling",
    "SECURE_SSL_REDIRECT": "true",
    "SECURE_HSTS_SECONDS": "31536000",
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": "true",
    "SECURE_HSTS_PRELOAD": "true",
    "SECURE_PROXY_SSL_HEADER": "HTTP_X_FORWARDED_PROTO,https",
    "SESSION_COOKIE_SECURE": "true",
    "CSRF_COOKIE_SECURE": "true",
}


@pytest.fixture
def lock_memcached(tmp_path: Path) -> Iterator[Memcached]:
    yield from running(Memcached(tmp_path, "-M"))


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_deployment_with_the_documented_variables_has_nothing_to_be_warned_of(
    lock_memcached: Memcached, redis_server: RedisServer
) -> None:
    servers = {"MEMCACHED_URL": f"memcached://{lock_memcached.location}", "BROKER_URL": redis_server.url}
    run = manage("check", "--deploy", "--fail-level", "DEBUG", **PRODUCTION | servers)
    assert (run.returncode, run.stderr) == (0, "")
    assert "no issues" in run.stdout


def test_every_variable_of_a_deployment_is_documented() -> None:
    page = (PROJECT / "feeds" / "docs" / "settings.md").read_text()
    assert [name for name in PRODUCTION if f"`{name}`" not in page] == []


def test_a_database_server_that_is_lost_is_noticed_within_a_minute(postgresql: PostgreSQL) -> None:
    program = """
import os, socket
from django.db import connection
connection.ensure_connection()
with socket.socket(fileno=os.dup(connection.connection.fileno())) as ours:
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT):
        print(ours.getsockopt(socket.IPPROTO_TCP, option))
"""
    run = manage("shell", "--verbosity", "0", "--command", program, DATABASE_URL=postgresql.url("postgres"))
    idle, interval, count, unanswered = map(int, run.stdout.split())
    assert idle + interval * count <= 60
    assert 0 < unanswered <= 60_000


@pytest.mark.parametrize(("asked", "seconds"), [("", 20.0), ("?socket_timeout=7", 7.0), ("?protocol=2", 20.0)])
def test_a_redis_that_is_silent_for_a_while_is_waited_for(asked: str, seconds: float) -> None:
    """What it answers later it has answered to nobody: the messages lay there until the worker ended."""
    program = """
import dramatiq
print(dramatiq.get_broker().client.connection_pool.connection_kwargs["socket_timeout"])
"""
    run = manage("shell", "--verbosity", "0", "--command", program, BROKER_URL=f"redis://localhost:9/0{asked}")
    assert run.stdout.split() == [str(seconds)], run.stderr


def test_a_plain_request_is_sent_to_https_but_for_the_health_pages() -> None:
    program = """
from django.test import Client
client = Client(headers={"host": "feeds.example.org"})
for path in ("/admin/", "/healthz"):
    print(client.get(path).status_code)
print(client.get("/admin/", headers={"x-forwarded-proto": "https"})["Location"])
"""
    run = manage("shell", "--verbosity", "0", "--command", program, **PRODUCTION)
    assert run.stdout.split() == ["301", "200", "/admin/login/?next=/admin/"], run.stderr


def test_a_new_sqlite_database_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    database = tmp_path / "feeds.sqlite3"
    run = manage("migrate", "feeds", "--verbosity", "0", DATABASE_URL=f"sqlite:///{database}")
    assert run.returncode == 0, run.stderr
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_the_mode_of_a_database_that_is_there_is_left_alone(tmp_path: Path) -> None:
    database = tmp_path / "feeds.sqlite3"
    database.touch(mode=0o640)
    run = manage("migrate", "feeds", "--verbosity", "0", DATABASE_URL=f"sqlite:///{database}")
    assert run.returncode == 0, run.stderr
    assert database.stat().st_mode & 0o777 == 0o640


def test_server_side_cursors_can_be_disabled_for_a_pooler() -> None:
    program = "from django.db import connection; print(connection.settings_dict['DISABLE_SERVER_SIDE_CURSORS'])"
    run = manage("shell", "--verbosity", "0", "--command", program, DISABLE_SERVER_SIDE_CURSORS="true", **PRODUCTION)
    assert run.stdout.split() == ["True"], run.stderr


def test_an_import_loads_neither_the_site_nor_the_client_of_a_broker_that_is_not_there(tmp_path: Path) -> None:
    program = """
import sys
from django.core.management import call_command
call_command("import_feeds", "--due", skip_checks=False)
print(sorted({"feeds.admin", "feeds.status", "pika", "redis"} & sys.modules.keys()))
"""
    database = f"sqlite:///{tmp_path / 'feeds.sqlite3'}"
    assert manage("migrate", "feeds", "--verbosity", "0", DATABASE_URL=database).returncode == 0
    run = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup(){program}"],
        cwd=PROJECT,
        env={"DJANGO_SETTINGS_MODULE": "feeds_project.settings", "DATABASE_URL": database},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.splitlines()[-1] == "[]"


def test_the_check_of_the_admin_loads_it_first() -> None:
    program = """
from django.contrib import admin
from django.core.checks import run_checks
run_checks(tags=["admin"])
print(len(admin.site._registry) > 5)
"""
    run = manage("shell", "--verbosity", "0", "--command", program)
    assert run.stdout.strip() == "True", run.stderr
