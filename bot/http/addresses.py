"""Addresses: from where a request came, also through proxies that we were told of."""

import ipaddress
from collections.abc import Collection
from typing import Final

from aiohttp import web

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

HEADER: Final = "X-Forwarded-For"
UNKNOWN: Final = "unknown"


class Addresses:
    """`proxies`: whose word on who asked them is taken, and nobody else's."""

    def __init__(self, proxies: Collection[Network]) -> None:
        self._proxies = tuple(proxies)

    def of(self, request: web.Request) -> str:
        """From the end of the chain to the first that is no proxy of ours: what stands before that, anybody may have written."""
        found = _ip(request.remote or "")
        if found is None:
            return UNKNOWN
        hops = [hop for line in request.headers.getall(HEADER, []) for hop in line.split(",")]
        while hops and self._trusted(found):
            before = _ip(hops.pop().strip())
            if before is None:
                break
            found = before
        return str(found)

    def _trusted(self, address: Ip) -> bool:
        return any(address in network for network in self._proxies if network.version == address.version)


def _ip(text: str) -> Ip | None:
    """Also as some proxies write it, with a port; an IPv4 address in IPv6 clothes is that IPv4 address."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
