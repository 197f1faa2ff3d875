"""
Uvicorn as this project runs it: ended by whoever runs the loop, and not held up by many who connect.

What it answers must not be known here.
"""

import contextlib
import socket
from typing import Final

import uvicorn

from tidegate.main.listening import LISTEN_BACKLOG

CONNECTIONS_AT_ONCE: Final = 16
"""
How many connections are taken in one turn of the loop: some milliseconds. asyncio takes as many as the
backlog that it is given, so that a thousand who connect together would hold up a halt for half a second.
"""


class HttpServer(uvicorn.Server):
    """Uvicorn without its signal handlers, which takes few connections at once."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """Leave signals to whoever runs the loop."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen. Many connections may wait in the system to be taken."""
        self.config.backlog = CONNECTIONS_AT_ONCE
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(LISTEN_BACKLOG)
