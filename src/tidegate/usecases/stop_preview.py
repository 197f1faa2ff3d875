"""
What a stop order would cover, before anybody gives it. Only reads, and by the rules of the orders themselves.

A look and no promise: what begins between the look and the order is covered by the order all the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.domain.access.model import Caller
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.stops.model import StopOrder, StopScope
from tidegate.ports.store import Transaction
from tidegate.usecases.access import Access
from tidegate.usecases.reading import readable_services, sees_rollout
from tidegate.usecases.stops import organisation_stopped_by, stops_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Stoppable:
    """
    What could be stopped at one moment.

    `rollouts` are those that go on and can be read; `services` and `rings` are the names that an order can
    have, by name. A ring is known from the rollouts that go on or were among the latest.
    """

    rollouts: tuple[Rollout, ...]
    services: tuple[str, ...]
    rings: tuple[str, ...]


def stoppable(transaction: Transaction, access: Access, latest: Sequence[Rollout]) -> Stoppable:
    """Return what the caller of *access* could stop; *latest* are rollouts whose rings are named, too."""
    readable = tuple(
        one
        for one in transaction.unfinished()
        if not (one.is_return or one.is_final) and sees_rollout(access, one)
    )
    return Stoppable(
        rollouts=readable,
        services=tuple(str(one.name) for one in readable_services(transaction, access)),
        rings=tuple(sorted(_rings((*readable, *latest)))),
    )


def would_stop(
    rollouts: Iterable[Rollout], caller: Caller, scope: StopScope, name: str, *, now: datetime
) -> tuple[Rollout, ...]:
    """Return which of *rollouts* an order of *caller* for *scope* and *name* would stop."""
    order = StopOrder(
        number=0,
        scope=scope,
        name=name,
        withdraw=False,
        reason="",
        by=caller.name,
        at=now,
        organisation=organisation_stopped_by(caller),
    )
    return tuple(rollout for rollout in rollouts if stops_now(order, rollout))


def _rings(rollouts: Iterable[Rollout]) -> set[str]:
    return {target.ring for rollout in rollouts for target in rollout.targets if target.ring}
