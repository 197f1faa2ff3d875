"""
Small HTTP servers that say who they are, and a client that asks through a proxy, for driver tests.

A traffic driver's contract is about real requests. Third parties who run the contract against a proxy
of their own need both, so they are public. Everything listens on 127.0.0.1 and ends with its context.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from tidegate.ports.traffic import Endpoint

_LOOPBACK: Final = "127.0.0.1"
_REASONS: Final = {200: "OK", 404: "Not Found", 500: "Internal Server Error"}


@dataclass(slots=True)
class Backend:
    """
    One member: answers every request with *name* as its body.

    `status` is what it answers with; None closes the connection instead. `delay_s` is how long an
    answer takes. `served` counts requests.
    """

    name: str
    status: int | None = 200
    delay_s: float = 0.0
    served: int = 0
    endpoint: Endpoint = field(default=Endpoint(host=_LOOPBACK, port=0))
    _server: asyncio.Server | None = None
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self, port: int = 0) -> None:
        """Listen on *port*, or on a free one."""
        self._server = await asyncio.start_server(self._accept, _LOOPBACK, port, backlog=1024)
        self.endpoint = Endpoint(host=_LOOPBACK, port=self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop as a killed process does: every connection ends at once."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = self.name.encode()
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            try:
                while True:
                    await reader.readuntil(b"\r\n\r\n")
                    self.served += 1
                    if self.delay_s:
                        await asyncio.sleep(self.delay_s)
                    if self.status is None:
                        return
                    reason = _REASONS.get(self.status, "Other")
                    head = f"HTTP/1.1 {self.status} {reason}\r\ncontent-length: {len(body)}\r\n\r\n"
                    writer.write(head.encode() + body)
                    await writer.drain()
            finally:
                writer.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: `status`, headers by lower-case name, `body`. Status 0: no answer at all."""

    status: int
    headers: Mapping[str, str]
    body: str


class Asker:
    """One connection that asks again and again, opened anew when it was closed."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, headers: Mapping[str, str] | None = None, *, method: str = "GET") -> Answer:
        """Send one request and return what came back. A refused or broken connection is status 0."""
        lines = [
            f"{method} / HTTP/1.1",
            "host: test",
            *(f"{k}: {v}" for k, v in (headers or {}).items()),
        ]
        if method != "GET":
            lines.append("content-length: 0")
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(
                    self._endpoint.host, self._endpoint.port
                )
            reader, writer = self._streams
            writer.write("\r\n".join([*lines, "", ""]).encode())
            answer = await _read_answer(reader)
        except (OSError, asyncio.IncompleteReadError) as exc:
            await self.close()
            return Answer(status=0, headers={}, body=repr(exc))
        if answer.headers.get("connection") == "close":
            await self.close()
        return answer

    async def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            writer = self._streams[1]
            self._streams = None
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def asker(endpoint: Endpoint) -> AsyncIterator[Asker]:
    """Give an `Asker` that is closed afterwards."""
    found = Asker(endpoint)
    try:
        yield found
    finally:
        await found.close()


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {}
    for line in head[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(status=int(head[0].split()[1]), headers=headers, body=body.decode())
