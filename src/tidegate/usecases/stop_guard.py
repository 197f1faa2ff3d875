"""
The last look before a move: a component driver that raises nothing against a stop order.

A rise is recorded only while no order covers it, but an order may be given after that and before the
driver is told, or while a server is down. So the orders are read again here, whatever asked for the
rise. Falling, withdrawing and bringing back what was served before always pass, and need no store.
"""

from typing import Final

from tidegate.domain.quantities import Generation, Placement, Version
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.stops.model import StopOrder, describe
from tidegate.errors import StopOrderError
from tidegate.ports.component import Applied, Assignment, ComponentDriver
from tidegate.ports.store import Store, Transaction
from tidegate.usecases.shelves import STOP_ORDERS
from tidegate.usecases.stops import covers_placement

RECENT_ROLLOUTS: Final = 50


class GuardedComponent:
    """A component driver behind the stop orders of a store. Only `apply` can be refused."""

    def __init__(self, component: ComponentDriver, store: Store) -> None:
        self._component = component
        self._store = store

    async def resolve(self, version: str, settings_json: str) -> Version:
        """Return *version*; see the port."""
        return await self._component.resolve(version, settings_json)

    async def apply(self, assignment: Assignment) -> None:
        """
        Apply, unless that would let more people meet the candidate while an order covers the placement.

        Raises:
            StopOrderError: it would; nothing was changed.
            StoreError: the orders can't be read: not knowing them isn't their absence.
        """
        if assignment.exposure.internal or assignment.exposure.weight_bps:
            stopping = self._orders_against(assignment)
            if stopping and await self._raises(assignment):
                raise StopOrderError(
                    f"{assignment.placement} stays as it is:"
                    f" {'; '.join(describe(order) for order in stopping)}",
                    hint=f"lift it when it is safe: tidegate resume --order {stopping[0].number}"
                    ' --reason ".."',
                )
        await self._component.apply(assignment)

    async def observe(self, placement: Placement) -> Applied:
        """Return what *placement* serves; see the port."""
        return await self._component.observe(placement)

    async def withdraw(self, placement: Placement, generation: Generation | None) -> None:
        """Withdraw; see the port."""
        await self._component.withdraw(placement, generation)

    async def finish(self, placement: Placement, generation: Generation) -> None:
        """Finish; see the port."""
        await self._component.finish(placement, generation)

    async def retire(self, placement: Placement) -> None:
        """Retire; see the port."""
        await self._component.retire(placement)

    async def _raises(self, assignment: Assignment) -> bool:
        now = await self._component.observe(assignment.placement)
        serves_it = (
            now.candidate is not None and now.candidate.digest == assignment.candidate.digest
        )
        return not serves_it or assignment.exposure.exceeds(now.exposure)

    def _orders_against(self, assignment: Assignment) -> tuple[StopOrder, ...]:
        with self._store.begin(read_only=True) as transaction:
            orders = STOP_ORDERS.open(transaction)
            rollout = _rollout_of(transaction, assignment) if orders else None
        if rollout is None:
            # Nobody is known to have asked for this: every order covers it.
            return orders
        if rollout.is_return:
            return ()
        return tuple(
            order
            for order in orders
            if order.organisation in (None, rollout.organisation)
            and covers_placement(order, rollout, assignment.placement)
        )


def _rollout_of(transaction: Transaction, assignment: Assignment) -> Rollout | None:
    placement = assignment.placement
    recent = transaction.rollouts(service=placement.service, limit=RECENT_ROLLOUTS)
    return next(
        (
            rollout
            for rollout in recent
            if placement in rollout.plan.placements()
            and rollout.generation_on(placement.target) == assignment.generation
        ),
        None,
    )
