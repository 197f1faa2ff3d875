"""Evidence as it is shown: display words and bounds over the numbers, which are the domain's."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta

from tidegate.api.shapes import evidence as shapes
from tidegate.domain.health.coverage import CoverageEvidence
from tidegate.domain.health.evidence import (
    Evidence,
    Shown,
    SignalEvidence,
    alpha_for_attempt,
    judge,
    shown,
)
from tidegate.domain.health.meter import DataMeter, ExposureMeter, Meter, SignalMeter
from tidegate.domain.plan.model import Plan, SignalKind
from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.decisions import Observation
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.rollout.seen import (
    certified_before,
    evidence_in_force,
    is_suspected,
    phase_in_force,
)
from tidegate.ports.store import EvidencePoint, StoredEvidence
from tidegate.usecases.evidence import ruled_out
from tidegate.usecases.meter import stored_state


def show_evidence(
    rollout: Rollout,
    evidence: Evidence,
    stored: StoredEvidence | None,
    people: Mapping[Arm, int] | None = None,
    *,
    meter: Meter | None = None,
    points: Sequence[EvidencePoint] = (),
) -> shapes.Evidence:
    """
    Return *evidence* as it is shown.

    Args:
        rollout: The rollout that it is of, at the same instant.
        evidence: What is known.
        stored: The stored tests, for the bounds that they exclude; None leaves the bounds out.
        people: How many people each arm has served, None where that isn't known.
        meter: What is read off the evidence at this moment; None leaves forecasts out.
        points: Points for charts.
    """
    phase = None if evidence.phase_began_at is None else rollout.plan.phases[evidence.phase_index]
    state = stored_state(rollout, stored) if meter is None else None
    bounds = {} if state is None else ruled_out(state)
    measured = {} if meter is None else {one.evidence.signal: one for one in meter.signals}
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
            _signal(
                signal,
                rollout.plan,
                evidence.attempt,
                bounds.get(signal.signal),
                measured.get(signal.signal),
            )
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
        warming=evidence.warming,
        exposure=None if meter is None else _exposure(meter.exposure),
        data=None if meter is None else _data(meter.data),
        coverage=None if evidence.coverage is None else _coverage(evidence.coverage),
        by_hour_of_week=meter is not None and meter.by_hour_of_week,
        points=[_point(point) for point in points],
    )


def finite(value: float | None) -> float | None:
    """Return *value*, or None where JSON has no number for it."""
    return value if value is not None and math.isfinite(value) else None


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
        was_suspect=is_suspected(rollout),
    )
    return judgement.verdict.value, judgement.reasons, known is evidence


def _signal(
    signal: SignalEvidence,
    plan: Plan,
    attempt: int,
    excluded: float | None,
    meter: SignalMeter | None,
) -> shapes.Signal:
    word = shown(signal, alpha=alpha_for_attempt(plan.budget, attempt), beta=plan.budget.beta)
    if meter is not None:
        word, excluded = meter.shown, meter.ruled_out
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
        power_double=None if meter is None else finite(meter.power_double),
        power_twice_tolerated=None if meter is None else finite(meter.power_twice_tolerated),
        double_seen_in_seconds=None if meter is None else _seconds(meter.double_seen_in),
        proof_in_seconds=None if meter is None else _seconds(meter.proof_in),
        shadow=signal.shadow,
        shadow_halts=signal.shadow_halts,
        value=finite(signal.value),
        limit=None if signal.limit is None else signal.limit.value,
        limit_is_upper=None if signal.limit is None else signal.limit.above,
    )


def _exposure(meter: ExposureMeter) -> shapes.ExposureMet:
    return shapes.ExposureMet(
        requests=meter.candidate_requests,
        requests_per_second=meter.requests_per_second,
        hours_of_day=list(meter.hours_of_day),
        targets=meter.targets,
        targets_count=meter.targets_count,
    )


def _data(meter: DataMeter) -> shapes.DataQuality:
    return shapes.DataQuality(
        age_seconds=_seconds(meter.age),
        candidate_share=meter.candidate_share,
        planned_share=meter.planned_share,
        split_as_planned=meter.split_as_planned,
        baseline_rate=meter.baseline_rate,
        baseline_usual=meter.baseline_usual,
        baseline_clean=meter.baseline_clean,
    )


def _coverage(evidence: CoverageEvidence) -> shapes.Coverage:
    return shapes.Coverage(
        cells=evidence.cells,
        covered=evidence.covered,
        uses_needed=evidence.uses_needed,
        covered_share=evidence.covered_share,
        unseen_share=evidence.unseen_candidate,
        missing=[cell.cell for cell in evidence.missing],
    )


def _point(point: EvidencePoint) -> shapes.Point:
    return shapes.Point(
        at=point.at,
        attempt=point.attempt,
        phase=point.phase_index + 1,
        **json.loads(point.numbers_json),
    )


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()


def _counts(kind: SignalKind, total: int, bad: int) -> shapes.ArmCounts:
    if kind is SignalKind.USAGE:
        return shapes.ArmCounts(total=total, bad=None, share=None)
    return shapes.ArmCounts(total=total, bad=bad, share=bad / total if total else None)
