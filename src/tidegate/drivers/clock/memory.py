"""A clock that a test or a simulation moves by hand."""

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""A Monday morning."""


class MemoryClock:
    """Stands still until it is moved; sleepers wake when it has passed their time."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        """Return the time it was moved to."""
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move the clock and return the new time. It never goes backward."""
        assert by >= timedelta(0), f"a clock can't go back by {by}"
        self._now += by
        self._moved.set()
        self._moved = asyncio.Event()
        return self._now

    async def sleep_until(self, when: datetime) -> None:
        """Return once the clock was moved to *when* or beyond."""
        while self._now < when:
            await self._moved.wait()
