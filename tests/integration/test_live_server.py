"""Live hints over real connections: a server that stops, and a page that never reads."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from live_pages import KEY_COOKIE

from tidegate.api.app import create_app
from tidegate.api.live import watcher
from tidegate.api.live.watcher import Live
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.record import note_fact

TOKEN = "a-token-for-tests"
WITHIN_SECONDS = 60.0
LONG = "x" * 100_000


class Serving:
    """A server without a limit on how long a stop may take: a stream that stays keeps it for ever."""

    def __init__(self, world: MemoryWorld, http: str) -> None:
        self.app = create_app(world.outside, token=TOKEN, version="0.1.0")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        config = uvicorn.Config(self.app, log_config=None, lifespan="off", ws="none", http=http)
        self.server = uvicorn.Server(config)

    @property
    def live(self) -> Live:
        live = self.app.state.live
        assert isinstance(live, Live)
        return live

    async def ask(self, path: str = "/live") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 24)
        cookie = KEY_COOKIE.replace("7180", str(self.port))
        asked = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\ncookie: {cookie}\r\n\r\n"
        writer.write(asked.encode())
        await asyncio.wait_for(reader.readuntil(b"event: hello\n"), WITHIN_SECONDS)
        return reader, writer


@asynccontextmanager
async def serving(world: MemoryWorld, http: str) -> AsyncIterator[Serving]:
    one = Serving(world, http)
    running = asyncio.create_task(one.server._serve(sockets=[one.listener]))
    try:
        yield one
    finally:
        one.live.close()
        one.server.should_exit = True
        await asyncio.wait_for(running, WITHIN_SECONDS)
        one.listener.close()


def note(world: MemoryWorld, because: str) -> None:
    with world.store.begin() as transaction:
        note_fact(
            transaction,
            at=world.clock.now(),
            actor="dev-a",
            kind="command",
            rule="x",
            because=because,
        )


@pytest.mark.parametrize("http", ["httptools", "h11"])
async def test_open_pages_dont_keep_a_server_from_ending(http: str) -> None:
    """Each response ends as it should, with either parser, and the server with it."""
    world = MemoryWorld()
    async with serving(world, http) as one:
        reader, writer = await one.ask()
        note(world, "a test")
        await asyncio.wait_for(reader.readuntil(b"a test"), WITHIN_SECONDS)

    rest = await asyncio.wait_for(reader.read(), WITHIN_SECONDS)
    assert rest.endswith(b"0\r\n\r\n"), "the response was cut off"
    writer.close()


@pytest.mark.parametrize("http", ["httptools", "h11"])
async def test_a_page_that_never_reads_is_let_go(
    http: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its connection is full nothing more is kept for it, and the others hear on."""
    monkeypatch.setattr(watcher, "LOOK_EVERY_SECONDS", 0.0)
    world = MemoryWorld()
    async with serving(world, http) as one:
        _, silent = await one.ask("/live")
        silent.transport.pause_reading()  # type: ignore[attr-defined]
        reader, writer = await one.ask()
        told = 0
        async with asyncio.timeout(WITHIN_SECONDS):
            while sum(len(known.streams) for known in one.live._readers.values()) == 2:
                note(world, f"{told} {LONG}")
                await reader.readuntil(f"{told} {LONG}".encode())
                told += 1
        note(world, "the end")
        await asyncio.wait_for(reader.readuntil(b"the end"), WITHIN_SECONDS)
        silent.transport.abort()
        writer.close()

    assert told > 1
