"""
A declared emergency and the debts that it leaves. Only the types.

An emergency goes faster and never blind: bakes are shorter, some gates run beside instead of before.
What was put off is owed: each debt has an owner and a time, and when it is overdue normal work waits.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from tidegate.domain.quantities import RolloutId, ServiceName

EmergencyId = NewType("EmergencyId", str)
DebtId = NewType("DebtId", str)


class DebtState(StrEnum):
    """How a debt stands."""

    OPEN = "open"
    SETTLED = "settled"
    """Its gate turned green about the very change."""
    FAILED = "failed"
    """Its gate turned red: the rollout was halted, or an alarm was raised when it was over."""
    WAIVED = "waived"
    """Two people gave it up by name, with a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """One gate that an emergency put off: whose it is to settle, and until when."""

    id: DebtId
    emergency_id: EmergencyId
    rollout_id: RolloutId | None
    service: ServiceName
    project: str
    gate: str
    owner: str
    due_at: datetime
    state: DebtState
    because: str
    changed_at: datetime

    def is_overdue(self, now: datetime) -> bool:
        """Return whether it blocks normal work at *now*."""
        return self.state in (DebtState.OPEN, DebtState.FAILED) and now >= self.due_at
