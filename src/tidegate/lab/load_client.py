"""
The load's own HTTP client: kept-alive connections, one request on each at a time, nothing forgiven.

Nothing is retried. What a user would have lost is lost: no connection, a reset, no answer in time, or an
answer that was cut off. Only so can the lab say that a change of exposure lost no request.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

VERSION_HEADER: Final = b"x-demo-version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What became of one request. `status` is None when it was lost.

    `version` is who answered, as the answer says; empty when there was none, or a proxy answered.
    """

    status: int | None
    version: str = ""


LOST: Final = Outcome(status=None)


class HttpPool:
    """
    Connections to one address.

    `busy` never exceeds *maximum*; whoever sends must look at it first, since waiting for a free
    connection would turn an open-loop load into one that slows down with the service.
    """

    def __init__(
        self, *, host: str, port: int, timeout_seconds: float = 5.0, maximum: int = 2_000
    ) -> None:
        self.maximum = maximum
        self.busy = 0
        self._host = host
        self._port = port
        self._timeout_seconds = timeout_seconds
        self._idle: list[_Connection] = []

    async def send(self, request: bytes) -> Outcome:
        """Send one whole *request* and return what became of it. Never raises for the network."""
        self.busy += 1
        connection: _Connection | None = None
        try:
            async with asyncio.timeout(self._timeout_seconds):
                connection = self._take() or await self._connect()
                outcome = await connection.exchange(request)
        except (TimeoutError, OSError):
            if connection is not None:
                connection.abort()
            return LOST
        finally:
            self.busy -= 1
        if connection.is_usable:
            self._idle.append(connection)
        else:
            connection.abort()
        return outcome

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().abort()

    def _take(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
        return None

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port)
        return connection


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.is_usable = True
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._waiter: asyncio.Future[Outcome] | None = None

    async def exchange(self, request: bytes) -> Outcome:
        transport = self._transport
        if transport is None or transport.is_closing():
            return LOST
        self._waiter = asyncio.get_running_loop().create_future()
        transport.write(request)
        return await self._waiter

    def abort(self) -> None:
        self.is_usable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_usable = False
        self._transport = None
        version = "" if self._head is None else self._head.version
        self._settle(Outcome(status=None, version=version))

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            # An answer to nothing: this connection can't be trusted to stay in step.
            self.abort()
            return
        self._buffer += data
        if self._head is None:
            self._head = _take_head(self._buffer)
        head = self._head
        if head is None:
            return
        if head.body_bytes is None:
            self.is_usable = False
        elif len(self._buffer) < head.body_bytes:
            return
        elif head.close or len(self._buffer) > head.body_bytes:
            self.is_usable = False
        self._buffer.clear()
        self._head = None
        self._settle(Outcome(status=head.status, version=head.version))

    def _settle(self, outcome: Outcome) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """The first part of an answer. `body_bytes` is None when its end can't be told beforehand."""

    status: int
    version: str
    body_bytes: int | None
    close: bool


def _take_head(buffer: bytearray) -> _Head | None:
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = bytes(buffer[:end]).split(b"\r\n")
    del buffer[: end + 4]
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        headers[name.strip().lower()] = value.strip()
    length = headers.get(b"content-length", b"")
    return _Head(
        status=int(first[9:12]) if first[9:12].isdigit() else 0,
        version=headers.get(VERSION_HEADER, b"").decode("latin-1"),
        body_bytes=int(length) if length.isdigit() else None,
        close=headers.get(b"connection", b"").lower() == b"close",
    )
