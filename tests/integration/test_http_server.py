"""A server that listens to one connection alone for a while, on real sockets."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tidegate.api.admission import GIVES_WAY_FOR_SECONDS
from tidegate.main.http_server import HttpServer
from tidegate.main.listening import listen
from tidegate.settings import Settings

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Answering:
    """Answers everything; the path `/alone` only when let go, and is alone until then."""

    def __init__(self) -> None:
        self.server: HttpServer | None = None
        self.is_alone = asyncio.Event()
        self.let_go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.server is not None
        if scope["path"] == "/alone":
            with self.server.hushed(scope):
                self.is_alone.set()
                await receive()
                await self.let_go.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def answering() -> AsyncIterator[tuple[Answering, int]]:
    """Return an application and the port that it is served on."""
    app = Answering()
    listener = listen(Settings(listen_port=0))
    config = uvicorn.Config(app, http=HttpToolsProtocol, log_config=None, lifespan="off")
    app.server = HttpServer(config)
    serving = asyncio.create_task(app.server.serve(sockets=[listener]))
    try:
        yield app, listener.getsockname()[1]
    finally:
        app.let_go.set()
        app.server.should_exit = True
        await serving
        listener.close()


async def connected(port: int) -> Connection:
    """Return a connection on which something was asked and answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await ask((reader, writer), "/")
    await answered((reader, writer))
    return reader, writer


async def ask(connection: Connection, path: str) -> None:
    """Send a request."""
    connection[1].write(f"GET {path} HTTP/1.1\r\nhost: here\r\n\r\n".encode())
    await connection[1].drain()


async def answered(connection: Connection) -> bytes:
    """Wait for an answer; return its first line."""
    head = await connection[0].readuntil(b"\r\n\r\n")
    return head.splitlines()[0]


async def test_others_wait_until_it_is_over(answering: tuple[Answering, int]) -> None:
    """What they sent meanwhile is not lost: it is answered afterwards."""
    app, port = answering
    one, other = await connected(port), await connected(port)

    await ask(one, "/alone")
    await app.is_alone.wait()
    await ask(other, "/")
    waiting = asyncio.create_task(answered(other))
    await asyncio.sleep(GIVES_WAY_FOR_SECONDS / 5)
    was_answered = waiting.done()
    app.let_go.set()

    assert not was_answered
    assert b"204" in await waiting
    assert b"204" in await answered(one)
    for _, writer in (one, other):
        writer.close()


async def test_nobody_is_shut_out(answering: tuple[Answering, int]) -> None:
    """However long it takes, the others are read again after half a second."""
    app, port = answering
    one, other = await connected(port), await connected(port)

    await ask(one, "/alone")
    await app.is_alone.wait()
    await ask(other, "/")

    async with asyncio.timeout(GIVES_WAY_FOR_SECONDS * 20):
        assert b"204" in await answered(other)
    assert not app.let_go.is_set()
    for _, writer in (one, other):
        writer.close()
