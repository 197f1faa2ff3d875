"""Making way: a rollout that replaces what was before it has that rolled back, and begins after it."""

from typing import Final

from tidegate.domain.plan.model import Supersede
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.stops.model import Queued
from tidegate.usecases.outside import Outside
from tidegate.usecases.roll_back import roll_back

REPLACED_BY: Final = "replaced by rollout"
"""How the reason of such a stop begins: nothing was wrong with what was stopped."""


async def make_way(outside: Outside, rollout: Rollout, queued: Queued) -> None:
    """
    Bring back what moves the targets of *rollout*, when it replaces what was before it.

    Said again at every look, until that is on its way back: a command that was lost is made up for.
    """
    if rollout.plan.supersede is not Supersede.REPLACE:
        return
    with outside.store.begin(read_only=True) as transaction:
        before = transaction.rollout(queued.behind)
    if before.is_final or before.is_return or before.state in (State.RECOVERING, State.PLANNED):
        return
    await roll_back(
        outside, before.id, actor=rollout.created_by, reason=f"{REPLACED_BY} {rollout.id}"
    )
