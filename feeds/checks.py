"""System checks: what would silently switch the lock off, annoy publishers or surprise at night."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from importlib import import_module
from typing import Any

import dramatiq
from django.apps import AppConfig, apps
from django.conf import settings
from django.core.cache import caches
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.management import get_commands
from django.db import connections, router
from dramatiq.brokers.stub import StubBroker

from feeds import brokers, locking, parsing
from feeds.conf import FeedsSettings, feeds_settings
from feeds.databases import primary_database
from feeds.exceptions import ConfigurationError, describe
from feeds.fetching import IPPolicy, Proxies, network_warnings
from feeds.locking import LockMiddleware, LockStore, LockStoreError
from feeds.management.workers import unknown_to_workers
from feeds.models import Lock

Apps = Sequence[AppConfig] | None

HOUR = 3600  # seconds
# MySQL and MariaDB know no index on some of the rows, and no unique digest without a length.
VENDORS = ("postgresql", "sqlite")


@register("feeds")
def check_settings(app_configs: Apps, **kwargs: Any) -> Iterator[CheckMessage]:
    try:
        values = feeds_settings()
    except ConfigurationError as error:
        yield Error(str(error), hint="See feeds/docs/settings.md.", id="feeds.E001")
        return
    yield from (Error(problem, hint="See feeds/docs/settings.md.", id="feeds.E001") for problem in _ranges(values))
    for problem in locking.expire_problems(values.lock_expire):
        yield Error(f"FEEDS_LOCK_EXPIRE {problem}", hint="600 is the recipe's.", id="feeds.E006")
    if values.fetch_deadline >= values.fetch_limit:
        yield Error(
            "FEEDS_FETCH_DEADLINE and FEEDS_PARSE_LIMIT together must be less than FEEDS_TIME_LIMIT",
            hint="What the time limit ends is not recorded on the feed. Raise it, or lower the others.",
            id="feeds.E013",
        )
    known = {f"FEEDS_{field.name.upper()}" for field in fields(FeedsSettings)}
    for name in sorted(name for name in dir(settings) if name.startswith("FEEDS_") and name not in known):
        yield Warning(f"{name} is no setting of feeds", hint="Is it misspelt?", id="feeds.W001")


def _ranges(values: FeedsSettings) -> Iterator[str]:
    for field in fields(values):
        value, name = getattr(values, field.name), f"FEEDS_{field.name.upper()}"
        if "min" in field.metadata and not value >= field.metadata["min"]:
            yield f"{name} must not be less than {field.metadata['min']}"
        if "above" in field.metadata and not value > field.metadata["above"]:
            yield f"{name} must be greater than {field.metadata['above']}"
    if values.max_interval < values.min_interval:
        yield "FEEDS_MAX_INTERVAL must not be less than FEEDS_MIN_INTERVAL"
    for use in (
        lambda: IPPolicy(values.allowed_networks),
        lambda: IPPolicy(values.proxy_networks, setting="FEEDS_PROXY_NETWORKS"),
        lambda: Proxies(values.proxy, values.no_proxy),
    ):
        try:
            use()
        except ConfigurationError as error:
            yield str(error)
    for name in ("contact_url", "user_agent"):
        if not getattr(values, name).isprintable():
            yield f"FEEDS_{name.upper()} holds a line break or control character, which no header may"


def typed_settings() -> FeedsSettings | None:
    """Return the settings; None for a wrong type, of which `check_settings` tells."""
    try:
        return feeds_settings()
    except ConfigurationError:
        return None


@register("feeds")
def check_middleware(app_configs: Apps, **kwargs: Any) -> Iterator[CheckMessage]:
    if (values := typed_settings()) is None:
        return
    broker = dramatiq.get_broker()
    if missing := locking.missing_middleware(broker, LockMiddleware):
        yield from (Error(one, hint="Copy MIDDLEWARE from the README.", id="feeds.E012") for one in missing)
        return  # what else is wrong can be told once the actors can be declared
    for problem in locking.order_problems(broker, LockMiddleware):
        yield Error(problem, hint="Copy the order from the README.", id="feeds.E002")
    import_module("feeds.tasks")  # declares the actors; not before the broker exists
    for problem in locking.time_limit_problems(broker, values.lock_expire):
        yield Error(problem, hint="Lower FEEDS_TIME_LIMIT or raise FEEDS_LOCK_EXPIRE.", id="feeds.E003")
    yield from _unknown_actors(broker)


def _unknown_actors(broker: dramatiq.Broker) -> Iterator[CheckMessage]:
    try:
        for actor in unknown_to_workers(broker):
            yield Warning(
                f"workers do not load {actor.fn.__module__}, so they would drop the messages of {actor.actor_name}",
                hint="Import it in the module tasks of an installed app, or name it in DRAMATIQ_AUTODISCOVER_MODULES.",
                id="feeds.W009",
            )
    except Exception as error:  # of a host's module
        problem = f"workers cannot load their modules: {describe(error)}"
        yield Warning(problem, hint="`manage.py rundramatiq` would fail with it, too.", id="feeds.W012")


@register("feeds")
def check_lock_cache(app_configs: Apps, **kwargs: Any) -> Iterator[CheckMessage]:
    if (values := typed_settings()) is None:
        return
    for problem in locking.store_problems(values.lock_cache, dramatiq.get_broker()):
        yield Error(
            f"FEEDS_LOCK_CACHE: {problem}",
            hint="Use feeds.locking.MemcachedLocks with one server, or feeds.embedded.DatabaseLocks.",
            id="feeds.E004",
        )


@register("feeds", deploy=True)
def check_lock_server(app_configs: Apps, **kwargs: Any) -> Iterator[CheckMessage]:
    """Ask the lock's server; only with --deploy, since a check must work where no server is. Workers ask at boot."""
    if (values := typed_settings()) is None:
        return
    if list(locking.store_problems(values.lock_cache, dramatiq.get_broker())):
        return  # said by check_lock_cache
    store = caches[values.lock_cache]
    if not isinstance(store, LockStore):
        return
    try:
        for problem in store.server_problems():
            yield Error(problem, hint="Start it without -C.", id="feeds.E010")
        for problem in store.server_warnings():
            yield Warning(problem, hint="Give the locks a memcached of their own, started with -M.", id="feeds.W004")
    except LockStoreError as error:
        yield Warning(str(error), hint="Is MEMCACHED_URL right, and the server up?", id="feeds.W005")


