"""The calendar of a rollout: whether its windows are open and its working days seen."""

from datetime import datetime

from tidegate.domain.calendar.seen import ALWAYS_OPEN, CalendarSeen
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.store import Transaction


def calendar_seen(transaction: Transaction, rollout: Rollout, now: datetime) -> CalendarSeen:
    """Return what the calendar says to *rollout* at *now*."""
    return ALWAYS_OPEN
