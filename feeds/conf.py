"""The app's settings, with their defaults and ranges: one frozen object, read from Django's `FEEDS_*` on first use."""

import re
from dataclasses import dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from django.core.signals import setting_changed

from feeds.exceptions import ConfigurationError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Part = TypeVar("Part", bound="DataclassInstance")
Number = TypeVar("Number", int, float)

QUEUE = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)  # what Dramatiq takes

# The metadata of a field say what its value may be; checks.py reads them.


def _positive(default: Number) -> Number:
    return field(default=default, metadata={"above": 0})


def _not_negative(default: Number) -> Number:
    return field(default=default, metadata={"min": 0})


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedsSettings:
    queue: str = "feeds"  # of the actors' messages; scheduled imports are in another, see below
    lock_cache: str = "locks"  # alias in CACHES
    lock_expire: int = 600  # seconds
    time_limit: int = _positive(300)  # seconds for one import
    allowed_networks: tuple[str, ...] = ()  # CIDR; private networks that may be fetched from
    proxy: str = field(default="", repr=False)  # http, https, socks5 or socks5h URL; "" = none
    no_proxy: tuple[str, ...] = ()  # hosts and networks that are reached without it
    proxy_networks: tuple[str, ...] = ()  # CIDR; private networks in which a feed's own proxy may be
    contact_url: str = ""  # goes into the User-Agent
    user_agent: str = ""  # in full; "" = made from the version and the contact URL
    connect_timeout: float = _positive(10.0)  # seconds
    read_timeout: float = _positive(20.0)  # seconds between two bytes
    fetch_deadline: float = _positive(60.0)  # seconds for one fetch, name resolution and redirects included
    max_body_bytes: int = _positive(10 * 1024 * 1024)  # decoded
    max_redirects: int = _not_negative(5)
    redirect_checks: int = _positive(3)  # checks in a row that see a permanent redirect until the URL follows
    redirect_days: float = _not_negative(7.0)  # that must lie between the first and the last of them
    metrics_token: str = field(default="", repr=False)  # that /metrics asks for as bearer; "" = there is no such page
    slow_fetches: int = _positive(1)  # at once in one process, of those that take longer than two seconds
    parse_limit: float = _positive(20.0)  # seconds of the processor for reading one document
    keep_days: int = _not_negative(0)  # that entries are kept which the feed lists no more; 0 = for ever
    keep_entries: int = _not_negative(0)  # of one feed; 0 = all
    daily_entries: int = _not_negative(1000)  # new ones of a feed stored a day, after its first import; 0 = all
    host_delay: float = _not_negative(1.0)  # seconds between two requests to one public host
    min_interval: int = _positive(3600)  # seconds between two polls of a feed
    max_interval: int = _positive(24 * 3600)
    unconditional_interval: int = _not_negative(24 * 3600)  # the shortest without ETag and Last-Modified
    claim_limit: int = _positive(1000)  # feeds that may be waiting in the queue for import_due_feeds to send no more

    @property
    def scheduled_queue(self) -> str:
        """Return the queue of scheduled imports: in one with the others, a person would wait for a thousand of them."""
        return f"{self.queue}_scheduled"

    @property
    def fetch_limit(self) -> float:
        """Return the seconds that every fetch must stay below: its document has to be read before the time limit.

        What the time limit ends is no outcome: nothing is recorded on the feed, and it is tried again for ever.
        """
        return self.time_limit - self.parse_limit

    def part(self, kind: type[Part]) -> Part:
        """Return the settings of one package: those of the fields that it names."""
        return kind(**{each.name: getattr(self, each.name) for each in fields(kind)})


@cache
def feeds_settings() -> FeedsSettings:
    """Return the settings in force; raise ConfigurationError for a wrong type, or a queue that there cannot be."""
    given: dict[str, Any] = {}
    for each in fields(FeedsSettings):
        name = f"FEEDS_{each.name.upper()}"
        if hasattr(settings, name):
            given[each.name] = _typed(name, getattr(settings, name), each.default)
    values = FeedsSettings(**given)
    if not QUEUE.fullmatch(values.queue):  # no actor could be declared, and no check be made
        raise ConfigurationError(
            f"FEEDS_QUEUE must be a name of letters, digits, dots, hyphens and underscores, not {values.queue!r}"
        )
    return values


def _typed(name: str, value: Any, default: Any) -> Any:
    if isinstance(default, tuple) and isinstance(value, list | tuple):
        return tuple(value)
    if isinstance(default, float) and type(value) in (int, float):
        return float(value)
    if type(value) is type(default):
        return value
    raise ConfigurationError(f"{name} must be a {type(default).__name__}, not {value!r}")


def _forget(*, setting: str, **_: Any) -> None:
    if setting.startswith("FEEDS_"):
        feeds_settings.cache_clear()


setting_changed.connect(_forget)
