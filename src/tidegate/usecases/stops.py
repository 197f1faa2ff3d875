"""
Stop orders: giving one, lifting one, and which of them cover a rollout.

Given first and told after: an order is in force once its row is committed, because every rise reads
the orders again right before it is recorded and right before a driver is told (`stop_guard`). Nothing
is done for each rollout before that.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from tidegate.domain.access.model import Caller
from tidegate.domain.policy.model import Policy
from tidegate.domain.quantities import Placement, RolloutId, ServiceName
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.stops.model import Lift, StopOrder, StopScope, covers, describe
from tidegate.errors import InvalidRequestError, NotFoundError, RefusedError
from tidegate.ports.store import Transaction
from tidegate.usecases.commands import need_reason
from tidegate.usecases.outside import Outside, unknown_service
from tidegate.usecases.policies import person_behind, policy_in_force
from tidegate.usecases.record import note_fact
from tidegate.usecases.shelves import STOP_ORDERS

SUSPECT_FOR: Final = timedelta(hours=24)
"""How old a change may be to be shown to whoever stops something."""

SUSPECTS_AT_MOST: Final = 20
READ_AT_MOST: Final = 200
NUMBER_DIGITS: Final = 8
LATEST_NUMBER: Final = 10**NUMBER_DIGITS - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """
    An order in force. `covered` are the unfinished rollouts that it stops, `suspects` the changes of
    the last 24 hours on what it names, newest first.
    """

    order: StopOrder
    covered: tuple[RolloutId, ...]
    suspects: tuple[Rollout, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """An order after a word that it may end. `released` are the rollouts that it stopped until now."""

    order: StopOrder
    released: tuple[RolloutId, ...]


def stop_orders_for(transaction: Transaction, rollout: Rollout) -> tuple[StopOrder, ...]:
    """Return the orders in force that cover any placement of *rollout*, oldest first."""
    if rollout.is_return:
        return ()
    return tuple(
        order for order in STOP_ORDERS.open(transaction) if order_covers_rollout(order, rollout)
    )


def order_covers_rollout(order: StopOrder, rollout: Rollout) -> bool:
    """Return whether *order* stops rises of *rollout* at any of its placements."""
    return order.organisation in (None, rollout.organisation) and any(
        covers_placement(order, rollout, placement) for placement in rollout.plan.placements()
    )


def stops_now(order: StopOrder, rollout: Rollout) -> bool:
    """Return whether *order* stops *rollout* as it is now: it isn't over, and isn't the way back."""
    return not (rollout.is_return or rollout.is_final) and order_covers_rollout(order, rollout)


def organisation_stopped_by(caller: Caller) -> str | None:
    """Return whose rollouts an order of *caller* stops: its own organisation's, None for all."""
    return None if caller.is_root else caller.organisation


def covers_placement(order: StopOrder, rollout: Rollout, placement: Placement) -> bool:
    """Return whether *order*, of the organisation of *rollout*, stops rises of it at *placement*."""
    ring = next((one.ring for one in rollout.targets if one.name == placement.target), "")
    return covers(order, rollout.service, placement.target, ring)


async def give_stop_order(
    outside: Outside,
    caller: Caller,
    *,
    scope: StopScope,
    name: str,
    withdraw: bool,
    reason: str,
) -> Given:
    """
    Put a stop order in force, then wake what it covers.

    Args:
        outside: The world.
        caller: Who gives it. One who isn't the server's own stops only their organisation.
        scope: How much it covers.
        name: The service or ring; empty for everything.
        withdraw: Whether what it covers is also brought back to nobody.
        reason: Why; may be empty, a stop waits for no words.

    Raises:
        InvalidRequestError: *name* doesn't fit *scope*.
        NotFoundError: there is no such service; nothing was stopped.
        StoreError: it couldn't be recorded; it isn't in force.
    """
    _check_name(scope, name)
    now = outside.clock.now()
    with outside.store.begin() as transaction:
        if scope is StopScope.SERVICE and transaction.service(ServiceName(name)) is None:
            raise unknown_service(ServiceName(name))
        order = StopOrder(
            number=_next_number(transaction),
            scope=scope,
            name=name,
            withdraw=withdraw,
            reason=reason.strip() or "no reason given",
            by=caller.name,
            at=now,
            organisation=organisation_stopped_by(caller),
        )
        STOP_ORDERS.put(transaction, order)
        note_fact(
            transaction,
            at=now,
            actor=caller.name,
            kind="command",
            rule="give-stop-order",
            because=describe(order),
            service=name if scope is StopScope.SERVICE else "",
            details={
                "number": order.number,
                "scope": scope.value,
                "withdraw": withdraw,
                "organisation": order.organisation,
            },
        )
    # It is in force. What follows may read much, so it is read beside the loop, which has to stay free.
    covered = await _wake_covered(outside, order)
    suspects = await asyncio.to_thread(_suspects, outside, order)
    return Given(order=order, covered=covered, suspects=suspects)


