"""
Stop orders: giving one, lifting one, and which of them cover a rollout.

Given first and told after: an order is in force once its row is committed, because every rise reads
the orders again right before it is recorded and right before a driver is told.
"""

from tidegate.domain.quantities import Placement
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.stops.model import StopOrder, covers
from tidegate.ports.store import Transaction
from tidegate.usecases.shelves import STOP_ORDERS


def stop_orders_for(transaction: Transaction, rollout: Rollout) -> tuple[StopOrder, ...]:
    """Return the orders in force that cover any placement of *rollout*, oldest first."""
    if rollout.is_return:
        return ()
    orders = STOP_ORDERS.open(transaction)
    if not orders:
        return ()
    placements = rollout.plan.placements()
    return tuple(
        order
        for order in orders
        if order.organisation in (None, rollout.organisation)
        and any(_covers(order, rollout, placement) for placement in placements)
    )


def _covers(order: StopOrder, rollout: Rollout, placement: Placement) -> bool:
    ring = next((one.ring for one in rollout.targets if one.name == placement.target), "")
    return covers(order, rollout.service, placement.target, ring)
