"""The end of a quarantine that a newer rollout brings about. When it ends by itself, `step` does it."""

from dataclasses import replace

from tidegate.domain.plan.model import Plan
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.machine import State
from tidegate.ports.store import Transaction


def end_quarantines(transaction: Transaction, service: ServiceName, plan: Plan) -> None:
    """
    A new rollout ends the quarantine of the one before: its version doesn't become last known good.

    What it served stays served; the way back of the new rollout leads to it.
    """
    moved = set(plan.placements())
    for earlier in transaction.rollouts(service=service):
        unsettled = earlier.state is State.COMPLETED and not earlier.settled
        if unsettled and moved & set(earlier.plan.placements()):
            transaction.save_rollout(replace(earlier, settled=True))
