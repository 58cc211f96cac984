"""Which addresses the outgoing client may connect to."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from store.model.errors import Invalid
from store.model.identity import shown

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# From the special-purpose registries of IANA. `ipaddress.is_global` alone is not enough: it is true for multicast and
# for the NAT64 and 6to4 forms of private addresses, and its answers differ between patch releases of Python.
DENIED_4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; one cloud's metadata is at 100.100.100.200
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's host agent, on a public number
        "169.254.0.0/16",  # link-local; most clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; one cloud's metadata is at 192.0.0.192
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
UNICAST_6: Final = IPv6Network("2000::/3")  # all that was ever given out as global unicast: the rest is denied
DENIED_6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, with Teredo, which holds an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds an IPv4 address
        "3fff::/20",  # documentation
    )
)
NAT64: Final = IPv6Network("64:ff9b::/96")  # how a network without IPv4 reaches all of it: judged by what it holds


def public(address: Address) -> bool:
    """Is this an address of somebody out there, whichever way it is written?"""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in DENIED_4)
    if address.scope_id is not None:
        return False
    if address in NAT64:
        return public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in UNICAST_6 and not any(address in network for network in DENIED_6)


def parse_address(text: str) -> Address | None:
    """The address that a literal without brackets stands for; None for a name."""
    try:
        return ip_address(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Allowed:
    """Addresses that the owner allows although they are not public: whole networks, or one port of an address."""

    networks: tuple[Network, ...] = ()
    sockets: frozenset[tuple[Address, int]] = frozenset()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> "Allowed":
        """`10.20.0.0/16`, `fd00:1::/64`, `127.0.0.1:8484` or `[::1]:8484`. Raises `Invalid`."""
        networks: list[Network] = []
        sockets: set[tuple[Address, int]] = set()
        for entry in entries:
            host, _, port = entry.rpartition(":")
            address = parse_address(host.removeprefix("[").removesuffix("]"))
            if address is not None and port.isascii() and port.isdecimal() and (address.version == 4 or host[0] == "["):
                sockets.add((address, int(port)))
                continue
            try:
                networks.append(ip_network(entry))
            except ValueError:
                raise Invalid(
                    f"{shown(entry)} cannot be allowed. Write a network (10.20.0.0/16) or an address with its port "
                    "(127.0.0.1:8484); a name would allow whatever it points to next.",
                    code="bad_allowed_address",
                ) from None
        return cls(tuple(networks), frozenset(sockets))

    def __contains__(self, where: tuple[Address, int]) -> bool:
        address, _ = where
        return where in self.sockets or any(address in network for network in self.networks)

    def __bool__(self) -> bool:
        return bool(self.networks or self.sockets)