async def lift_stop_order(outside: Outside, caller: Caller, number: int, *, reason: str) -> Lifted:
    """
    Record a person's word that an order may end, and end it when enough persons said so.

    An order for one service needs one person, a wider one two. Lifting what is lifted changes nothing.

    Raises:
        NotFoundError: there is no such order.
        InvalidRequestError: no reason was given.
        RefusedError: no person stands behind *caller*, or the same person said it already.
    """
    why = need_reason(reason, "lifting a stop order")
    now = outside.clock.now()
    with outside.store.begin() as transaction:
        order = find_stop_order(transaction, number)
        if not order.is_in_force:
            return Lifted(order=order, released=())
        policy = policy_in_force(transaction, caller.organisation)
        lift = Lift(by=caller.name, person=_person(policy, caller), at=now, reason=why)
        if any((policy.person_of(one.person) or one.person) == lift.person for one in order.lifts):
            raise RefusedError(
                f"{lift.person} said already that stop order {number} may end; it takes"
                f" {order.lifts_needed} persons",
                hint=f'somebody else has to say so too: tidegate resume --order {number} --reason ".."',
            )
        order = replace(order, lifts=(*order.lifts, lift))
        is_over = len(order.lifts) >= order.lifts_needed
        if is_over:
            order = replace(order, lifted_at=now)
        STOP_ORDERS.put(transaction, order)
        note_fact(
            transaction,
            at=now,
            actor=caller.name,
            kind="command",
            rule="lift-stop-order",
            because=why,
            service=order.name if order.scope is StopScope.SERVICE else "",
            details={
                "number": number,
                "is_over": is_over,
                "person": lift.person,
                "organisation": order.organisation,
            },
        )
    return Lifted(order=order, released=await _wake_covered(outside, order) if is_over else ())


def find_stop_order(transaction: Transaction, number: int) -> StopOrder:
    """Return the order *number*. Raises NotFoundError when there is none."""
    known = 1 <= number <= LATEST_NUMBER
    order = STOP_ORDERS.get(transaction, f"{number:0{NUMBER_DIGITS}}") if known else None
    if order is None:
        raise no_such_order(number)
    return order


def no_such_order(number: int) -> NotFoundError:
    """Return the error for a stop order that isn't there."""
    return NotFoundError(
        f"there is no stop order {number}", hint="`tidegate stop list --all` lists them"
    )


def _check_name(scope: StopScope, name: str) -> None:
    if (scope is StopScope.EVERYTHING) == bool(name):
        raise InvalidRequestError(
            f"a stop order for {scope.value} names {name or 'nothing'!r}",
            hint="name the service or ring to stop; everything has no name",
        )


def _person(policy: Policy, caller: Caller) -> str:
    person = person_behind(policy, caller)
    if person is None:
        raise RefusedError(
            f"no person stands behind {caller.name}, and only persons lift a stop order",
            hint="lift it under your own name",
        )
    return person


def _next_number(transaction: Transaction) -> int:
    latest = STOP_ORDERS.latest(transaction, limit=1)
    number = latest[0].number + 1 if latest else 1
    # The latest by time isn't the latest by number when the clock was set back.
    while STOP_ORDERS.get(transaction, f"{number:0{NUMBER_DIGITS}}") is not None:
        number += 1
    return number


async def _wake_covered(outside: Outside, order: StopOrder) -> tuple[RolloutId, ...]:
    covered = await asyncio.to_thread(_covered, outside, order)
    for rollout_id in covered:
        outside.wake(rollout_id)
    return covered


def _covered(outside: Outside, order: StopOrder) -> tuple[RolloutId, ...]:
    service = _service(order)
    with outside.store.begin(read_only=True) as transaction:
        unfinished = transaction.unfinished(service=service)
    return tuple(rollout.id for rollout in unfinished if stops_now(order, rollout))


def _service(order: StopOrder) -> ServiceName | None:
    """Return the one service whose rollouts *order* can cover, None where it is wider."""
    return ServiceName(order.name) if order.scope is StopScope.SERVICE else None


def _suspects(outside: Outside, order: StopOrder) -> tuple[Rollout, ...]:
    with outside.store.begin(read_only=True) as transaction:
        newest = transaction.rollouts(service=_service(order), limit=READ_AT_MOST)
    suspects = [
        rollout
        for rollout in newest
        if order.at - rollout.created_at <= SUSPECT_FOR and order_covers_rollout(order, rollout)
    ]
    suspects.sort(key=lambda rollout: rollout.created_at, reverse=True)
    return tuple(suspects[:SUSPECTS_AT_MOST])
