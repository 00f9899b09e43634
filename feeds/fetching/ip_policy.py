"""The addresses, ports and host names that may be connected to. Pure: nothing here resolves or connects."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_interface, ip_network

from feeds.exceptions import ConfigurationError

IPAddress = IPv4Address | IPv6Address

# From IANA's special-purpose registries, all that is not a host on the public Internet. Our own table, because
# `is_global` changed between patch releases of Python and is true for multicast, 192.88.99.0/24, 3fff::/20 and others.
_REFUSED_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's own services, beside every virtual machine there
        "169.254.0.0/16",  # link-local; cloud metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, withdrawn
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved; broadcast
    )
)
_PUBLIC_IPV6 = IPv6Network("2000::/3")  # the only space that IANA gives out as global unicast
_REFUSED_IPV6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo among them: it embeds IPv4 addresses and is out of use
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
# Where clouds hand out credentials to whoever asks, and these as IPv6 addresses that lead there.
_METADATA = tuple(
    ip_network(network)
    for network in (
        "169.254.0.0/16",
        "168.63.129.16/32",  # Azure
        "100.100.100.200/32",  # Alibaba
        "192.0.0.192/32",  # Oracle
        "fd00:ec2::254/128",  # Amazon
        "fd20:ce::254/128",  # Google
        "fe80::/10",
        "::ffff:169.254.0.0/112",
        "64:ff9b::a9fe:0/112",
        "2002:a9fe::/32",
    )
)
WIDEST_PRIVATE = {4: 8, 6: 7}  # bits of 10.0.0.0/8 and of fc00::/7
_NAT64 = IPv6Network("64:ff9b::/96")

# Protocols that take the lines of an HTTP request for commands, or mail, database and login services: no feed
# is published there, and a feed URL must not make us connect to one.
# fmt: off
REFUSED_PORTS = frozenset(
    {
        7, 9, 11, 13, 19, 21, 22, 23, 25, 37, 42, 43, 53, 79, 110, 111, 113, 119, 123, 135, 137, 139, 143, 161, 179,
        389, 427, 445, 465, 512, 513, 514, 515, 540, 548, 554, 563, 587, 601, 636, 873, 989, 990, 993, 995, 1433,
        1521, 1723, 2049, 3306, 3389, 4190, 5060, 5432, 5672, 5900, 6000, 6379, 6667, 9042, 11211, 27017,
    }
)


class IPPolicy:
    """Which addresses may be connected to: public ones, and those in the networks that the operator allows."""

    def __init__(
        self,
        allowed_networks: Iterable[str] = (),
        *,
        setting: str = "FEEDS_ALLOWED_NETWORKS",
        hint: str = "",
    ) -> None:
        """Raise ConfigurationError, which names the setting, for what is no network."""
        self._allowed = tuple(_network(text, setting) for text in allowed_networks)
        self.hint = hint or f"{setting} names the private networks that are allowed"  # for those that are refused

    def allows(self, address: str | IPAddress) -> bool:
        """Tell whether `address` may be connected to; what is no address may not."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        reached = _reached(parsed)
        return self._is_allowed_network(parsed, reached) or _is_public(reached)

    def allows_port(self, address: str | IPAddress, port: int) -> bool:
        """Tell whether an allowed address may be connected to on this port."""
        if port not in REFUSED_PORTS:
            return True
        parsed = ip_address(address)
        return self._is_allowed_network(parsed, _reached(parsed))

    def _is_allowed_network(self, *addresses: IPAddress) -> bool:
        return any(address in network for network in self._allowed for address in addresses)


def network_warnings(allowed_networks: Iterable[str]) -> Iterator[str]:
    """Yield what is probably not meant in networks that are allowed."""
    for text in allowed_networks:
        network = _network(text)
        if str(network.network_address) != str(ip_interface(text.strip()).ip):
            yield f"FEEDS_ALLOWED_NETWORKS: {text} has bits set behind its prefix; it allows all of {network}"
        if network.prefixlen < WIDEST_PRIVATE[network.version]:
            yield f"FEEDS_ALLOWED_NETWORKS: {text} is wider than any private network; write down those that are needed"
        if any(network.version == other.version and network.overlaps(other) for other in _METADATA):
            yield f"FEEDS_ALLOWED_NETWORKS: {text} lets feeds read the credentials that clouds give to their machines"


def _network(text: str, setting: str = "FEEDS_ALLOWED_NETWORKS") -> IPv4Network | IPv6Network:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        raise ConfigurationError(f"{setting}: {text!r} is no network; write it like 10.0.0.0/8") from None


def _reached(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 address leads to, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:  # what IPv6-only hosts get for every IPv4-only name
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: IPAddress) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_IPV4)
    return address in _PUBLIC_IPV6 and not any(address in network for network in _REFUSED_IPV6)


LOCAL_NAMES = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa")
PUBLIC = IPPolicy()
EVERYWHERE = IPPolicy(["0.0.0.0/0", "::/0"])


def is_private_host(host: str) -> bool:
    """Tell whether a host is on a private network, as far as its name says: those are neither spaced nor paused."""
    if is_literal(host):
        return not PUBLIC.allows(host)
    return "." not in host or host.endswith(LOCAL_NAMES)


def is_literal(host: str) -> bool:
    """Tell whether a canonical host is an address; it is where it ends in a number."""
    return ":" in host or host.rpartition(".")[2].isdigit()
