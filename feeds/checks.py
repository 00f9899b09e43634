"""System checks: whatever would silently switch the lock off, or surprise at night, is said by `manage.py check`."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

import dramatiq
from django.apps import AppConfig
from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.base import InvalidCacheBackendError
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured
from dramatiq.middleware import CurrentMessage

from feeds import locking, parsing
from feeds.conf import FeedsSettings, feeds_settings
from feeds.embedded import EmbeddedBroker
from feeds.exceptions import ConfigurationError
from feeds.fetching import IPPolicy
from feeds.locking import Fault, LockMiddleware, LockStore, LockStoreError

Apps = Sequence[AppConfig] | None

USE_OURS = "Use feeds.locking.MemcachedLocks or feeds.embedded.DatabaseLocks."
LOCK_FAULTS = {
    Fault.UNUSABLE: ("feeds.E004", USE_OURS),
    Fault.UNFIT: ("feeds.E005", USE_OURS),
    Fault.SEVERAL_SERVERS: ("feeds.E007", "Name one server: a second one makes a lock no safer."),
    Fault.IGNORES_ERRORS: ("feeds.E008", "Take ignore_exc out of OPTIONS."),
    Fault.NO_TIMEOUT: ("feeds.E009", "Half a second to connect and one second to answer are plenty."),
}


@register("feeds")
def check_settings(app_configs: Apps, **kwargs: Any) -> Iterator[CheckMessage]:
    try:
        values = feeds_settings()
    except ConfigurationError as error:
        yield Error(str(error), hint="See the table of settings in the README.", id="feeds.E001")
        return
    yield from (
        Error(problem, hint="See the table of settings in the README.", id="feeds.E001") for problem in _ranges(values)
    )
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
    for name in ("keep_days", "keep_entries", "host_delay", "unconditional_interval", "redirect_days"):
        if getattr(values, name) < 0:
            yield f"FEEDS_{name.upper()} must not be less than 0"
    for name in (
        "connect_timeout",
        "read_timeout",
        "fetch_deadline",
        "parse_limit",
        "max_body_bytes",
        "min_interval",
        "redirect_sightings",
        "slow_fetches",
        "claim_limit",
        "time_limit",
    ):
        if getattr(values, name) <= 0:
            yield f"FEEDS_{name.upper()} must be greater than 0"
    if values.max_interval < values.min_interval:
        yield "FEEDS_MAX_INTERVAL must not be less than FEEDS_MIN_INTERVAL"
    try:
        IPPolicy(values.allowed_networks)
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
    if typed_settings() is None:
        return
    broker = dramatiq.get_broker()
    for problem in locking.order_problems(broker, LockMiddleware):
        yield Error(problem, hint="Copy the order from the README.", id="feeds.E002")
    if not any(isinstance(item, CurrentMessage) for item in broker.middleware):
        yield Error(
            "dramatiq.middleware.CurrentMessage is missing: import_feed cannot know when it was asked for",
            hint="Copy the order from the README.",
            id="feeds.E012",
        )
    from feeds import tasks  # noqa: F401  # declares the actors; not before the broker exists

    for problem in locking.time_limit_problems(broker):
        yield Error(problem, hint="Lower FEEDS_TIME_LIMIT or raise FEEDS_LOCK_EXPIRE.", id="feeds.E003")


@register("feeds")
def check_lock_cache(app_configs: Apps, **kwargs: Any) -> Iterator[CheckMessage]:
    if (values := typed_settings()) is None:
        return
    one_process = isinstance(dramatiq.get_broker(), EmbeddedBroker)
    for problem in locking.configuration_problems(values.lock_cache, one_process=one_process):
        identity, hint = LOCK_FAULTS[problem.fault]
        yield Error(problem.text, hint=hint, id=identity)


@register("feeds", deploy=True)
def check_lock_server(app_configs: Apps, **kwargs: Any) -> Iterator[CheckMessage]:
    """Ask the lock's server; only with --deploy, since a check must work where no server is. Workers ask at boot."""
    if (values := typed_settings()) is None:
        return
    try:
        store = caches[values.lock_cache]
    except (InvalidCacheBackendError, ImproperlyConfigured):
        return  # said by check_lock_cache
    if not isinstance(store, LockStore):
        return
    try:
        for problem in store.server_problems():
            yield Error(problem, hint="Start it without -C.", id="feeds.E010")
        for problem in store.server_warnings():
            yield Warning(problem, hint="Give the locks a memcached of their own, started with -M.", id="feeds.W004")
    except LockStoreError as error:
        yield Warning(str(error), hint="Is MEMCACHED_URL right, and the server up?", id="feeds.W005")


@register("feeds")
def check_database(app_configs: Apps, **kwargs: Any) -> Iterator[CheckMessage]:
    for alias, database in settings.DATABASES.items():
        options = database.get("OPTIONS", {})
        if database["ENGINE"].endswith("sqlite3") and options.get("transaction_mode") != "IMMEDIATE":
            yield Warning(
                f"the SQLite database {alias!r} will answer 'database is locked' under threads",
                hint="Set OPTIONS transaction_mode IMMEDIATE, timeout 5 and init_command 'PRAGMA journal_mode = WAL'.",
                id="feeds.W002",
            )


@register("feeds")
def check_contact(app_configs: Apps, **kwargs: Any) -> Iterator[CheckMessage]:
    if (values := typed_settings()) is None:
        return
    networked = not isinstance(dramatiq.get_broker(), EmbeddedBroker)
    if networked and not values.contact_url and not values.user_agent:
        yield Warning(
            "publishers cannot tell who polls them",
            hint="Set FEEDS_CONTACT_URL to a page about your site; it goes into the User-Agent.",
            id="feeds.W003",
        )


@register("feeds")
def check_parser(app_configs: Apps, **kwargs: Any) -> Iterator[CheckMessage]:
    if not parsing.author_guard_installed():
        yield Error(
            "this feedparser reads authors in quadratic time: 60 kB hold a worker process for 11 s",
            hint="Install the feedparser that pyproject.toml names; feeds/parsing guards the routine of that one.",
            id="feeds.E011",
        )
