"""
The real time. The only file that reads a clock.

The wall clock may jump (an operator, a time server); `now` never goes backward within a process: it
is the wall clock at the start plus the monotonic time since, followed by the wall clock's own
corrections forward only.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The machine's clock, held monotone."""

    def __init__(self) -> None:
        self._latest = datetime.now(UTC)

    def now(self) -> datetime:
        """Return the time in UTC, never earlier than it was returned before."""
        self._latest = max(self._latest, datetime.now(UTC))
        return self._latest

    async def sleep_until(self, when: datetime) -> None:
        """Return at *when*, or at once when it has passed."""
        await asyncio.sleep(max(0.0, (when - self.now()) / timedelta(seconds=1)))


def monotonic_seconds() -> float:
    """Return seconds on a clock that never jumps, for measuring how long something took."""
    return time.monotonic()
