"""
Uvicorn as this project runs it: ended by whoever runs the loop, and able to listen to one connection alone.

What it answers must not be known here.
"""

import asyncio
import contextlib
from collections.abc import Iterator

import uvicorn
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tidegate.api.admission import GIVES_WAY_FOR_SECONDS


class HttpServer(uvicorn.Server):
    """Uvicorn without its signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """Leave signals to whoever runs the loop."""
        yield

    @contextlib.contextmanager
    def hushed(self, scope: Scope) -> Iterator[None]:
        """
        Read no connection but that of *scope* for the length of a block, half a second at most.

        What others send waits in their sockets, the rest of another stop's body too if it came in pieces.
        """
        others = [
            connection.flow
            for connection in self.server_state.connections
            if isinstance(connection, HttpToolsProtocol)
            and connection.client != scope.get("client")
            and not connection.flow.read_paused
        ]
        for flow in others:
            flow.pause_reading()

        def read_again() -> None:
            for flow in others:
                flow.resume_reading()
            others.clear()

        at_most = asyncio.get_running_loop().call_later(GIVES_WAY_FOR_SECONDS, read_again)
        try:
            yield
        finally:
            at_most.cancel()
            read_again()
