"""Connections for one request: to its server, or through a proxy; urllib3's over sockets of our own."""

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import urllib3.connection
from urllib3.util import make_headers

from feeds.canonical_urls import SplitURL
from feeds.fetching.deadline import Deadline
from feeds.fetching.dialer import Dialer, check_address, check_pace
from feeds.fetching.ip_policy import EVERYWHERE, PUBLIC, IPPolicy, is_literal, is_private_host
from feeds.fetching.proxies import Proxy, ask_socks
from feeds.fetching.sockets import TimedContext, TimedSocket, TransportError, client_context
from feeds.fetching.values import Admit, FetchSettings
from feeds.outcomes import FailureKind

PUBLIC_ONLY = IPPolicy(hint="what the Internet leads to must be on the Internet")
BEHIND_PROXY = IPPolicy(hint="what is private is not asked for through a proxy; FEEDS_NO_PROXY names such hosts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request."""

    url: SplitURL
    headers: Mapping[str, str]
    proxy: Proxy | None = None
    verify_tls: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a request must keep to."""

    deadline: Deadline
    admit: Admit
    public_only: bool = False  # the Internet has led here: a private address is refused, whatever is allowed


class _Response(http.client.HTTPResponse):
    def _read_status(self) -> tuple[str, int, str]:
        """Skip interim answers (RFC 9110 §15.2): http.client knows only 100. Their bytes count as headers."""
        if _is_http2(self.fp.peek(1)):
            raise http.client.UnknownProtocol("HTTP/2")
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200 or status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)


def _is_http2(begin: bytes) -> bool:
    """Tell whether an answer begins with a frame of HTTP/2 for the connection: SETTINGS or GOAWAY (RFC 9113 §6)."""
    return begin[:1] == b"\0" and begin[3:4] in (b"\x04", b"\x07") and begin[5:9] == bytes(4)


class Connection(urllib3.connection.HTTPConnection):
    """One of urllib3's, over a socket that is connected already."""

    response_class = _Response
    connected: TimedSocket

    def _new_conn(self) -> socket.socket:
        return self.connected


class _HTTPSConnection(Connection, urllib3.connection.HTTPSConnection):
    """The same with TLS."""


class Connector:
    """Makes a connection for each request. Safe to share between threads."""

    def __init__(self, settings: FetchSettings, dialer: Dialer) -> None:
        self._dialer = dialer
        self._servers = IPPolicy(settings.allowed_networks)
        self._proxies = IPPolicy((*settings.allowed_networks, *settings.proxy_networks), setting="FEEDS_PROXY_NETWORKS")

    def connect(self, call: Call, bounds: Bounds) -> Connection:
        """Return a connection that is not open yet, over a socket that is."""
        check_pace(bounds.admit, call.url.host)
        proxy = call.proxy
        if proxy:
            sock = self._to_proxy(proxy, call.url, bounds)
        else:
            policy = PUBLIC_ONLY if bounds.public_only else self._servers
            sock = self._dialer.dial(call.url.host, call.url.port, policy, bounds.deadline, bounds.admit)
        via = proxy.location if proxy and not proxy.is_socks else call.url
        if call.url.scheme == "http":
            connection = Connection(via.host, via.port)
        else:
            context = self._verifying if call.verify_tls else self._trusting
            connection = _HTTPSConnection(via.host, via.port, ssl_context=context)
            if via is not call.url and proxy:
                connection.set_tunnel(call.url.host, call.url.port, headers=login_headers(proxy))
        connection.connected = sock
        return connection

    def _to_proxy(self, proxy: Proxy, url: SplitURL, bounds: Bounds) -> TimedSocket:
        """Return a socket connected to a proxy, or by it to the server.

        Its address has an allowance of its own, which is none for the feeds: behind it they may reach what is public.
        """
        target = self._target(proxy, url, bounds)
        policy = EVERYWHERE if proxy.by_settings else self._proxies
        sock = self._dialer.dial(proxy.location.host, proxy.location.port, policy, bounds.deadline)
        try:
            if proxy.is_socks:
                ask_socks(sock, proxy, target, url.port)
            return self._verifying.to_proxy(sock, proxy.location.host) if proxy.scheme == "https" else sock
        except BaseException:
            sock.close()
            raise

    def _target(self, proxy: Proxy, url: SplitURL, bounds: Bounds) -> str:
        """Return what the proxy is asked for. It looks up most names, so only what they say can be judged."""
        if is_literal(url.host):
            check_address(BEHIND_PROXY, url.host, url.host, url.port)
        elif is_private_host(url.host):
            raise TransportError(FailureKind.REFUSED_ADDRESS, f"{url.host} is not a public name; {BEHIND_PROXY.hint}")
        if proxy.scheme != "socks5":
            return url.host
        found = self._dialer.look_up(url.host, url.port, BEHIND_PROXY, bounds.deadline, bounds.admit)
        return str(found[0][1][0])

    @cached_property
    def _verifying(self) -> TimedContext:
        return client_context(verify=True)

    @cached_property
    def _trusting(self) -> TimedContext:
        return client_context(verify=False)


def login_headers(proxy: Proxy) -> dict[str, str]:
    """Return the headers by which the proxy knows us."""
    if not proxy.location.userinfo:
        return {}
    login = ":".join(proxy.location.credentials)
    return dict(make_headers(proxy_basic_auth=login, proxy_basic_auth_encoding="utf-8"))


def is_public(address: str) -> bool:
    """Tell whether a server is on the Internet; "" is one behind a proxy, where all are."""
    return not address or PUBLIC.allows(address)
