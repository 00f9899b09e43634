"""Proxies: which of them a request goes through, and how a connection is made through one."""

from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from feeds.canonical_urls import SplitURL, split_url
from feeds.exceptions import ConfigurationError, InvalidURL
from feeds.fetching.ip_policy import is_literal
from feeds.fetching.sockets import TimedSocket, TransportError
from feeds.outcomes import FailureKind

SCHEMES = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}  # and their usual ports
DIRECT = "direct"  # what stands for no proxy at all, where the settings name one
SOCKS_LOGIN_BYTES = 127  # bytes of a name or a password that PySocks can send

Choose = Callable[[str], "Proxy | None"]  # a host -> the proxy on the way to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy. `socks5` gets addresses that we have looked up, the others names."""

    scheme: str
    location: SplitURL = field(repr=False)  # its scheme says nothing
    by_settings: bool = False

    @property
    def is_socks(self) -> bool:
        return self.scheme.startswith("socks")


class Proxies:
    """The proxy of the settings, and the hosts that are reached without it."""

    def __init__(self, proxy: str = "", no_proxy: Iterable[str] = ()) -> None:
        """Raise ConfigurationError where a text means nothing, or what it needs is not installed."""
        try:
            self._proxy = replace(proxy_at(proxy), by_settings=True) if proxy else None
        except InvalidURL as error:
            raise ConfigurationError(f"FEEDS_PROXY: {error}") from None
        self._networks: list[IPv4Network | IPv6Network] = []
        self._names: list[str] = []  # with a dot in front; "" is all of them
        for text in no_proxy:
            self._leave_out(text.strip())

    def chosen(self, own: str = "") -> Choose:
        """Return the choice of a feed with a proxy of its own; raise InvalidURL where that cannot be used."""
        if own:
            proxy = None if own == DIRECT else proxy_at(own)
            return lambda host: proxy
        return lambda host: None if self._is_left_out(host) else self._proxy

    def _leave_out(self, text: str) -> None:
        with suppress(ValueError):
            self._networks.append(ip_network(text.strip("[]"), strict=False))
            return
        if text == "*":
            self._names.append("")
            return
        with suppress(InvalidURL):
            url = split_url(f"http://{text.removeprefix('*').removeprefix('.')}")
            if url.target == "/" and not is_literal(url.host):
                self._names.append(f".{url.host}")
                return
            if url.target == "/" and text.lstrip("[").startswith(url.host):  # with a port; "10." would be 0.0.0.10
                self._networks.append(ip_network(url.host))
                return
        raise ConfigurationError(
            f"FEEDS_NO_PROXY: {text!r} is neither a host nor a network; write example.org or 10.0.0.0/8"
        )

    def _is_left_out(self, host: str) -> bool:
        with suppress(ValueError):
            address = ip_address(host)
            return "" in self._names or any(address in network for network in self._networks)
        return f".{host}".endswith(tuple(self._names))


def proxy_at(text: str) -> Proxy:
    """Return the proxy at a URL; raise InvalidURL, which tells no password, where it is none that can be used."""
    scheme, _, rest = text.strip().partition("://")
    scheme = scheme.lower()
    if scheme not in SCHEMES or not rest:
        raise InvalidURL(f"a proxy is written like http://host:port; it may be {', '.join(SCHEMES)}")
    location = split_url(f"{'https' if scheme == 'https' else 'http'}://{rest}")
    if location.target != "/":
        raise InvalidURL("a proxy is a host and a port; it has no path")
    return Proxy(scheme=scheme, location=_socks(location, rest) if scheme.startswith("socks") else location)


def _socks(location: SplitURL, rest: str) -> SplitURL:
    if find_spec("socks") is None:
        raise InvalidURL("a SOCKS proxy needs the package PySocks: pip install 'feeds-project[socks]'")
    if any(len(part.encode()) > SOCKS_LOGIN_BYTES for part in location.credentials):
        raise InvalidURL(f"a login for SOCKS has at most {SOCKS_LOGIN_BYTES} bytes")
    has_port = rest.rstrip("/").rpartition(":")[2].isdigit()
    return location if has_port else replace(location, port=SCHEMES["socks5"])


def ask_socks(sock: TimedSocket, proxy: Proxy, host: str, port: int) -> None:
    """Let the SOCKS proxy that `sock` is connected to connect it to a host (RFC 1928, RFC 1929)."""
    socks = import_module("socks")  # an optional dependency, for SOCKS proxies only
    username, password = (part or None for part in proxy.location.credentials)
    with closing(socks.socksocket()) as client:
        client.set_proxy(socks.SOCKS5, proxy.location.host, proxy.location.port, True, username, password)
        try:
            # What is public in PySocks opens the connection itself: past the policy, and without a deadline.
            client._SOCKS5_request(sock, b"\x01", (host, port))
        except socks.ProxyError as error:
            raise TransportError(FailureKind.CONNECT, f"the proxy makes no connection to {host}: {error}") from error
