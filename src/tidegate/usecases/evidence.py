"""
From stored ticks to evidence: the fold that the watch runs forward and a replay runs again.

`absorb` is pure and takes nothing but the plan, the state before and one tick. Ticks are stored, so
evidence can be made again from nothing, to the last bit. What becomes of a single signal is in
`signal_states`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tidegate.domain.health import coverage
from tidegate.domain.health.coverage import CellCount, CoverageState
from tidegate.domain.health.evidence import (
    Evidence,
    ExerciseEvidence,
    SignalEvidence,
    is_binding,
)
from tidegate.domain.health.readings import Quality
from tidegate.domain.health.signal_health import sick_dependency
from tidegate.domain.health.trouble import Suspect, Trouble
from tidegate.domain.plan.model import (
    Counting,
    Phase,
    Plan,
    SignalKind,
    SignalSpec,
    ToleranceUnit,
)
from tidegate.domain.quantities import FULL_WEIGHT_BPS
from tidegate.stats.combine import global_log_e_value
from tidegate.usecases import common_trouble, sequential
from tidegate.usecases.common_trouble import CommonState
from tidegate.usecases.coverage import coverage_evidence
from tidegate.usecases.sequential import Entry, Tests
from tidegate.usecases.signal_states import (
    SignalInput,
    SignalState,
    after_tick,
    begin_signal,
    signal_evidence,
    with_proof_anew,
)

__all__ = [
    "CONFIDENCE_SHOWN",
    "EvidenceState",
    "ExerciseInput",
    "SignalInput",
    "SignalState",
    "TickRecord",
    "absorb",
    "replay",
    "ruled_out",
    "summarise",
]

CONFIDENCE_SHOWN = 0.05
"""Bounds for people are shown at 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseInput:
    """How often the candidate used the changed path in this tick."""

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TickRecord:
    """
    One look of the watch at one rollout: all that the fold may depend on besides the plan.

    `counting` is whether the bake's clock runs (it doesn't while the rollout is held or waits).
    `phase_began_at` tells a phase that is baked a second time from the first. `cells` are what the tick
    saw of each kind of use, where coverage is asked for. `suspects` are the other changes that may be
    behind trouble of both arms, as they were weighed at this tick.
    """

    at: datetime
    phase_index: int
    phase_began_at: datetime
    counting: bool
    inputs: tuple[SignalInput, ...]
    exercises: tuple[ExerciseInput, ...] = ()
    cells: tuple[CellCount, ...] = ()
    suspects: tuple[Suspect, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceState:
    """All tests of one attempt of one rollout."""

    ticks: int
    phase_index: int
    phase_began_at: datetime
    last_at: datetime
    baked_for: timedelta
    last_hour: int
    signals: tuple[SignalState, ...]
    exercises: tuple[tuple[str, int], ...]
    coverage: CoverageState | None = None
    common: CommonState | None = None
    suspects: tuple[Suspect, ...] = ()


def absorb(
    batch: Sequence[tuple[Plan, EvidenceState | None, TickRecord]],
) -> list[EvidenceState]:
    """
    Return the evidence states after one tick each, in order.

    A tick that isn't later than the last one was absorbed before or came late: it changes nothing.
    """
    prepared = [_prepare(plan, state, tick) for plan, state, tick in batch]
    work: list[Entry] = []
    for state, tick, starting, warm in prepared:
        inputs = {given.signal: given for given in tick.inputs}
        requests = _requests(state, inputs)
        for signal in state.signals:
            given = inputs.get(signal.spec.name)
            strata = given.strata if given is not None and state.last_at < tick.at else ()
            work.append(
                Entry(
                    tests=signal.tests,
                    spec=signal.spec,
                    strata=strata,
                    at=tick.at,
                    starting=starting,
                    lasted=max(tick.at - state.last_at, timedelta(0)),
                    warm=warm,
                    requests=requests,
                    troubled=_is_troubled(state.common),
                )
            )
    updated = iter(sequential.update_all(work))
    return [
        _conclude(plan, state, tick, [next(updated) for _ in state.signals], warm=warm)
        for (plan, _, _), (state, tick, _, warm) in zip(batch, prepared, strict=True)
    ]


def replay(plan: Plan, ticks: Sequence[TickRecord]) -> EvidenceState | None:
    """Return the state that *ticks* lead to from nothing, None for no ticks."""
    state: EvidenceState | None = None
    for tick in ticks:
        state = absorb([(plan, state, tick)])[0]
    return state


def summarise(plan: Plan, state: EvidenceState, *, attempt: int) -> Evidence:
    """Return what *state* proves, in the domain's words."""
    phase = plan.phases[state.phase_index]
    signals = tuple(signal_evidence(phase, signal) for signal in state.signals)
    heard = [(signal.log_e_harm, signal.weight) for signal in signals if signal.weight > 0.0]
    overall = 0.0
    if heard:
        values, weights = zip(*heard, strict=True)
        overall = float(global_log_e_value(values, weights))
    return Evidence(
        attempt=attempt,
        phase_index=state.phase_index,
        phase_began_at=state.phase_began_at,
        ticks=state.ticks,
        last_tick_at=state.last_at,
        baked_for=state.baked_for,
        log_e_harm=overall,
        signals=signals,
        exercises=tuple(
            ExerciseEvidence(
                name=spec.name,
                count=dict(state.exercises).get(spec.name, 0),
                minimum_count=spec.minimum_count,
            )
            for spec in phase.exercises
        ),
        warming=_is_warm(plan, state),
        coverage=coverage_evidence(phase.coverage, state.coverage)
        if phase.coverage is not None and state.coverage is not None
        else None,
        trouble=_trouble(plan, state, signals, attempt),
    )


def ruled_out(state: EvidenceState) -> dict[str, float | None]:
    """
    Return per signal the harm that is excluded so far, in its tolerance's own unit, at 95 %.

    Apart from `summarise` because people look at it far less often than the watch ticks.
    """
    return {
        signal.spec.name: sequential.ruled_out(signal.tests, signal.spec, alpha=CONFIDENCE_SHOWN)
        for signal in state.signals
    }


# --- one tick --------------------------------------------------------------------------------


def _prepare(
    plan: Plan, state: EvidenceState | None, tick: TickRecord
) -> tuple[EvidenceState, TickRecord, bool, bool]:
    """Begin the attempt, phase or hour that this tick belongs to; return whether one began, and if warm."""
    if state is not None and tick.at <= state.last_at:
        return state, tick, False, False
    phase = plan.phases[tick.phase_index]
    hour = int(tick.at.timestamp() // 3600)
    starting = True
    if state is None:
        state, starting = _begin(phase, tick, hour, before=None), False
    elif (tick.phase_index, tick.phase_began_at) != (state.phase_index, state.phase_began_at):
        state = _begin(phase, tick, hour, before=state)
    elif hour != state.last_hour:
        state = replace(state, last_hour=hour)
    else:
        starting = False
    return state, tick, starting, _is_warm(plan, state)


def _is_warm(plan: Plan, state: EvidenceState) -> bool:
    """Return whether the tick after *state* still begins in the phase's warm-up."""
    return state.last_at < state.phase_began_at + plan.warm_up


def _requests(
    state: EvidenceState, inputs: Mapping[str, SignalInput]
) -> dict[tuple[str, str], tuple[int, int]]:
    """Return how many requests each arm served where, for signals that don't count them themselves."""
    for signal in state.signals:
        kind, given = signal.spec.kind, inputs.get(signal.spec.name)
        counts_requests = signal.spec.counting is Counting.EVENTS and kind is SignalKind.ERRORS
        if given is not None and (counts_requests or kind is SignalKind.TRAFFIC):
            return {
                (stratum.placement, stratum.group): (
                    stratum.candidate.total,
                    stratum.baseline.total,
                )
                for stratum in given.strata
            }
    return {}


def _begin(
    phase: Phase, tick: TickRecord, hour: int, *, before: EvidenceState | None
) -> EvidenceState:
    known = {} if before is None else {signal.spec.name: signal for signal in before.signals}
    seen = None if before is None else before.coverage
    return EvidenceState(
        ticks=0 if before is None else before.ticks,
        phase_index=tick.phase_index,
        phase_began_at=tick.phase_began_at,
        last_at=tick.phase_began_at,
        baked_for=timedelta(0),
        last_hour=hour,
        signals=tuple(
            begin_signal(phase, spec, tick.phase_began_at, known.get(spec.name))
            for spec in phase.signals
            if phase.exposes_users
        ),
        exercises=tuple((spec.name, 0) for spec in phase.exercises),
        coverage=coverage.begin_phase(seen) if phase.coverage is not None else seen,
        common=None if before is None else before.common,
    )


def _conclude(
    plan: Plan, state: EvidenceState, tick: TickRecord, tests: list[Tests], *, warm: bool
) -> EvidenceState:
    if tick.at <= state.last_at:
        return state
    inputs = {given.signal: given for given in tick.inputs}
    signals = tuple(
        after_tick(
            signal,
            after,
            inputs.get(signal.spec.name),
            tick.at,
            budget=plan.budget,
            warm=warm,
        )
        for signal, after in zip(state.signals, tests, strict=True)
    )
    # Longer than a tick may last means that nobody looked: that time isn't baked.
    passed = min(tick.at - state.last_at, plan.stale_after)
    good = all(signal.quality is Quality.GOOD for signal in signals if is_binding(signal.spec))
    common = _common(state, inputs, tick.at, passed)
    troubled = _is_troubled(state.common)
    if troubled and not _is_troubled(common):
        signals = tuple(map(with_proof_anew, signals))
    proves = good and not warm and not troubled
    baked = passed if tick.counting and proves else timedelta(0)
    counts = dict(state.exercises)
    for exercise in tick.exercises:
        if exercise.name in counts:
            counts[exercise.name] += exercise.count
    after = replace(
        state,
        ticks=state.ticks + 1,
        last_at=tick.at,
        baked_for=state.baked_for + baked,
        signals=signals,
        exercises=tuple(counts.items()),
        common=common,
        suspects=tick.suspects,
    )
    if plan.phases[state.phase_index].coverage is None or state.coverage is None:
        return after
    seen = coverage.fold(state.coverage, tick.cells, looked=passed, baked=baked)
    return replace(after, coverage=seen)


def _is_troubled(common: CommonState | None) -> bool:
    return common is not None and common.since is not None


def _watched_for_trouble(state: EvidenceState) -> SignalSpec | None:
    """Return the errors signal whose baseline tells of trouble: the first that counts requests."""
    for signal in state.signals:
        spec = signal.spec
        if spec.kind is SignalKind.ERRORS and spec.counting is Counting.EVENTS and not spec.shadow:
            return spec
    return None


def _common(
    state: EvidenceState, inputs: Mapping[str, SignalInput], at: datetime, passed: timedelta
) -> CommonState | None:
    spec = _watched_for_trouble(state)
    given = None if spec is None else inputs.get(spec.name)
    if spec is None or given is None or given.quality is not Quality.GOOD:
        return state.common
    beside = [one.baseline for one in given.strata if one.weight_bps < FULL_WEIGHT_BPS]
    return common_trouble.absorb(
        state.common or common_trouble.begin(),
        at=at,
        passed=passed,
        bad=sum(arm.bad for arm in beside),
        total=sum(arm.total for arm in beside),
        tolerance=spec.tolerance.value if spec.tolerance.unit is ToleranceUnit.RATE else 0.0,
    )


def _trouble(
    plan: Plan, state: EvidenceState, signals: Sequence[SignalEvidence], attempt: int
) -> Trouble | None:
    spec = _watched_for_trouble(state)
    if spec is None or state.common is None or state.common.since is None:
        return None
    rate, usual = common_trouble.rates(state.common)
    return Trouble(
        since=state.common.since,
        signal=spec.name,
        rate=rate,
        usual_rate=usual,
        suspects=(
            *sick_dependency(plan, plan.phases[state.phase_index], signals, attempt),
            *state.suspects,
        ),
    )
