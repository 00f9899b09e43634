"""What is fetched, how long that may take, and how it can end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from feeds.outcomes import FailureKind


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRequest:
    """What to fetch, and what is known of it."""

    url: str
    etag: str = ""  # as received, byte for byte; "" = none
    last_modified: str = ""
    validators_url: str = ""  # where the two came from, if not from `url` itself; no other URL is sent them
    body_digest: bytes = b""  # blake2b-16 of the last stored body
    user_agent: str = ""  # "" = the setting
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    proxy: str = field(default="", repr=False)  # may hold credentials; "" = the setting, "direct" = none
    deadline: float | None = None  # seconds for the whole fetch; None = the setting
    verify_tls: bool = True
    public_only: bool = False  # the Internet has named this feed: no address of the fetch may be private


@dataclass(slots=True, kw_only=True)
class Allowance:
    """The seconds that a fetch may take until it has to ask whether it may go on. They count from its begin."""

    seconds: float = inf
    may_go_on: Callable[[], bool] = lambda: True  # for as long as it likes; asked in the fetch's own thread
    connecting: float = 0.0  # seconds that it took to connect: they do not count. Written by the fetch
    stages: dict[str, float] = field(default_factory=dict)  # seconds of dns, connect, first byte. Written by the fetch

    def ask(self) -> bool:
        """Ask whether the fetch may go on; if so, the allowance has no end from now on."""
        if may_go_on := self.may_go_on():
            self.seconds = inf
        return may_go_on


# May a request to this host, at this address, be made now? Asked before each; "" = the address is not known yet.
Admit = Callable[[str, str], bool]


def always(host: str, address: str) -> bool:
    """Let every request be made now: nobody else asks the host."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """One hop: the status that sent us on, and where to. The URL holds no credentials."""

    status: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A body that was not seen before."""

    url: str  # after redirects; without credentials, as it is the base of the entries' links
    body: bytes = field(repr=False)  # decoded from its content encoding
    body_digest: bytes
    status: int = 200  # or 226: the body is a delta (RFC 3229)
    redirects: tuple[Redirect, ...] = ()
    content_type: str = ""
    content_language: str = ""
    etag: str = ""
    last_modified: str = ""
    max_age: float | None = None  # seconds the answer stays fresh from now; None = the server does not say
    retry_after: float | None = None  # seconds from now for which a redirect asks not to come back
    links: tuple[str, ...] = ()  # raw Link header values
    public: bool = False  # an address of a server was: no later one, and none of a feed that it names, may be private


@dataclass(frozen=True, slots=True, kw_only=True)
class NotModified:
    """A 304, or the body we have already."""

    url: str
    status: int = 304
    redirects: tuple[Redirect, ...] = ()
    etag: str = ""  # to be stored from now on: a 304 may refresh either (RFC 9111 §4.3.4)
    last_modified: str = ""
    max_age: float | None = None
    retry_after: float | None = None  # as with Fetched
    public: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Anything else. `text` is for people and holds no credentials."""

    kind: FailureKind
    text: str
    status: int | None = None  # None = no answer came
    retry_after: float | None = None  # seconds from now for which the server, or a redirect, asked not to come back
    redirects: tuple[Redirect, ...] = ()


FetchOutcome = Fetched | NotModified | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchSettings:
    """How all feeds are fetched, by the names of the app's settings, which say what each means."""

    allowed_networks: tuple[str, ...] = ()
    proxy: str = field(default="", repr=False)
    no_proxy: tuple[str, ...] = ()
    proxy_networks: tuple[str, ...] = ()
    contact_url: str = ""
    user_agent: str = ""
    connect_timeout: float = 10.0  # seconds
    read_timeout: float = 20.0  # seconds
    fetch_deadline: float = 60.0  # seconds
    max_body_bytes: int = 10 * 1024 * 1024
    max_redirects: int = 5
