"""Name services for a fetcher, which know what a test says."""

import socket
from collections.abc import Callable

from feeds.fetching.resolver import AddressInfo, GetAddressInfo


def name_service(*addresses: str) -> GetAddressInfo:
    """Return a name service that knows these addresses for every name."""
    return lambda host, port, **_: [_info(address, port) for address in addresses]


def directory(look_up: Callable[[str], str]) -> GetAddressInfo:
    """Return a name service that has one address for each name."""
    return lambda host, port, **_: [_info(look_up(host), port)]


def _info(address: str, port: int) -> AddressInfo:
    if ":" in address:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)
