"""
A transport of httpx that looks where a request goes before it connects, and connects there.

The name is resolved once, every address that comes back is judged, and the connection is made to one of
those: an answer that changes between check and use (DNS rebinding) changes nothing. Server name and Host
header stay those of the name, so certificates are checked as ever. Connections are kept per name, because
one that was made for a name proves nothing for another name at the same address.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import httpx

from tidegate.drivers.egress.addresses import Address, AddressPolicy
from tidegate.drivers.egress.urls import Destination, read_url

RESOLVES_WITHIN_SECONDS: Final = 5.0

Resolve = Callable[[str, int], Awaitable[list[Address]]]
"""Returns the addresses of a name, for a port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressPolicy:
    """
    Who may be talked to.

    `hosts` are the names or addresses that this integration may reach, None for any. `addresses` says
    where they may lead. `plain_to` are the hosts that may be reached without TLS, None for any.
    """

    addresses: AddressPolicy
    hosts: frozenset[str] | None
    plain_to: frozenset[str] | None = frozenset()


class DestinationRefusedError(httpx.TransportError):
    """The policy refuses where the request leads. No connection was made."""


class GuardedTransport(httpx.AsyncBaseTransport):
    """Lets through what the policy allows, to exactly the address that was judged."""

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        resolve: Resolve | None = None,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = policy
        self._resolve = resolve or resolve_name
        self._verify = verify or httpx.create_ssl_context(trust_env=False)
        self._pools: dict[tuple[str, str, int], httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* to the address that it was allowed to go to."""
        try:
            destination = read_url(str(request.url))
        except ValueError as exc:
            raise DestinationRefusedError(f"its address can't be used: {exc}") from None
        self._check_host(destination)
        address = await self._checked_address(destination)
        written = f"[{address}]" if address.version == 6 else str(address)
        pinned = httpx.Request(
            request.method,
            request.url.copy_with(host=written),
            headers=[*_without_host(request), ("host", request.url.netloc.decode("ascii"))],
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": destination.host.strip("[]")},
        )
        return await self._pool(destination).handle_async_request(pinned)

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            await pool.aclose()

    def _check_host(self, destination: Destination) -> None:
        policy = self._policy
        if policy.hosts is not None and destination.host not in policy.hosts:
            raise DestinationRefusedError(
                f"{destination.host} isn't on the list of this integration"
            )
        if (
            destination.scheme == "http"
            and policy.plain_to is not None
            and destination.host not in policy.plain_to
        ):
            raise DestinationRefusedError(f"{destination.host} is only reached by https")

    async def _checked_address(self, destination: Destination) -> Address:
        if destination.address is not None:
            found = [destination.address]
        else:
            found = await self._resolved(destination)
        for address in found:
            # One bad address among good ones is no mistake that an honest name makes.
            refusal = self._policy.addresses.refusal(address)
            if refusal is not None:
                raise DestinationRefusedError(f"{destination.host} leads inside: {refusal}")
        return found[0]

    async def _resolved(self, destination: Destination) -> list[Address]:
        try:
            async with asyncio.timeout(RESOLVES_WITHIN_SECONDS):
                found = await self._resolve(destination.host, destination.port)
        except (OSError, UnicodeError, TimeoutError) as exc:
            raise httpx.ConnectError(f"{destination.host} has no address: {exc}") from exc
        if not found:
            raise httpx.ConnectError(f"{destination.host} has no address")
        return found

    def _pool(self, destination: Destination) -> httpx.AsyncHTTPTransport:
        key = (destination.scheme, destination.host, destination.port)
        if key not in self._pools:
            self._pools[key] = httpx.AsyncHTTPTransport(
                verify=self._verify, trust_env=False, retries=0
            )
        return self._pools[key]


async def resolve_name(host: str, port: int) -> list[Address]:
    """Return the addresses of *host* as this machine resolves it, in its order, each once."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A zone (`fe80::1%eth0`) makes the text no address: it is link-local and refused all the same.
    written = dict.fromkeys(str(where[0]).partition("%")[0] for *_, where in found)
    return [ipaddress.ip_address(one) for one in written]


def _without_host(request: httpx.Request) -> list[tuple[str, str]]:
    return [(name, value) for name, value in request.headers.multi_items() if name != "host"]
