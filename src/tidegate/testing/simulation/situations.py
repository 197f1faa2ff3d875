"""
Situations for tests of the policy: what was seen, what is known, and the observation of both.

Rule: by default all is well. Every placement serves what the rollout wants there and every signal is
good and proven, so that a test names only what is not. Everything is a value: nothing here has a clock
or a random number.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from tidegate.domain.health.evidence import (
    NO_EVIDENCE,
    Evidence,
    ExerciseEvidence,
    SignalEvidence,
)
from tidegate.domain.health.readings import Quality
from tidegate.domain.plan.model import Phase, Plan, SignalSpec
from tidegate.domain.quantities import NO_EXPOSURE, Generation, Placement
from tidegate.domain.rollout.alarms import Alarm
from tidegate.domain.rollout.decisions import Observation, Seen
from tidegate.domain.rollout.model import Approval, PhasePass, Rollout
from tidegate.domain.rollout.seen import phase_in_force, wanted_exposure
from tidegate.testing.builders import a_plan, a_signal
from tidegate.usecases.observe import placements_of_interest

PROVEN_LOG_E: Final = 50.0
"""Far beyond any threshold that a plan may set."""

HARM_LOG_E: Final = 50.0


def as_wanted(rollout: Rollout, placement: Placement, **changes: Any) -> Seen:
    """Return *placement* as seen when it serves exactly what *rollout* wants, with *changes*."""
    exposure = wanted_exposure(rollout, placement)
    exposed = exposure != NO_EXPOSURE
    found = Seen(
        placement=placement,
        exposure=exposure,
        generation=rollout.generation_on(placement.target),
        settled=True,
        why_not="",
        serving=rollout.baseline_of(placement),
        candidate=rollout.change.version_of(placement.component) if exposed else None,
        stopped_at_generation=None,
        trips=0,
    )
    return replace(found, **changes)


def all_as_wanted(rollout: Rollout, **changes: Any) -> tuple[Seen, ...]:
    """Return every placement that is looked at as `as_wanted`, each with *changes*."""
    return tuple(
        as_wanted(rollout, placement, **changes) for placement in placements_of_interest(rollout)
    )


def signal_evidence(spec: SignalSpec, phase: Phase, **changes: Any) -> SignalEvidence:
    """Return evidence that proves *spec* in *phase*: good data and no harm, with *changes*."""
    found = SignalEvidence(
        signal=spec.name,
        kind=spec.kind,
        gate=spec.gate,
        weight=1.0 / len(phase.signals),
        tolerance=spec.tolerance,
        concurrent=phase.has_concurrent_baseline,
        log_e_harm=-1.0,
        log_e_safe=PROVEN_LOG_E,
        quality=Quality.GOOD,
        quality_note="",
        quality_since=None,
        candidate_total=100_000,
        candidate_bad=0,
        baseline_total=100_000,
        baseline_bad=0,
        counting=spec.counting,
        limit=spec.limit,
        shadow=spec.shadow,
    )
    return replace(found, **changes)


def evidence_of(
    rollout: Rollout,
    *,
    at: datetime,
    baked_for: timedelta | None = None,
    log_e_harm: float = -1.0,
    signals: Sequence[SignalEvidence] | None = None,
    **signal_changes: Any,
) -> Evidence:
    """
    Return evidence of the phase in force whose last tick was *at*, enough for a pass.

    *signal_changes* are made to every signal. Without a phase in force there is no evidence.
    """
    phase = phase_in_force(rollout)
    if phase is None:
        return NO_EVIDENCE
    if signals is None:
        signals = [signal_evidence(spec, phase, **signal_changes) for spec in phase.signals]
    return Evidence(
        attempt=rollout.attempt,
        phase_index=rollout.plan.phases.index(phase),
        phase_began_at=rollout.phase_since,
        ticks=10,
        last_tick_at=at,
        baked_for=phase.bake if baked_for is None else baked_for,
        log_e_harm=log_e_harm,
        signals=tuple(signals),
        exercises=tuple(
            ExerciseEvidence(
                name=spec.name, count=spec.minimum_count, minimum_count=spec.minimum_count
            )
            for spec in phase.exercises
        ),
    )


def an_observation(
    rollout: Rollout,
    *,
    now: datetime,
    placements: Sequence[Seen] | None = None,
    evidence: Evidence | None = None,
    alarms: Sequence[Alarm] = (),
    **said: Any,
) -> Observation:
    """
    Return what is seen of *rollout* at *now*: all as wanted and proven, unless said otherwise.

    *said* are other fields of the observation: stop orders, gates, the calendar.
    """
    return Observation(
        now=now,
        rollout=rollout,
        placements=all_as_wanted(rollout) if placements is None else tuple(placements),
        evidence=evidence_of(rollout, at=now) if evidence is None else evidence,
        alarms=tuple(alarms),
        **said,
    )


def a_pass(rollout: Rollout, phase_index: int, **changes: Any) -> PhasePass:
    """Return the record that phase *phase_index* was passed in the present attempt."""
    found = PhasePass(
        phase_index=phase_index,
        attempt=rollout.attempt,
        at=rollout.state_since,
        certified=tuple(spec.name for spec in rollout.plan.phases[phase_index].signals),
    )
    return replace(found, **changes)


def an_approval(rollout: Rollout, by: str = "bob", **changes: Any) -> Approval:
    """Return *by*'s agreement to the phase that *rollout* is at, bound to plan and attempt."""
    found = Approval(
        by=by,
        at=rollout.state_since,
        phase_index=rollout.phase_index,
        attempt=rollout.attempt,
        plan_hash=rollout.plan_hash,
        comment="",
    )
    return replace(found, **changes)


def issued(rollout: Rollout, generation: int = 1) -> Rollout:
    """Return *rollout* with *generation* issued on every target of its plan."""
    targets = {placement.target for placement in rollout.plan.placements()}
    return replace(
        rollout,
        generations=tuple((str(target), Generation(generation)) for target in sorted(targets)),
    )


def a_quick_plan(
    *,
    weights_bps: Sequence[int] = (500, 2_500, 10_000),
    placements: Sequence[Placement] | None = None,
    source: str = "memory",
    **phase_changes: Any,
) -> Plan:
    """
    Return a plan whose bakes last a minute and whose signals are read from *source*.

    Without usable data it halts after ten minutes. *phase_changes* are made to every phase.
    """
    plan = replace(
        a_plan(weights_bps=weights_bps, placements=placements),
        no_data_halt_after=timedelta(minutes=10),
    )
    changes = {
        "bake": timedelta(minutes=1),
        "bake_max": timedelta(minutes=3),
        "signals": (a_signal(source=source),),
        **phase_changes,
    }
    return replace(plan, phases=tuple(replace(phase, **changes) for phase in plan.phases))


def log_odds(alpha: float) -> float:
    """Return the log e-value at which a test at level *alpha* (in (0, 1)) speaks, in nats."""
    return math.log(1.0 / alpha)
