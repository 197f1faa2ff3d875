"""
Approvals that don't count now: the one place where a decision asks.

What an approval is bound to inside its rollout (phase, attempt, plan) is held by the domain; nothing else
that an approval could be bound to is recorded with one yet.
"""

from datetime import datetime

from tidegate.domain.approvals.model import VoidApproval
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.store import Transaction


def void_approvals(
    transaction: Transaction, rollout: Rollout, now: datetime
) -> tuple[VoidApproval, ...]:
    """Return the approvals of *rollout* that don't count at *now*."""
    return ()
