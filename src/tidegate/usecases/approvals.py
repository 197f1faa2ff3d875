"""Approvals that don't count now: of whom, and why."""

from datetime import datetime

from tidegate.domain.approvals.model import VoidApproval
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.store import Transaction


def void_approvals(
    transaction: Transaction, rollout: Rollout, now: datetime
) -> tuple[VoidApproval, ...]:
    """Return the approvals of *rollout* that don't count at *now*."""
    return ()
