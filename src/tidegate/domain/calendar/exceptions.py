"""
An exception from the calendar: one phase of one rollout may begin although a window or freeze is closed.

It is the word of a second person, lasts hours, and there are few of them in a month: what needs more is an
emergency, or another window. Nothing but the calendar is passed over by it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.calendar.freezes import Freeze
from tidegate.domain.calendar.windows import ExceptionBudget
from tidegate.domain.quantities import RolloutId, ServiceName

LASTS: Final = timedelta(hours=4)
"""Long enough for a phase to get ready, and over before the next working day begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarException:
    """
    One exception, for the phase of that index in that attempt of a rollout.

    `person` is who is counted as having given it, `by` the name that they acted under.
    """

    number: int
    rollout: RolloutId
    service: ServiceName
    phase_index: int
    attempt: int
    reason: str
    by: str
    person: str
    at: datetime
    expires_at: datetime

    def holds(self, rollout: RolloutId, phase_index: int, attempt: int, now: datetime) -> bool:
        """Return whether it is about this phase in this attempt and hasn't expired at *now*."""
        about = (self.rollout, self.phase_index, self.attempt) == (rollout, phase_index, attempt)
        return about and self.at <= now < self.expires_at

    def passes_over(self, freeze: Freeze) -> bool:
        """Return whether *freeze* is passed over: it allows that, and was known when this was given."""
        return freeze.allows_exceptions and freeze.at <= self.at


def spent(
    given: Iterable[CalendarException], budget: ExceptionBudget, now: datetime
) -> tuple[CalendarException, ...]:
    """Return those of *given* that count against *budget* at *now*, whether they were made use of or not."""
    return tuple(one for one in given if now - one.at < budget.per)


def describe(exception: CalendarException) -> str:
    """Return *exception* in a few words."""
    return f"exception {exception.number} by {exception.by}: {exception.reason}"
