"""
What a decision is told of the calendar: whether it is open, and why not. Nothing is computed here.

Times of windows depend on time zones and holiday lists; whoever observes works them out, and the
ledger keeps the answer with its reasons.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarSeen:
    """
    Whether exposure may rise by the calendar, for the phase that is waited for.

    `closed_because` is empty while it is open; `opens_at` is when it opens, None when no opening is in
    sight. `working_day_missing` says which target hasn't had a whole working day of its own in this
    bake yet, empty when all have or none must; `working_day_by` is when it will have. `excepted` says
    by whose exception it is open although something is closed.
    """

    closed_because: str = ""
    opens_at: datetime | None = None
    working_day_missing: str = ""
    working_day_by: datetime | None = None
    excepted: str = ""

    @property
    def is_open(self) -> bool:
        """Whether exposure may rise now."""
        return not self.closed_because


ALWAYS_OPEN = CalendarSeen()
