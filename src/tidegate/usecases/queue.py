"""
The queue: a rollout whose targets are another's waits for its turn, and delays nobody else.

A start on taken targets is still refused, so nothing is queued yet but what is planned by other means.
"""

from tidegate.domain.rollout.model import Rollout
from tidegate.domain.stops.model import Queued
from tidegate.ports.store import Transaction


def queued_behind(transaction: Transaction, rollout: Rollout) -> Queued | None:
    """Return who has a target of *rollout* or is before it in the queue, None when it is its turn."""
    active = transaction.active_rollout(rollout.service)
    if active is None or active.id == rollout.id:
        return None
    return Queued(behind=active.id, because=f"rollout {active.id} has its targets")
