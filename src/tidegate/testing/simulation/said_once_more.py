"""
What a phase allows and what is proof enough, said once more, as plainly as possible.

The engine's own code for it isn't used here: what checks a promise must not break with it.
"""

import math
from typing import Final

from tidegate.domain.health.readings import Quality
from tidegate.domain.quantities import FULL_WEIGHT_BPS, NO_EXPOSURE, Exposure, Placement
from tidegate.domain.rollout.decisions import Observation
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rehearsal, Rollout
from tidegate.testing.simulation import invariants_of_stops as stops

INTERNAL: Final = Exposure(internal=True, weight_bps=0)
_EVERYONE: Final = Exposure(internal=True, weight_bps=FULL_WEIGHT_BPS)


def allowed_exposure(rollout: Rollout, placement: Placement) -> Exposure:
    """Return the most that *rollout*, as it is recorded, lets *placement* expose."""
    if rollout.is_return and rollout.state is State.RECOVERING:
        return _EVERYONE
    if rollout.state is State.WAITING and rollout.rehearsal is Rehearsal.FORWARD:
        return INTERNAL
    if rollout.state not in stops.MOVED:
        # Waiting for the next phase, the one before stays exposed, but nothing rises.
        return NO_EXPOSURE
    allowed = NO_EXPOSURE
    for phase in rollout.plan.phases[: rollout.phase_index + 1]:
        for move in phase.moves:
            if move.placement == placement and move.exposure.exceeds(allowed):
                allowed = move.exposure
    return allowed


def why_not_enough(seen: Observation) -> str:
    """Return why what was seen doesn't prove the phase that is baked; empty when it does."""
    rollout, evidence = seen.rollout, seen.evidence
    phase, budget = rollout.phase, rollout.plan.budget
    if (evidence.attempt, evidence.phase_began_at) != (rollout.attempt, rollout.phase_since):
        return "the evidence is of another bake"
    if evidence.last_tick_at is None or seen.now - evidence.last_tick_at > rollout.plan.stale_after:
        return f"the evidence is of {evidence.last_tick_at}"
    counts = {exercise.name: exercise.count for exercise in evidence.exercises}
    for exercise in phase.exercises:
        if counts.get(exercise.name, 0) < exercise.minimum_count:
            return f"{exercise.name} was not exercised"
    if all(move.exposure.weight_bps == 0 for move in phase.moves):
        return ""
    if phase.coverage is not None:
        uncovered = stops.why_not_covered(phase.coverage, evidence.coverage)
        if uncovered:
            return uncovered
    if not evidence.log_e_harm < math.log(1.0 / budget.alpha_hold):
        return f"the evidence of harm is {evidence.log_e_harm}"
    beside = any(0 < move.exposure.weight_bps < FULL_WEIGHT_BPS for move in phase.moves)
    carried = {name for passed in rollout.passes for name in passed.certified}
    found = {signal.signal: signal for signal in evidence.signals}
    for spec in phase.signals:
        signal = found.get(spec.name)
        if signal is None or signal.quality is not Quality.GOOD:
            return f"{spec.name} is {signal.quality.value if signal else 'absent'}"
        if not spec.gate:
            continue
        if not beside and spec.name not in carried:
            return f"{spec.name} was never proven beside a baseline"
        if beside and not signal.log_e_safe >= math.log(1.0 / budget.beta):
            return f"{spec.name} has {signal.log_e_safe} for its safety"
    most = max((signal.candidate_total for signal in evidence.signals), default=0)
    return "" if most >= phase.minimum_requests else f"only {most} requests were served"