@register("feeds", deploy=True)
def check_broker(app_configs: Apps, **kwargs: Any) -> Iterator[CheckMessage]:
    """Ask the broker's server; only with --deploy."""
    try:
        policy = brokers.server(dramatiq.get_broker()).eviction()
    except Exception as error:  # each client has its own
        yield Warning(f"the broker: {describe(error)}", hint="Is BROKER_URL right, and its server up?", id="feeds.W010")
        return
    if policy:
        yield Warning(
            f"the broker's Redis has maxmemory-policy {policy}: when memory is short it drops messages",
            hint="Give Dramatiq a Redis of its own, with maxmemory-policy noeviction.",
            id="feeds.W011",
        )


@register("feeds", deploy=True)
def check_frozen_sessions(app_configs: Apps, **kwargs: Any) -> Iterator[CheckMessage]:
    """Ask PostgreSQL whether rows stay locked by a worker that has frozen with them; only with --deploy."""
    connection = connections[primary_database()]
    if connection.vendor != "postgresql":
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW idle_in_transaction_session_timeout")
            is_endless = cursor.fetchone() == ("0",)
    except Exception:  # it is away, which `manage.py doctor` says
        return
    if is_endless:
        yield Warning(
            "a worker that freezes in a transaction stops all others: PostgreSQL keeps its rows locked for ever",
            hint="ALTER ROLE … SET idle_in_transaction_session_timeout = '1min', for the role that workers connect as.",
            id="feeds.W014",
        )


