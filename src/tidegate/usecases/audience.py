"""How many people a rollout has exposed, for those who look at it. Decides nothing, changes nothing."""

from collections.abc import Mapping

from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.rollout.seen import phase_in_force
from tidegate.errors import TidegateError
from tidegate.usecases.outside import Outside
from tidegate.usecases.watch import exposed_placements


async def people_met(outside: Outside, rollout: Rollout) -> Mapping[Arm, int] | None:
    """
    Return how many different people each arm has served since *rollout* began.

    None where that can't be told: nobody is exposed now, no proxy tells people apart, or it can't be
    asked.
    """
    phase = phase_in_force(rollout)
    if outside.audience is None or phase is None:
        return None
    met: dict[Arm, int] = {}
    for placement in exposed_placements(rollout, phase):
        try:
            applied = await outside.component(rollout, placement).observe(placement)
            counted = await outside.audience.people(placement, applied.arms, rollout.created_at)
        except TidegateError:
            return None
        for arm, count in counted.items():
            met[arm] = met.get(arm, 0) + count
    return met or None


async def read_audiences(outside: Outside) -> None:
    """Count the people of every rollout that is watched, so that no raw log of them grows old."""
    with outside.store.begin(read_only=True) as transaction:
        watched = transaction.watched()
    for rollout in watched:
        await people_met(outside, rollout)
