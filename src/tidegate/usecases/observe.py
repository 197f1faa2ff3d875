"""
Looking: what every placement of a rollout serves now, asked at the targets, all at once.

Only reads. A target that can't be asked makes the placement unsettled with the reason; what can't be
seen is never taken to be as it was.
"""

import asyncio

from tidegate.domain.quantities import (
    FULL_WEIGHT_BPS,
    NO_EXPOSURE,
    Arm,
    Exposure,
    Generation,
    Placement,
)
from tidegate.domain.rollout.decisions import Seen
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import TidegateError
from tidegate.ports.component import Applied
from tidegate.usecases.outside import Outside


def placements_of_interest(rollout: Rollout) -> tuple[Placement, ...]:
    """Return the placements that this rollout has touched or is about to; of a queued one all."""
    if rollout.is_return or rollout.state in (State.COMPLETED, State.PLANNED):
        return rollout.plan.placements()
    return tuple(rollout.plan.exposure_within(rollout.phase_index))


async def observe(outside: Outside, rollout: Rollout) -> tuple[Seen, ...]:
    """Return what each placement of interest serves, in the plan's order."""
    placements = placements_of_interest(rollout)
    return tuple(
        await asyncio.gather(*(_observe_one(outside, rollout, place) for place in placements))
    )


async def _observe_one(outside: Outside, rollout: Rollout, placement: Placement) -> Seen:
    try:
        applied = await outside.component(rollout, placement).observe(placement)
    except TidegateError as exc:
        return _unseen(rollout, placement, exc)
    return seen(applied)


def seen(applied: Applied) -> Seen:
    """Return the part of *applied* that decisions depend on; what members show outweighs a claim."""
    other = _other_digest(applied)
    return Seen(
        placement=applied.placement,
        exposure=applied.exposure,
        generation=applied.generation,
        settled=applied.settled and not other,
        why_not=applied.why_not or other,
        serving=applied.serving,
        candidate=applied.candidate,
        stopped_at_generation=applied.stopped_at_generation,
        trips=applied.trips,
    )


def _other_digest(applied: Applied) -> str:
    """Return which member in use serves something else than its arm, in words; empty when none."""
    exposed = applied.exposure != NO_EXPOSURE
    versions = {
        Arm.BASELINE: applied.serving,
        Arm.CANDIDATE: applied.candidate if exposed else None,
    }
    for member in applied.members:
        version = versions[member.arm]
        if version is not None and member.digest != version.digest:
            return f"member {member.name} serves {member.digest}, not {version.digest}"
    return ""


def _unseen(rollout: Rollout, placement: Placement, error: TidegateError) -> Seen:
    """
    Return what must be assumed of a target that can't be asked: the most it may be exposing.

    After a stop that keeps the withdrawal going until the target has answered.
    """
    over = rollout.state in (State.HALTED, State.RECOVERING)
    most = Exposure(internal=True, weight_bps=FULL_WEIGHT_BPS)
    return Seen(
        placement=placement,
        exposure=most if over else NO_EXPOSURE,
        generation=Generation(0),
        settled=False,
        why_not=f"{placement} can't be observed: {error.message}",
        serving=None,
        candidate=None,
        stopped_at_generation=None,
        trips=0,
    )
