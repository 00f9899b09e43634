"""Connect to a host by name: to addresses that the policy allows, and to no others."""

import errno
import os
import selectors
import socket
from functools import partial

from feeds.fetching.deadline import Deadline
from feeds.fetching.ip_policy import IPPolicy
from feeds.fetching.resolver import AddressInfo, Resolver, SocketAddress
from feeds.fetching.sockets import TimedSocket, TransportError
from feeds.outcomes import FailureKind

MAX_ADDRESSES = 4  # of one name, that are tried in turn


class Dialer:
    """Opens sockets to addresses that the policy allows, and to no others."""

    def __init__(self, policy: IPPolicy, resolver: Resolver, *, connect_timeout: float, read_timeout: float) -> None:
        self._policy = policy
        self._resolver = resolver
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout

    def dial(self, host: str, port: int, deadline: Deadline) -> TimedSocket:
        """Return a connected socket that ends with `deadline`."""
        addresses = self._checked_addresses(host, port, deadline)[:MAX_ADDRESSES]
        failure = TransportError(FailureKind.DNS, f"{host} has no address")
        with deadline.connecting():
            for family, sockaddr in addresses:
                try:
                    return self._connected(family, sockaddr, deadline)
                except OSError as error:
                    failure = _connect_failure(host, port, error)
            raise failure

    def check_literal(self, host: str, port: int) -> None:
        """Raise TransportError where `host` is an address that is refused; a name passes."""
        if is_literal(host):
            self._check(host, host, port)

    def _checked_addresses(self, host: str, port: int, deadline: Deadline) -> list[tuple[int, SocketAddress]]:
        if is_literal(host):
            self._check(host, host, port)
            return [(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port))]
        addresses = [(info[0], info[4]) for info in self._look_up(host, port, deadline)]
        # One refused address refuses the name: an honest one has none, and a dishonest one gets no choice. What is
        # checked here is what is connected to, so a name that changes its address afterwards changes nothing.
        for _, sockaddr in addresses:
            self._check(host, sockaddr[0], port)
        return addresses

    def _look_up(self, host: str, port: int, deadline: Deadline) -> list[AddressInfo]:
        try:
            return self._resolver.resolve(host, port, deadline, self._connect_timeout)
        except TimeoutError:
            raise TransportError(
                FailureKind.DNS, f"{host} was not resolved in {self._connect_timeout:g} seconds"
            ) from None
        except (OSError, UnicodeError) as error:
            raise TransportError(FailureKind.DNS, _look_up_failure(host, error)) from error

    def _check(self, host: str, address: str, port: int) -> None:
        if not self._policy.allows(address):
            name = address if address == host else f"{host} ({address})"
            raise TransportError(
                FailureKind.REFUSED_ADDRESS,
                f"{name} is not a public address; FEEDS_ALLOWED_NETWORKS names the private networks that are allowed",
            )
        if not self._policy.allows_port(address, port):
            raise TransportError(FailureKind.REFUSED_ADDRESS, f"port {port} is for other services than HTTP")

    def _connected(self, family: int, sockaddr: SocketAddress, deadline: Deadline) -> TimedSocket:
        sock = TimedSocket(family, socket.SOCK_STREAM)
        sock.deadline, sock.read_timeout = deadline, self._read_timeout
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            if (number := sock.connect_ex(sockaddr)) not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
                raise OSError(number, os.strerror(number))
            deadline.wait(partial(_wait_until_connected, sock), self._connect_timeout)
        except BaseException:
            sock.close()
            raise
        return sock


def _wait_until_connected(sock: socket.socket, seconds: float) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_WRITE)
        if not selector.select(seconds):
            raise TimeoutError
    if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(number, os.strerror(number))


def is_literal(host: str) -> bool:
    """Tell whether a canonical host is an address; it is where it ends in a number."""
    return ":" in host or host.rpartition(".")[2].isdigit()


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
