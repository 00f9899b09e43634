"""Connect to a host by name: to addresses that the policy allows, and to no others."""

import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from itertools import chain, zip_longest

from feeds.fetching.deadline import Deadline
from feeds.fetching.ip_policy import IPPolicy, is_literal
from feeds.fetching.resolver import GetAddressInfo, Resolver, SocketAddress
from feeds.fetching.sockets import Budget, TimedSocket, TransportError
from feeds.fetching.values import Admit, FetchSettings, always
from feeds.outcomes import FailureKind

MAX_ADDRESSES = 16  # of one name, that are tried
ATTEMPT_DELAY = 0.25  # seconds after which the next address is tried beside those before (RFC 8305 §5)

Address = tuple[int, SocketAddress]  # its family first
Connect = Callable[[socket.socket, SocketAddress], object]


class Dialer:
    """Opens sockets to addresses that a policy allows, and to no others."""

    def __init__(self, settings: FetchSettings, getaddrinfo: GetAddressInfo, connect: Connect) -> None:
        self._settings = settings
        self._resolver = Resolver(getaddrinfo)
        self._connect = connect
        self._family: int | None = None  # that was the first to connect where there was a choice: it begins next time

    def dial(self, host: str, port: int, policy: IPPolicy, deadline: Deadline, admit: Admit = always) -> TimedSocket:
        """Return a connected socket that ends with `deadline`, if it is the host's turn at its address."""
        addresses = self.look_up(host, port, policy, deadline, admit)
        try:
            with closing(_Race(addresses, self._connect)) as race, deadline.connecting():
                sock = deadline.wait(race.run, self._settings.connect_timeout)
        except OSError as error:
            raise _connect_failure(host, port, error) from error
        if len({family for family, _ in addresses}) > 1:
            self._family = sock.family
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.deadline, sock.read_timeout, sock.budget = deadline, self._settings.read_timeout, Budget()
        return sock

    def look_up(self, host: str, port: int, policy: IPPolicy, deadline: Deadline, admit: Admit) -> list[Address]:
        """Return the addresses to try, in their order; at least one."""
        found = self._addresses(host, port, deadline)
        if not found:
            raise TransportError(FailureKind.DNS, f"{host} has no address")
        # One refused address refuses the name: an honest one has none, and a dishonest one gets no choice. What is
        # checked here is what is connected to, so a name that changes its address afterwards changes nothing.
        for _, sockaddr in found:
            check_address(policy, host, sockaddr[0], port)
        addresses = interleaved(found, self._family)[:MAX_ADDRESSES]
        # A server with several addresses is known by one of them: by which does not matter, if it is always the same.
        check_pace(admit, host, min(sockaddr[0] for _, sockaddr in addresses))
        return addresses

    def _addresses(self, host: str, port: int, deadline: Deadline) -> list[Address]:
        if is_literal(host):
            return [(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port))]
        longest = self._settings.connect_timeout
        try:
            with deadline.timed("dns"):
                return [(info[0], info[4]) for info in self._resolver.resolve(host, port, deadline, longest)]
        except TimeoutError:
            raise TransportError(FailureKind.DNS, f"{host} was not resolved in {longest:g} seconds") from None
        except (OSError, UnicodeError) as error:
            raise TransportError(FailureKind.DNS, _look_up_failure(host, error)) from error


def check_address(policy: IPPolicy, host: str, address: str, port: int) -> None:
    """Raise TransportError where the policy refuses an address of a host, or the port there."""
    if not policy.allows(address):
        name = address if address == host else f"{host} ({address})"
        raise TransportError(FailureKind.REFUSED_ADDRESS, f"{name} is not a public address; {policy.hint}")
    if not policy.allows_port(address, port):
        raise TransportError(FailureKind.REFUSED_ADDRESS, f"port {port} is for other services than HTTP")


def check_pace(admit: Admit, host: str, address: str = "") -> None:
    """Raise TransportError where a request must not be made now."""
    if not admit(host, address):
        raise TransportError(FailureKind.TOO_MANY, f"it is not yet the turn of {host}")


class _Race:
    """Tries addresses one after the other, and side by side where one takes long: the first to connect wins."""

    def __init__(self, addresses: Iterable[Address], connect: Connect) -> None:
        self._connect = connect
        self._addresses = deque(addresses)
        self._next_at = 0.0  # when the next one begins
        self._selector = selectors.DefaultSelector()  # of those that are under way
        self._failure = OSError()

    def run(self, seconds: float) -> TimedSocket:
        """Return the winner; raise TimeoutError after `seconds`, or how the last one failed where all did."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            if self._addresses and now >= self._next_at:
                self._begin(*self._addresses.popleft())
            if not self._addresses and not self._selector.get_map():
                raise self._failure
            if winner := self._look(min(end, self._next_at if self._addresses else end) - now):
                return winner
        raise TimeoutError

    def close(self) -> None:
        """Close all but the winner."""
        for key in list(self._selector.get_map().values()):
            key.data.close()
        self._selector.close()

    def _begin(self, family: int, sockaddr: SocketAddress) -> None:
        self._next_at = time.monotonic() + ATTEMPT_DELAY
        try:
            sock = TimedSocket(family, socket.SOCK_STREAM)
        except OSError as error:  # a system without IPv6
            self._fail(error)
            return
        sock.address = sockaddr[0]
        self._selector.register(sock, selectors.EVENT_WRITE, sock)
        sock.setblocking(False)
        try:
            with suppress(BlockingIOError):
                self._connect(sock, sockaddr)
        except OSError as error:
            self._selector.unregister(sock)
            sock.close()
            self._fail(error)

    def _look(self, seconds: float) -> TimedSocket | None:
        """Wait at most so long for one to connect; where one fails instead, the next begins at once."""
        for key, _ in self._selector.select(max(0.0, seconds)):
            sock: TimedSocket = key.data
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._selector.unregister(sock)
            if not number:
                return sock
            sock.close()
            self._fail(OSError(number, os.strerror(number)))
        return None

    def _fail(self, error: OSError) -> None:
        self._failure, self._next_at = error, 0.0


def interleaved(addresses: Iterable[Address], first: int | None) -> list[Address]:
    """Return the addresses with their families alternating (RFC 8305 §4).

    They begin with the family `first`; where there is none of that, or it is None, with that of the first address.
    """
    families: dict[int, list[Address]] = {first: []} if first else {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    return [address for address in chain(*zip_longest(*families.values())) if address]


def _look_up_failure(host: str, error: Exception) -> str:
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return f"the name server gave no answer for {host}"
    return f"{host} does not resolve to an address"


def _connect_failure(host: str, port: int, error: OSError) -> TransportError:
    if isinstance(error, TimeoutError):
        return TransportError(FailureKind.TIMEOUT, f"{host} did not take the connection to port {port} in time")
    if isinstance(error, ConnectionRefusedError):
        return TransportError(FailureKind.CONNECT, f"{host} refuses connections to port {port}")
    return TransportError(FailureKind.CONNECT, f"{host}, port {port}: {error.strerror or error}")
