"""What all tests share: a database in a file, and real servers to ask for by name."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import dramatiq
import hypothesis
import pytest
from django.conf import settings
from django.db.models.signals import post_migrate
from django.test import override_settings

from feeds.embedded import EmbeddedBroker
from tests.rigs.servers.counting import CountingServer
from tests.rigs.servers.daemon import Daemon, new_folder, tail
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.nginx import Nginx
from tests.rigs.servers.pgbouncer import PgBouncer
from tests.rigs.servers.postgresql import PostgreSQL
from tests.rigs.servers.rabbitmq import RabbitMQ
from tests.rigs.servers.redis_server import RedisServer

AnyDaemon = TypeVar("AnyDaemon", bound=Daemon)

SERVERS = frozenset({"memcached", "redis_server", "rabbitmq_node", "postgresql", "pgbouncer", "nginx"})  # fixtures
TESTS = Path(__file__).parent
ACCEPTANCE, PROJECTS = TESTS / "acceptance", TESTS / "projects"
# Each takes more than a second and a half: processes, clocks, growing inputs. The other files are the quick loop.
SLOW = frozenset(
    """
    commands/test_doctor.py
    commands/test_import_feeds.py
    fetching/test_fetcher_under_attack.py
    fetching/test_proxies.py
    locking/test_dramatiq_hooks.py
    locking/test_middleware.py
    locking/test_stores.py
    parsing/html/test_plain_text.py
    parsing/html/test_rewriting.py
    parsing/test_caps.py
    parsing/test_growth.py
    parsing/test_plain_documents.py
    parsing/test_sandbox.py
    scheduling/test_admission.py
    scheduling/test_dispatch.py
    scheduling/test_slow_feeds.py
    storage/test_merging.py
    status/test_health.py
    storage/test_takeover.py
    test_admin.py
    test_admin_options.py
    test_admin_secrets.py
    test_admin_work.py
    test_embedded.py
    test_guest.py
    test_heartbeat.py
    test_house.py
    test_logins_in_messages.py
    test_opml.py
    test_requests.py
    test_settings.py
    test_tasks.py
    """.split()  # noqa: SIM905
)

# No example has a deadline: how long one takes is the machine's affair.
hypothesis.settings.register_profile("feeds", deadline=None)
hypothesis.settings.load_profile("feeds")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs servers by its fixtures, and what is slow: whole deployments, foreign projects, and some."""
    for item in items:
        is_acceptance = item.path.is_relative_to(ACCEPTANCE)
        if is_acceptance or SERVERS & _fixtures(item):
            item.add_marker(pytest.mark.servers)
        if is_acceptance or item.path.is_relative_to(PROJECTS) or str(item.path.relative_to(TESTS)) in SLOW:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """End the threads that a test's messages started: their signs of life would stand in the next one's database."""
    if isinstance(broker := dramatiq.get_broker(), EmbeddedBroker):
        broker.stop()


def _fixtures(item: pytest.Item) -> set[str]:
    """Return the fixtures of a test; one that a fixture asks for by its own parameter is known by that parameter."""
    if not isinstance(item, pytest.Function):
        return set()
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return {*item.fixturenames, *(value for value in parameters if isinstance(value, str))}


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Keep SQLite's test database in a file: worker threads cannot share one in memory. Others are named by worker."""
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database.setdefault("TEST", {})["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """Make permissions once and not again whenever a transactional test has emptied the database: that took 0.05 s."""
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hash passwords at once: Django's own hasher takes 0.3 s by intent."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture
def memcached(tmp_path: Path) -> Iterator[Memcached]:
    yield from running(Memcached(new_folder(tmp_path, "memcached")))


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    yield from running(RedisServer(new_folder(tmp_path, "redis")))


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    yield from running(Nginx(new_folder(tmp_path, "nginx")))


@pytest.fixture(scope="session")
def rabbitmq_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """One node for all tests: it takes seconds to start."""
    yield from running(RabbitMQ(tmp_path_factory.mktemp("rabbitmq")))


@pytest.fixture
def rabbitmq(rabbitmq_node: RabbitMQ) -> RabbitMQ:
    """The node, with no queue in it."""
    rabbitmq_node.delete_queues()
    return rabbitmq_node


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """One cluster for all tests."""
    # Not under pytest's folder, which only its owner may enter and whose name may be too long for a Unix socket.
    folder = Path(tempfile.mkdtemp(prefix="feeds-postgresql-", dir="/tmp"))
    try:
        yield from running(PostgreSQL(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def pgbouncer(postgresql: PostgreSQL) -> Iterator[PgBouncer]:
    folder = Path(tempfile.mkdtemp(prefix="feeds-pgbouncer-", dir="/tmp"))  # its user may not enter pytest's
    try:
        yield from running(PgBouncer(folder, postgresql))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def counting_server() -> Iterator[CountingServer]:
    with CountingServer() as server:
        yield server


def running(daemon: AnyDaemon) -> Iterator[AnyDaemon]:
    """Run a server for as long as a fixture lives; pytest shows what it logged when the test failed."""
    with daemon:
        yield daemon
    print(f"--- {daemon.name} ---\n{tail(daemon.log, 50)}")
