"""Which addresses a picture may be fetched from.

Pictures come from strangers, and so do their URLs: a URL must never make this process talk to
itself, its neighbours or a cloud's metadata service.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult

from streamproc.errors import FetchRefused

Address: TypeAlias = IPv4Address | IPv6Address
AddressRule: TypeAlias = Callable[[Address], bool]
"""True for an address that may be connected to."""

# Beyond what every supported version of `ipaddress` knows to be special.
_SPECIAL: Final = tuple(
    ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata service lies here
        "192.88.99.0/24",  # relays of 6to4
        "168.63.129.16/32",  # Azure's wire server
        "3fff::/20",  # documentation
    )
)
_UNICAST_V6: Final = ip_network("2000::/3")
_NAT64: Final = ip_network("64:ff9b::/96")
_HOST_NAME: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, seen through every wrapping of v4 in v6."""
    inner = _embedded_v4(address)
    if inner is not None:
        return is_public(inner)
    if isinstance(address, IPv6Address) and (address.scope_id or address not in _UNICAST_V6):
        return False
    special = any(network.version == address.version and address in network for network in _SPECIAL)
    return address.is_global and not (special or address.is_multicast or address.is_reserved)


def any_address(address: Address) -> bool:
    """The rule that allows every address: for tests and for networks with pictures of their own."""
    return True


def _embedded_v4(address: Address) -> IPv4Address | None:
    """The v4 address that a mapped, 6to4 or NAT64 address leads to."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def literal_address(host: str) -> Address | None:
    """The address that a URL's host is written as, or `None` for a name.

    Args:
        host: without brackets, lower case, in its ASCII form.

    Raises:
        FetchRefused: neither a name nor an address in its plain form. Resolvers read `127.1`,
            `0x7f000001` or `2130706433` as addresses too; no honest URL writes them.
    """
    try:
        return ip_address(host)
    except ValueError:
        pass
    if not _HOST_NAME.fullmatch(host):
        raise FetchRefused("the URL's host is neither a name nor an address")
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        raise FetchRefused(f"{host} is an address in an unusual form")
    return None


def check_address(host: str, address: Address, permits: AddressRule) -> None:
    """Let a permitted address pass.

    Raises:
        FetchRefused: the rule does not permit it.
    """
    if not permits(address):
        where = host if host == str(address) else f"{host} ({address})"
        raise FetchRefused(f"{where} is not a public address")


class CheckedResolver(AbstractResolver):
    """Resolves names for aiohttp, which connects to exactly what this returns.

    A name of which any address is not permitted is refused as a whole: a mix of public and
    private addresses is how a name is rebound between the check and the connection.

    Args:
        inner: asks the name servers.
        permits: the rule for addresses.
    """

    def __init__(self, inner: AbstractResolver, permits: AddressRule) -> None:
        self._inner = inner
        self._permits = permits

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses of a host, all of them permitted.

        Raises:
            FetchRefused: one of them is not.
            OSError: the name cannot be resolved, or has no address.
        """
        results = await self._inner.resolve(host, port, family)
        if not results:
            # aiohttp would look for the first one all the same.
            raise OSError(f"{host} has no address")
        for result in results:
            check_address(host, ip_address(result["host"]), self._permits)
        return results

    async def close(self) -> None:
        """Give back what the inner resolver holds."""
        await self._inner.close()
