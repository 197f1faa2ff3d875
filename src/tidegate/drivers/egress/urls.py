"""
Reading an address that somebody wrote, strictly, pure.

Two programs that read one text as two hosts are how a check is got around. So there is one spelling: plain
host names, IPv4 as four decimal numbers, IPv6 in brackets. Anything that some resolver or library would
also understand (2130706433, 0x7f.1, 127.1, a name with a user before it) is refused and not interpreted.

Source: RFC 3986 3.2; WHATWG URL, host parsing, for what browsers take for numbers.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from tidegate.drivers.egress.addresses import Address

MAX_URL: Final = 65_536
"""What the HTTP library takes; queries of PromQL are long."""
MAX_NAME: Final = 253

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<rest>(?:[/?][!-\"$-\[\]-~]*)?)"
)
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
"""With the underscore, which is in no host's name by RFC 952 and in many of containers."""
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a request goes: `host` in small letters; `address` when the host is one."""

    scheme: str
    host: str
    port: int
    address: Address | None


def read_url(url: str) -> Destination:
    """
    Return where *url* leads.

    Raises:
        ValueError: it isn't plain; the message says what of it.
    """
    if len(url) > MAX_URL:
        raise ValueError(f"it is longer than {MAX_URL} characters")
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError(
            "it isn't http(s)://HOST[:PORT][/PATH] with a plain host and without a user, a fragment or"
            " a backslash"
        )
    scheme = match["scheme"]
    port = int(match["port"] or (443 if scheme == "https" else 80))
    if port > 65535:
        raise ValueError(f"there is no port {port}")
    host, address = read_host(match["host"])
    return Destination(scheme=scheme, host=host, port=port, address=address)


def read_host(written: str) -> tuple[str, Address | None]:
    """Return a host in small letters, and the address that it is. Raises ValueError."""
    host = written.lower()
    if host.startswith("["):
        return host, ipaddress.IPv6Address(host[1:-1])
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1] or (labels[-2] if len(labels) > 1 else "")):
        try:
            # Python refuses leading zeros, short forms and anything but four decimal numbers.
            return host, ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError(f"{host} isn't an IPv4 address in its plain form") from None
    if len(host) > MAX_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError(f"{host[:80]} isn't a plain host name")
    return host, None
