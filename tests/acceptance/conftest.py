"""Networked and embedded deployments of the project, each with an empty migrated database."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dj_database_url
import pytest
from django.db import connections
from django.db.utils import load_backend
from pytest_django import DjangoDbBlocker

from tests.acceptance.deployment import Deployment
from tests.conftest import running
from tests.rigs.servers.memcached import Memcached
from tests.rigs.servers.postgresql import PostgreSQL
from tests.rigs.servers.workers import Workers

StartWorkers = Callable[[int, int], Workers]

on_both_brokers = pytest.mark.parametrize("broker_url", ["redis_server", "rabbitmq"], indirect=True)


@pytest.fixture(scope="session")
def migrated_template(postgresql: PostgreSQL) -> str:
    """Return the name of a database that has all tables and no rows."""
    name = postgresql.create_database()
    Deployment(database_url=postgresql.url(name)).manage("migrate", "--verbosity", "0")
    return name


@pytest.fixture
def database_url(postgresql: PostgreSQL, migrated_template: str) -> Iterator[str]:
    name = postgresql.create_database(migrated_template)
    yield postgresql.url(name)
    postgresql.drop_database(name)


@pytest.fixture
def on_postgresql(database_url: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """Make PostgreSQL this process's default database; return its URL."""
    ours = connections["default"]
    settings = {**ours.settings_dict, "OPTIONS": {}, **dj_database_url.parse(database_url)}
    theirs = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, "default")
    with django_db_blocker.unblock():
        connections["default"] = theirs
        try:
            yield database_url
        finally:
            theirs.close()
            connections["default"] = ours


@pytest.fixture
def broker_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of Redis, or of the broker whose fixture a test names with `on_both_brokers`."""
    return str(request.getfixturevalue(getattr(request, "param", "redis_server")).url)


@pytest.fixture
def extra_environment() -> dict[str, str]:
    """Return further environment variables for all processes; a module with other wishes defines its own."""
    return {}


@pytest.fixture
def deployment(
    database_url: str, broker_url: str, memcached: Memcached, extra_environment: dict[str, str]
) -> Deployment:
    """Return a networked deployment, with PostgreSQL, a broker and memcached."""
    return Deployment(
        database_url=database_url,
        broker_url=broker_url,
        memcached_url=memcached.location,
        extra_environment=extra_environment,
    )


@pytest.fixture
def start_workers(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartWorkers]:
    """Start `rundramatiq` with so many processes and threads; it is killed when the test is over."""
    with ExitStack() as stack:

        def start(processes: int, threads: int) -> Workers:
            folder = tmp_path_factory.mktemp("workers")
            workers = Workers(folder, deployment.environment, processes=processes, threads=threads)
            return stack.enter_context(contextmanager(running)(workers))

        yield start


@pytest.fixture
def embedded(tmp_path: Path) -> Deployment:
    """Return an embedded deployment, with SQLite in a file."""
    deployment = Deployment(database_url=f"sqlite:///{tmp_path / 'feeds.sqlite3'}")
    deployment.manage("migrate", "--verbosity", "0")
    return deployment
