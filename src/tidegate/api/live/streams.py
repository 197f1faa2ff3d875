"""
One open page: its connection, how far it was told, and what it is about.

Rule: writing never waits. What a connection can't take at once isn't kept for it: such a stream ends, and
its page comes back and goes on behind what it got. So a page that doesn't read costs no more memory than
one that does.
"""

import asyncio
from typing import Any, Final

from starlette.types import Message, Send

from tidegate.api.live.hints import Narrowing

_LAST: Final[Message] = {"type": "http.response.body", "body": b"", "more_body": False}


def message_of(frames: bytes) -> Message:
    """Return *frames* as it is sent; one message may go to many streams."""
    return {"type": "http.response.body", "body": frames, "more_body": True}


class Stream:
    """
    A stream whose response has started.

    `position` is the number of the ledger up to which its page was told all that concerns it.
    """

    __slots__ = ("_ending", "_send", "is_open", "page", "position", "reader")

    def __init__(self, send: Send, *, page: Narrowing, reader: str) -> None:
        self._send = send
        self._ending: asyncio.Task[Any] | None = None
        self.page = page
        self.reader = reader
        self.position = 0
        self.is_open = True

    def push(self, message: Message) -> bool:
        """
        Write *message* now; return whether that was possible. When it wasn't, the stream ends.

        The server's `send` waits only for a connection that takes no more. It is driven by hand, so
        that telling a thousand pages wakes no task.
        """
        if not self.is_open:
            return False
        if self._written(message):
            return True
        self.end()
        return False

    def end(self) -> None:
        """End the response; one that takes no more ends when it has taken what it was sent."""
        if not self.is_open:
            return
        self.is_open = False
        if not self._written(_LAST):
            self._ending = asyncio.ensure_future(self._end_later())

    def abandon(self) -> None:
        """Let go of a connection that is gone."""
        self.is_open = False
        if self._ending is not None:
            self._ending.cancel()

    async def _end_later(self) -> None:
        await self._send(_LAST)

    def _written(self, message: Message) -> bool:
        writing = self._send(message).__await__()
        try:
            next(writing)
        except StopIteration:
            return True
        # It waits, and so has written nothing yet.
        writing.close()
        return False
