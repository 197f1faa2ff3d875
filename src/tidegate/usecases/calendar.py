"""
The calendar of a rollout: the one place where a decision asks whether exposure may rise by time.

No document can ask for a window yet, so it is open always.
"""

from datetime import datetime

from tidegate.domain.calendar.seen import ALWAYS_OPEN, CalendarSeen
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.store import Transaction


def calendar_seen(transaction: Transaction, rollout: Rollout, now: datetime) -> CalendarSeen:
    """Return what the calendar says to *rollout* at *now*."""
    return ALWAYS_OPEN
