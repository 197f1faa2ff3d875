"""
When each request goes on: a few in every turn of the loop, and none while a stop is under way.

A stop takes several turns of the loop from its connection to its answer, so it waits for all that they
hold. What others ask is therefore not begun as it comes, but a few at a time; a stop asks for no turn. See
docs/adr/0034.

Not here: what is refused (`admission`). Not for threads: one is used in one loop alone.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tidegate.usecases.right_of_way import RightOfWay

AT_ONCE: Final = 4
"""How many go on in one turn of the loop: some milliseconds of work."""


class Turns:
    """Whose turn it is: first come, first served, those who are urgent before the others."""

    def __init__(self, way: RightOfWay) -> None:
        self._way = way
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()
        self._gone_on = 0
        self._next: asyncio.Handle | None = None

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """Let nobody go on for the length of a block, as far as stops in a row may put them off."""
        try:
            with self._way.stopping():
                yield
        finally:
            if self._next is not None and not self._way.is_held:
                self._next.cancel()
                self._next = asyncio.get_running_loop().call_soon(self._turn)

    async def mine(self, *, is_urgent: bool = False) -> None:
        """Wait until one may go on."""
        waiting = self._urgent if is_urgent else self._others
        if self._gone_on < AT_ONCE and not waiting and not self._way.is_held:
            self._gone_on += 1
            self._come_to_the_next()
            return
        turn = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        self._come_to_the_next()
        await turn

    def _come_to_the_next(self) -> None:
        if self._next is not None:
            return
        loop = asyncio.get_running_loop()
        if self._way.is_held:
            self._next = loop.call_at(self._way.held_until, self._turn)
        else:
            self._next = loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._next = None
        self._gone_on = 0
        if not self._way.is_held:
            for waiting in (self._urgent, self._others):
                while waiting and self._gone_on < AT_ONCE:
                    turn = waiting.popleft()
                    # Who doesn't wait any more takes nobody's turn.
                    if not turn.done():
                        turn.set_result(None)
                        self._gone_on += 1
        if self._gone_on or self._urgent or self._others:
            self._come_to_the_next()
