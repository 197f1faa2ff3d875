"""
Asks an Envoy through its admin interface
(https://www.envoyproxy.io/docs/envoy/v1.40.0/operations/admin).

It knows requests and their JSON, not what the answers mean. Any failure is an `EnvoyAdminError`,
which each driver translates into the error of its own port.
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from tidegate.drivers.envoy.layout import AdminAddress

_MAX_SOCKET_PATH_BYTES: Final = 100  # the kernel takes 108 with the closing zero
_MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024  # the whole statistics page of 1,000 services is 24 MB

Json = Mapping[str, Any]


class EnvoyAdminError(Exception):
    """An Envoy's admin interface can't be reached or gave no usable answer."""


class EnvoyAdmin:
    """One open connection to an admin interface. Made by `open_admin`."""

    def __init__(self, client: httpx.AsyncClient, address: AdminAddress) -> None:
        self._client = client
        self._address = address

    async def get(self, path: str, parameters: Mapping[str, str]) -> Json:
        """Return the JSON object at *path*."""
        return await self._get(path, parameters)

    async def _get(
        self, path: str, parameters: Mapping[str, str], *, none_on: int | None = None
    ) -> Json:
        answer = await self._send("GET", path, parameters, none_on=none_on)
        if answer.status_code == none_on:
            return {}
        try:
            found = answer.json()
        except ValueError as exc:
            raise EnvoyAdminError(f"{self._address}{path} didn't answer with JSON") from exc
        if not isinstance(found, dict):
            raise EnvoyAdminError(f"{self._address}{path} didn't answer with an object")
        return found

    async def post(self, path: str) -> None:
        """Ask for the action at *path*."""
        await self._send("POST", path, {})

    async def config(self, resource: str, name_pattern: str) -> list[Json]:
        """Return the entries of the config dump of one kind whose names match *name_pattern*."""
        parameters = {"resource": resource, "name_regex": name_pattern}
        # While an Envoy has nothing of a kind it answers 404.
        found = await self._get("/config_dump", parameters, none_on=httpx.codes.NOT_FOUND)
        return list(found.get("configs", ()))

    async def counts(self, name_pattern: str) -> dict[str, int]:
        """Return the used counters and gauges whose names match *name_pattern*."""
        found = await self.get("/stats", {"format": "json", "usedonly": "", "filter": name_pattern})
        return {entry["name"]: entry["value"] for entry in found["stats"] if "value" in entry}

    async def _send(
        self, method: str, path: str, parameters: Mapping[str, str], *, none_on: int | None = None
    ) -> httpx.Response:
        try:
            answer = await self._client.request(method, path, params=parameters)
        except httpx.HTTPError as exc:
            raise EnvoyAdminError(
                f"the admin interface at {self._address} doesn't answer: {str(exc) or type(exc).__name__}"
            ) from exc
        if answer.status_code not in (httpx.codes.OK, none_on):
            raise EnvoyAdminError(
                f"{self._address}{path} answered {answer.status_code}: {answer.text[:200].strip()}"
            )
        if len(answer.content) > _MAX_ANSWER_BYTES:
            raise EnvoyAdminError(f"{self._address}{path} answered {len(answer.content)} bytes")
        return answer


@asynccontextmanager
async def open_admin(address: AdminAddress, *, answer_within_s: float) -> AsyncIterator[EnvoyAdmin]:
    """Give a connection to the admin interface at *address* that is closed again afterwards."""
    # A proxy named in the environment must not see, or break, what is asked on this machine.
    if address.socket is None:
        transport = httpx.AsyncHTTPTransport(verify=False)
        async with httpx.AsyncClient(
            transport=transport,
            base_url=f"http://{address.authority}",
            timeout=answer_within_s,
            trust_env=False,
        ) as client:
            yield EnvoyAdmin(client, address)
        return
    with _Reachable(address.socket) as path:
        transport = httpx.AsyncHTTPTransport(uds=path, verify=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://envoy", timeout=answer_within_s, trust_env=False
        ) as client:
            yield EnvoyAdmin(client, address)


class _Reachable:
    """
    Gives a socket a path short enough for the kernel, however deep its folder lies.

    A long one is reached through an open descriptor of its folder.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._descriptor: int | None = None

    def __enter__(self) -> str:
        path = str(self._socket)
        if len(path.encode()) <= _MAX_SOCKET_PATH_BYTES:
            return path
        try:
            self._descriptor = os.open(self._socket.parent, os.O_PATH | os.O_DIRECTORY)
        except OSError as exc:
            raise EnvoyAdminError(f"there is no folder {self._socket.parent}") from exc
        return f"/proc/self/fd/{self._descriptor}/{self._socket.name}"

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
