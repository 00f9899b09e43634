"""The app's settings: one frozen object, read from Django's `FEEDS_*` settings on first use."""

from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from django.core.signals import setting_changed

from feeds.exceptions import ConfigurationError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Part = TypeVar("Part", bound="DataclassInstance")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedsSettings:
    lock_cache: str = "locks"  # alias in CACHES
    lock_expire: int = 600  # seconds
    time_limit: int = 300  # seconds for one import
    allowed_networks: tuple[str, ...] = ()  # CIDR; private networks that may be fetched from
    contact_url: str = ""  # goes into the User-Agent
    user_agent: str = ""  # in full; "" = made from the version and the contact URL
    connect_timeout: float = 10.0  # seconds
    read_timeout: float = 20.0  # seconds between two bytes
    fetch_deadline: float = 60.0  # seconds for one fetch, name resolution and redirects included
    max_body_bytes: int = 10 * 1024 * 1024  # decoded
    max_redirects: int = 5
    redirect_sightings: int = 3  # checks in a row that must have seen a permanent redirect until the feed's URL follows
    redirect_days: float = 7.0  # that must lie between the first and the last of them
    slow_fetches: int = 1  # that take longer than two seconds, at once in one process: an eighth of its threads
    parse_limit: float = 20.0  # seconds of the processor for reading one document
    keep_days: int = 0  # that entries are kept which the feed lists no more; 0 = for ever
    keep_entries: int = 0  # of one feed; 0 = all
    host_delay: float = 1.0  # seconds between two requests to one public host
    min_interval: int = 3600  # seconds between two polls of a feed
    max_interval: int = 24 * 3600
    unconditional_interval: int = 24 * 3600  # the shortest for a server that gives neither ETag nor Last-Modified
    claim_limit: int = 1000  # feeds that may be waiting in the queue for import_due_feeds to send no more

    @property
    def fetch_limit(self) -> float:
        """Return the seconds that every fetch must stay below: its document has to be read before the time limit.

        What the time limit ends is no outcome: nothing is recorded on the feed, and it is tried again for ever.
        """
        return self.time_limit - self.parse_limit

    def part(self, kind: type[Part]) -> Part:
        """Return the settings of one package: those of the fields that it names."""
        return kind(**{field.name: getattr(self, field.name) for field in fields(kind)})


@cache
def feeds_settings() -> FeedsSettings:
    """Return the settings in force; raise ConfigurationError for a value of a wrong type."""
    given: dict[str, Any] = {}
    for field in fields(FeedsSettings):
        name = f"FEEDS_{field.name.upper()}"
        if hasattr(settings, name):
            given[field.name] = _typed(name, getattr(settings, name), field.default)
    return FeedsSettings(**given)


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
