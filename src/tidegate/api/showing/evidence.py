"""Evidence as it is shown: display words and bounds over the numbers, which are the domain's."""

import json
import math
from collections.abc import Mapping

from tidegate.api.shapes import evidence as shapes
from tidegate.domain.health.evidence import (
    Evidence,
    Shown,
    SignalEvidence,
    alpha_for_attempt,
    judge,
    shown,
)
from tidegate.domain.plan.model import Plan, SignalKind
from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.decisions import Observation
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.rollout.seen import certified_before, evidence_in_force, phase_in_force
from tidegate.errors import StoreError
from tidegate.ports.store import StoredEvidence
from tidegate.usecases.evidence import ruled_out
from tidegate.usecases.evidence_records import from_lists


def show_evidence(
    rollout: Rollout,
    evidence: Evidence,
    stored: StoredEvidence | None,
    people: Mapping[Arm, int] | None = None,
) -> shapes.Evidence:
    """
    Return *evidence* as it is shown.

    Args:
        rollout: The rollout that it is of, at the same instant.
        evidence: What is known.
        stored: The stored tests, for the bounds that they exclude; None leaves the bounds out.
        people: How many people each arm has served, None where that isn't known.
    """
    phase = None if evidence.phase_began_at is None else rollout.plan.phases[evidence.phase_index]
    bounds = {} if stored is None else _bounds(rollout.plan, stored)
    verdict, reasons, in_force = _verdict(rollout, evidence)
    return shapes.Evidence(
        attempt=evidence.attempt,
        phase=None if phase is None else evidence.phase_index + 1,
        phase_name="" if phase is None else phase.name,
        in_force=in_force,
        ticks=evidence.ticks,
        last_tick_at=evidence.last_tick_at,
        baked_seconds=evidence.baked_for.total_seconds(),
        needed_seconds=0.0 if phase is None else phase.bake.total_seconds(),
        people=None
        if people is None
        else shapes.People(
            candidate=people.get(Arm.CANDIDATE, 0), baseline=people.get(Arm.BASELINE, 0)
        ),
        requests=max((signal.candidate_total for signal in evidence.signals), default=0),
        needed_requests=0 if phase is None else phase.minimum_requests,
        verdict=verdict,
        reasons=list(reasons),
        signals=[
            _signal(signal, rollout.plan, evidence.attempt, bounds.get(signal.signal))
            for signal in evidence.signals
        ],
        exercises=[
            shapes.Exercise(
                name=one.name,
                shown=(Shown.PROVEN if one.count >= one.minimum_count else Shown.PARTLY).value,
                count=one.count,
                needed=one.minimum_count,
            )
            for one in evidence.exercises
        ],
    )


def finite(value: float | None) -> float | None:
    """Return *value*, or None where JSON has no number for it."""
    return value if value is not None and math.isfinite(value) else None


def _bounds(plan: Plan, stored: StoredEvidence) -> dict[str, float | None]:
    try:
        return ruled_out(from_lists(plan, json.loads(stored.state_json)))
    except StoreError:
        # Tests of another release can't be read; their summary can. Without bounds nothing is
        # claimed to be ruled out, and the rollout itself is held by its own step.
        return {}


def _verdict(rollout: Rollout, evidence: Evidence) -> tuple[str | None, tuple[str, ...], bool]:
    phase = phase_in_force(rollout)
    if phase is None:
        return None, (), False
    observation = Observation(
        now=rollout.state_since, rollout=rollout, placements=(), evidence=evidence
    )
    known = evidence_in_force(observation)
    judgement = judge(
        known,
        phase=phase,
        budget=rollout.plan.budget,
        attempt=rollout.attempt,
        carried=certified_before(rollout),
    )
    return judgement.verdict.value, judgement.reasons, known is evidence


def _signal(
    signal: SignalEvidence, plan: Plan, attempt: int, excluded: float | None
) -> shapes.Signal:
    word = shown(signal, alpha=alpha_for_attempt(plan.budget, attempt), beta=plan.budget.beta)
    return shapes.Signal(
        name=signal.signal,
        kind=signal.kind.value,
        gate=signal.gate,
        shown=word.value,
        quality=signal.quality.value,
        quality_note=signal.quality_note,
        unit=signal.tolerance.unit.value,
        tolerated=signal.tolerance.value,
        ruled_out=finite(excluded),
        concurrent=signal.concurrent,
        candidate=_counts(signal.kind, signal.candidate_total, signal.candidate_bad),
        baseline=_counts(signal.kind, signal.baseline_total, signal.baseline_bad),
    )


def _counts(kind: SignalKind, total: int, bad: int) -> shapes.ArmCounts:
    if kind is SignalKind.USAGE:
        return shapes.ArmCounts(total=total, bad=None, share=None)
    return shapes.ArmCounts(total=total, bad=bad, share=bad / total if total else None)
