"""How the server takes connections, on real sockets."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tidegate.main.http_server import CONNECTIONS_AT_ONCE, HttpServer
from tidegate.main.listening import listen
from tidegate.settings import Settings


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer anything."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def server() -> AsyncIterator[tuple[HttpServer, int]]:
    """Return a server that runs, and its port."""
    listener = listen(Settings(listen_port=0))
    config = uvicorn.Config(answer, http=HttpToolsProtocol, log_config=None, lifespan="off")
    running = HttpServer(config)
    serving = asyncio.create_task(running.serve(sockets=[listener]))
    async with asyncio.timeout(60):
        while not running.started:
            await asyncio.sleep(0.01)
    try:
        yield running, listener.getsockname()[1]
    finally:
        running.should_exit = True
        await serving
        listener.close()


def connect(port: int) -> socket.socket:
    """Return a connection as soon as the system has it, whether or not the server has taken it."""
    opened = socket.create_connection(("127.0.0.1", port), timeout=60)
    opened.sendall(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
    return opened


async def test_more_may_wait_than_are_taken_at_once(server: tuple[HttpServer, int]) -> None:
    """While the loop is busy, many connect without being turned away, and all are answered."""
    _, port = server

    # The loop doesn't go round meanwhile, so that all of them wait.
    opened = [connect(port) for _ in range(10 * CONNECTIONS_AT_ONCE)]
    answers = await asyncio.gather(*(asyncio.to_thread(one.recv, 12) for one in opened))

    assert answers == [b"HTTP/1.1 204"] * len(opened)
    for one in opened:
        one.close()


async def test_one_turn_of_the_loop_takes_a_few(server: tuple[HttpServer, int]) -> None:
    """So many who connect together don't keep the loop from everything else."""
    running, port = server
    opened = [connect(port) for _ in range(10 * CONNECTIONS_AT_ONCE)]

    taken = [0]
    async with asyncio.timeout(60):
        while taken[-1] < len(opened):
            await asyncio.sleep(0)
            taken.append(len(running.server_state.connections))

    assert max(after - before for before, after in itertools.pairwise(taken)) <= CONNECTIONS_AT_ONCE
    for one in opened:
        one.close()
