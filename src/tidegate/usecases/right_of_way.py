"""
Who waits for whom in the one loop that answers, watches and steps: everything else for a stop.

A stop takes several turns of the loop from its connection to its answer, and so waits for what runs in
each of them. Work that goes on for long (the watch of a whole fleet) gives way between its pieces. See
docs/adr/0034.

Not here: what is let in, and when (`api.admission`, `api.turns`). Not for threads.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

GIVES_WAY_FOR_SECONDS: Final = 0.5
"""How long stops in a row may put off everything else: longer than they need, too short to shut it out."""


class RightOfWay:
    """
    What has to be known of each other by those who share a loop.

    Stops that follow each other closely are one row: nobody who sends one after the other, with or without
    a right to, shuts out the others. A row is over once nothing was stopped for as long as it had lasted.

    Args of the constructor: `most_seconds` is how long a row may put off everything else.
    """

    def __init__(self, most_seconds: float = GIVES_WAY_FOR_SECONDS) -> None:
        self._most_seconds = most_seconds
        self._stops = 0
        self._over = asyncio.Event()
        self._row_began = 0.0
        self._last_over = 0.0

    @property
    def held_until(self) -> float:
        """Until when everything else waits if the stops last, in the loop's time; past if nothing does."""
        return self._row_began + self._most_seconds if self._stops else 0.0

    @property
    def is_held(self) -> bool:
        """Whether a stop is under way that everything else waits for."""
        return self._stops > 0 and _now() < self.held_until

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """Let everything else wait for the length of a block, as far as stops in a row may put it off."""
        if not self._stops:
            now = _now()
            lasted = min(self._last_over - self._row_began, self._most_seconds)
            if now - self._last_over >= lasted:
                self._row_began = now
            self._over.clear()
        self._stops += 1
        try:
            yield
        finally:
            self._stops -= 1
            if not self._stops:
                self._last_over = _now()
                self._over.set()

    async def give_way(self) -> None:
        """Let the loop go round between two pieces of work, and stops be over."""
        await asyncio.sleep(0)
        if self.is_held:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self.held_until):
                    await self._over.wait()


def _now() -> float:
    return asyncio.get_running_loop().time()
