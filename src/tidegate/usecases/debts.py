"""Debts of emergencies: which of them keep a rollout from rising."""

from datetime import datetime

from tidegate.domain.emergency.model import Debt
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.store import Transaction
from tidegate.usecases.shelves import DEBTS


def blocking_debts(transaction: Transaction, rollout: Rollout, now: datetime) -> tuple[Debt, ...]:
    """Return the overdue debts of the project of *rollout*; an emergency isn't kept by them."""
    if rollout.is_return or rollout.emergency_id is not None:
        return ()
    return tuple(
        debt
        for debt in DEBTS.open(transaction)
        if debt.project == rollout.project and debt.is_overdue(now)
    )
