"""
A tiny HTTP/1.1 server for the lab's own services: keep-alive, a handler, and an honest drain.

It exists so that the lab needs no other package and one process serves thousands of requests a second
beside everything else on a small machine. It speaks plain HTTP/1.1 with bodies of known length, which
is what proxies, browsers and our load speak; anything else is refused with the status for it.

Not here: what is served, and anything meant for production.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

MAXIMUM_HEAD_BYTES: Final = 16 * 1024
MAXIMUM_BODY_BYTES: Final = 64 * 1024

_PHRASES: Final = {int(status): status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, whole. Header names are in lower case; the path is without its query."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    keep_alive: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One response. Length and connection headers are the server's business."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


Handler = Callable[[Request], Awaitable[Response]]


class WebServer:
    """Serves one handler. Each connection has one request at a time; later ones wait in its buffer."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.draining = False
        self._stopped = False
        self._connections: set[_Connection] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._listener: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """
        Listen and return the port, which is a free one when *port* is 0.

        Raises:
            OSError: the address can't be bound.
        """
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: _Connection(self), host, port, backlog=512
        )
        bound: int = self._listener.sockets[0].getsockname()[1]
        return bound

    async def drain(self, *, idle_grace_seconds: float) -> None:
        """
        Stop listening, answer what is in flight, and return when the last connection is gone.

        Answers say `connection: close` from now on. A connection without a request stays open for
        *idle_grace_seconds*, since its client may be sending one this very moment.
        """
        self.draining = True
        if self._listener is not None:
            self._listener.close()
        try:
            async with asyncio.timeout(idle_grace_seconds):
                await self._empty.wait()
        except TimeoutError:
            for connection in tuple(self._connections):
                connection.close_when_idle()
            await self._empty.wait()

    async def stop(self) -> None:
        """Stop at once, dropping what is in flight, as a process that is killed does."""
        self._stopped = True
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self._connections):
            connection.abort()
        await self._empty.wait()

    def joined(self, connection: "_Connection") -> None:
        """Note that *connection* is open."""
        self._connections.add(connection)
        self._empty.clear()
        if self._stopped:
            # Accepted just before the listener closed.
            connection.abort()

    def left(self, connection: "_Connection") -> None:
        """Note that *connection* is closed."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()


class _RefusedError(Exception):
    """What was sent can't be served; the connection ends with this status."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class _Connection(asyncio.Protocol):
    def __init__(self, server: WebServer) -> None:
        self._server = server
        self._buffer = bytearray()
        self._task: asyncio.Future[Response] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        # The handler goes on: a client that hung up doesn't undo what it asked for.
        self._transport = None
        self._server.left(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._task is None:
            self._advance()
        elif self._transport is not None and len(self._buffer) > MAXIMUM_BODY_BYTES:
            self._transport.pause_reading()

    def close_when_idle(self) -> None:
        if self._task is None and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _advance(self) -> None:
        """Begin with the next request if the buffer holds a whole one."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        try:
            request = _take_request(self._buffer)
        except _RefusedError as refused:
            body = f"{refused}\n".encode()
            transport.write(_encode(Response(status=refused.status, body=body), close=True))
            transport.close()
            return
        if request is None:
            return
        self._task = asyncio.ensure_future(self._server.handler(request))
        self._task.add_done_callback(lambda task: self._answer(request, task))

    def _answer(self, request: Request, task: asyncio.Future[Response]) -> None:
        self._task = None
        transport = self._transport
        if task.cancelled() or task.exception() is not None:
            self.abort()
            if not task.cancelled():
                context = {"message": "a handler failed", "exception": task.exception()}
                asyncio.get_running_loop().call_exception_handler(context)
            return
        if transport is None or transport.is_closing():
            return
        close = self._server.draining or not request.keep_alive
        transport.write(_encode(task.result(), close=close, head_only=request.method == "HEAD"))
        if close:
            transport.close()
            return
        transport.resume_reading()
        self._advance()


def _take_request(buffer: bytearray) -> Request | None:
    """Cut the first request out of *buffer*; None while it isn't there whole."""
    head_end = buffer.find(b"\r\n\r\n")
    if head_end < 0 or head_end > MAXIMUM_HEAD_BYTES:
        if len(buffer) > MAXIMUM_HEAD_BYTES:
            raise _RefusedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        return None
    first, *lines = bytes(buffer[:head_end]).decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise _RefusedError(HTTPStatus.BAD_REQUEST)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise _RefusedError(HTTPStatus.BAD_REQUEST)
        headers[name.lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise _RefusedError(HTTPStatus.LENGTH_REQUIRED)
    length_text = headers.get("content-length", "0")
    if not length_text.isascii() or not length_text.isdigit():
        raise _RefusedError(HTTPStatus.BAD_REQUEST)
    if int(length_text) > MAXIMUM_BODY_BYTES:
        raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    body_start = head_end + 4
    body_end = body_start + int(length_text)
    if len(buffer) < body_end:
        return None
    body = bytes(buffer[body_start:body_end])
    del buffer[:body_end]
    connection = headers.get("connection", "").lower()
    is_persistent = words[2] != "HTTP/1.0" or connection == "keep-alive"
    return Request(
        method=words[0],
        path=words[1].partition("?")[0],
        headers=headers,
        body=body,
        keep_alive=is_persistent and connection != "close",
    )


def _encode(response: Response, *, close: bool, head_only: bool = False) -> bytes:
    lines = [
        f"HTTP/1.1 {response.status} {_PHRASES.get(response.status, 'Unknown')}",
        f"content-type: {response.content_type}",
        f"content-length: {len(response.body)}",
        *(f"{name}: {value}" for name, value in response.headers),
    ]
    if close:
        lines.append("connection: close")
    head = "\r\n".join(lines).encode("latin-1")
    return head + b"\r\n\r\n" + (b"" if head_only else response.body)