@register("feeds")
def check_database(app_configs: Apps, **kwargs: Any) -> Iterator[CheckMessage]:
    alias = primary_database()
    database = settings.DATABASES[alias]
    options = database.get("OPTIONS", {})
    if database["ENGINE"].endswith("sqlite3") and options.get("transaction_mode") != "IMMEDIATE":
        yield Warning(
            f"the SQLite database {alias!r} will answer 'database is locked' under threads",
            hint="Set OPTIONS transaction_mode IMMEDIATE, timeout 5 and init_command 'PRAGMA journal_mode = WAL'.",
            id="feeds.W002",
        )
    if not database.get("AUTOCOMMIT", True):
        yield Error(
            f"AUTOCOMMIT of the database {alias!r} is off: nothing would commit what is imported",
            hint="Leave it on. ATOMIC_REQUESTS gives each request a transaction.",
            id="feeds.E021",
        )
    if (vendor := connections[alias].vendor) not in VENDORS:
        yield Error(
            f"the database {alias!r} is {vendor}, and feeds runs on PostgreSQL and SQLite only",
            hint="Let DATABASE_ROUTERS write the app label feeds to one of these.",
            id="feeds.E015",
        )
    models = (model for model in apps.get_app_config("feeds").get_models() if model is not Lock)
    if elsewhere := sorted(model.__name__ for model in models if router.db_for_write(model) != alias):
        yield Error(
            f"DATABASE_ROUTERS write {', '.join(elsewhere)} elsewhere than Feed, which goes to {alias!r}",
            hint="An import is one transaction: let db_for_write return one alias for the app label feeds.",
            id="feeds.E020",
        )


@register("feeds")
def check_installed_apps(app_configs: Apps, **kwargs: Any) -> Iterator[CheckMessage]:
    if not apps.is_installed("dramatiq_crontab"):
        yield Warning(
            "nothing sends the feeds that are due: dramatiq_crontab is not in INSTALLED_APPS",
            hint="Add it and run `manage.py crontab`; or run `import_feeds --due` every minute, and silence this.",
            id="feeds.W020",
        )
    if get_commands()["rundramatiq"] != "feeds":
        yield Warning(
            "`rundramatiq` is not that of feeds, so that with --queues it may leave scheduled imports alone",
            hint="Let feeds stand before django_dramatiq in INSTALLED_APPS.",
            id="feeds.W013",
        )


@register("feeds")
def check_politeness(app_configs: Apps, **kwargs: Any) -> Iterator[CheckMessage]:
    if (values := typed_settings()) is None:
        return
    if values.min_interval < HOUR:
        yield Warning(
            "FEEDS_MIN_INTERVAL is below an hour",
            hint="Publishers block readers that poll more often. A single feed can have an interval of its own.",
            id="feeds.W006",
        )
    if isinstance(dramatiq.get_broker(), StubBroker):  # one process, such as embedded or in tests
        return
    if values.host_delay == 0:
        yield Warning(
            "FEEDS_HOST_DELAY is 0: the feeds of one host are fetched all at once",
            hint="Leave a second between two requests to a host.",
            id="feeds.W007",
        )
    if not values.contact_url and not values.user_agent:
        yield Warning(
            "publishers cannot tell who polls them",
            hint="Set FEEDS_CONTACT_URL to a page about your site; it goes into the User-Agent.",
            id="feeds.W003",
        )


@register("feeds")
def check_networks(app_configs: Apps, **kwargs: Any) -> Iterator[CheckMessage]:
    values = typed_settings()
    if values is None or list(_ranges(values)):  # said by check_settings
        return
    for warning in network_warnings(values.allowed_networks):
        yield Warning(warning, hint="Any feed may lead to any address in it.", id="feeds.W008")


@register("feeds")
def check_parser(app_configs: Apps, **kwargs: Any) -> Iterator[CheckMessage]:
    if not parsing.author_guard_installed():
        yield Error(
            "this feedparser reads authors in quadratic time: 60 kB hold a worker process for 11 s",
            hint="Install the feedparser that pyproject.toml names; feeds/parsing guards the routine of that one.",
            id="feeds.E011",
        )
