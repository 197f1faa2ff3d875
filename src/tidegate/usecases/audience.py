"""How many people a rollout has exposed, for those who look at it and for forecasts. Decides nothing."""

from collections.abc import Mapping
from datetime import timedelta

from tidegate.domain.plan.traffic import TrafficHour
from tidegate.domain.quantities import Arm, TargetName
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.rollout.seen import phase_in_force
from tidegate.errors import TidegateError
from tidegate.usecases.outside import Outside
from tidegate.usecases.watch_queries import exposed_placements


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
        await _note_people_of_hour(outside, rollout)


async def _note_people_of_hour(outside: Outside, rollout: Rollout) -> None:
    """Keep how many people this hour has brought to each target so far, for forecasts."""
    phase = phase_in_force(rollout)
    if outside.audience is None or phase is None:
        return
    hour = outside.clock.now().replace(minute=0, second=0, microsecond=0)
    met: dict[TargetName, int] = {}
    for placement in exposed_placements(rollout, phase):
        try:
            applied = await outside.component(rollout, placement).observe(placement)
            counted = await outside.audience.people(placement, applied.arms, hour)
        except TidegateError:
            # Who can't be counted now is left out of the forecasts of later rollouts.
            continue
        if counted:
            met[placement.target] = max(sum(counted.values()), met.get(placement.target, 0))
    if met:
        with outside.store.begin() as transaction:
            transaction.add_traffic(
                rollout.service,
                [
                    TrafficHour(
                        target=target,
                        hour=hour,
                        watched=timedelta(0),
                        requests=0,
                        bad=0,
                        people=people,
                    )
                    for target, people in met.items()
                ],
            )
