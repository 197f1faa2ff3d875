"""
The clock port: the only way anything learns the time.

Decisions get the time as a value (`Observation.now`); only shells read a clock. Simulation moves it.
"""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits for it."""

    def now(self) -> datetime:
        """Return the time as an aware datetime in UTC. Never goes backward within one process."""
        ...

    async def sleep_until(self, when: datetime) -> None:
        """Return at *when*, or at once when it has passed."""
        ...
