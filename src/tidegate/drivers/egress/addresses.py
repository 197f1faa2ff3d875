"""
Which addresses may be connected to, pure.

An address is judged by what it reaches in the end. One that carries an IPv4 address inside (mapped, 6to4,
NAT64, Teredo) is refused unless an operator names its network, and then the one inside is judged too. What
isn't known to be fit for the public internet isn't.

Sources: the IANA special-purpose address registries (RFC 6890), RFC 4291 2.5.5, RFC 3056, RFC 6052,
RFC 4380; the metadata addresses are those that cloud providers document.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AddressKind(StrEnum):
    """Where an address leads."""

    GLOBAL = "global"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    LINK_LOCAL = "link-local"
    METADATA = "metadata"
    """Where a cloud hands secrets to whoever asks from inside."""
    SPECIAL = "special"
    """Multicast, reserved, unspecified, for documentation: nothing to fetch is there."""


METADATA: Final = frozenset(
    map(
        ipaddress.ip_address,
        (
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "169.254.0.23",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
        ),
    )
)
_PRIVATE: Final = tuple(
    map(
        ipaddress.ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10"),
    )
)
_RELAYS: Final = ipaddress.ip_network("192.88.99.0/24")
"""Where 6to4 was taken in (RFC 7526); it would carry the request to an address nobody judged."""
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL: Final = ipaddress.ip_network("64:ff9b:1::/48")
_COMPATIBLE: Final = ipaddress.ip_network("::/96")
_ISATAP: Final = (0x00005EFE, 0x02005EFE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPolicy:
    """
    Which addresses are let through: those of *kinds*, and those in *networks*, which an operator names.

    A metadata address is let through only by a network of that one address: nobody who opens a wide
    range means it.
    """

    kinds: frozenset[AddressKind] = frozenset({AddressKind.GLOBAL})
    networks: tuple[Network, ...] = ()

    def refusal(self, address: Address) -> str | None:
        """Return why *address* isn't let through, None when it is."""
        carried = [*_carried(address)]
        if carried:
            if not self._is_named(address):
                return f"{address} is an IPv4 address in the form of another"
            return next((why for one in carried if (why := self.refusal(one))), None)
        kind = kind_of(address)
        if kind in self.kinds:
            return None
        needed = address.max_prefixlen if kind is AddressKind.METADATA else 0
        if self._is_named(address, prefix_at_least=needed):
            return None
        return f"{address} is a {kind} address"

    def _is_named(self, address: Address, *, prefix_at_least: int = 0) -> bool:
        return any(
            address in network and network.prefixlen >= prefix_at_least
            for network in self.networks
            if network.version == address.version
        )


def kind_of(address: Address) -> AddressKind:
    """Return where *address* itself leads."""
    if address in METADATA:
        return AddressKind.METADATA
    if address.is_link_local:
        return AddressKind.LINK_LOCAL
    if address.is_loopback:
        return AddressKind.LOOPBACK
    if any(address in network for network in _PRIVATE if network.version == address.version):
        return AddressKind.PRIVATE
    if address.is_multicast or not address.is_global or address in _RELAYS:
        return AddressKind.SPECIAL
    return AddressKind.GLOBAL


def parse_networks(written: str) -> tuple[Network, ...]:
    """
    Return the networks of a list with commas or spaces between.

    Raises:
        ValueError: one isn't a network, or has bits set behind its prefix.
    """
    return tuple(map(ipaddress.ip_network, written.replace(",", " ").split()))


def _carried(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """Yield every IPv4 address that *address* carries inside."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    number = int(address)
    last = ipaddress.IPv4Address(number & 0xFFFF_FFFF)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    is_compatible = address in _COMPATIBLE and number > 1
    if is_compatible or address in _NAT64 or address in _NAT64_LOCAL:
        yield last
    if (number >> 32) & 0xFFFF_FFFF in _ISATAP:
        yield last
