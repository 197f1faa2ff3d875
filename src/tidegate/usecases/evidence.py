"""
From stored ticks to evidence: the fold that the watch runs forward and a replay runs again.

`absorb` is pure and takes nothing but the plan, the state before and one tick. Ticks are stored, so
evidence can be made again from nothing, to the last bit. Quality is judged here too: what makes a
signal's data unusable is a fact about ticks, not an opinion of the moment.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tidegate.domain.health.evidence import Evidence, ExerciseEvidence, SignalEvidence
from tidegate.domain.health.readings import Quality
from tidegate.domain.plan.model import Phase, Plan, SignalKind, SignalSpec
from tidegate.stats.combine import global_log_e_value
from tidegate.usecases import sequential
from tidegate.usecases.sequential import Stratum, Tests

SILENCE_EXPECTED_REQUESTS = 5.0
"""A candidate that got nothing while five requests were due is silent: chance does that in 0.7 %."""

SPLIT_EXPECTED_REQUESTS = 100.0
"""The share of requests is compared once a hundred were due, so that chance alone can't halve it."""

SPLIT_FACTOR = 2.0
"""A share off by more than this isn't the split that was asked for, however users differ."""

HOUR = timedelta(hours=1)
CONFIDENCE_SHOWN = 0.05
"""Bounds for people are shown at 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalInput:
    """What one tick brought for one signal. Strata are empty where the quality isn't good."""

    signal: str
    strata: tuple[Stratum, ...]
    quality: Quality
    note: str


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
    `phase_began_at` tells a phase that is baked a second time from the first.
    """

    at: datetime
    phase_index: int
    phase_began_at: datetime
    counting: bool
    inputs: tuple[SignalInput, ...]
    exercises: tuple[ExerciseInput, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalState:
    """One signal's tests and its data's quality. Totals are those of the phase."""

    spec: SignalSpec
    tests: Tests
    quality: Quality
    note: str
    quality_since: datetime
    concurrent: bool
    candidate_total: int = 0
    candidate_bad: int = 0
    baseline_total: int = 0
    baseline_bad: int = 0
    due_since_candidate: float = 0.0
    split_due: float = 0.0
    split_got: int = 0
    split_is_wrong: bool = False


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


def absorb(
    batch: Sequence[tuple[Plan, EvidenceState | None, TickRecord]],
) -> list[EvidenceState]:
    """
    Return the evidence states after one tick each, in order.

    A tick that isn't later than the last one was absorbed before or came late: it changes nothing.
    """
    prepared: list[tuple[EvidenceState, TickRecord, bool]] = []
    for plan, state, tick in batch:
        prepared.append(_prepare(plan, state, tick))
    work: list[tuple[Tests, SignalSpec, tuple[Stratum, ...], bool]] = []
    for state, tick, starting in prepared:
        inputs = {given.signal: given for given in tick.inputs}
        for signal in state.signals:
            given = inputs.get(signal.spec.name)
            strata = given.strata if given is not None and state.last_at < tick.at else ()
            work.append((signal.tests, signal.spec, strata, starting))
    updated = iter(sequential.update_all(work))
    return [
        _conclude(plan, state, tick, [next(updated) for _ in state.signals])
        for (plan, _, _), (state, tick, _) in zip(batch, prepared, strict=True)
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
    signals = tuple(_signal_evidence(phase, signal) for signal in state.signals)
    overall = 0.0
    if signals:
        values, weights = [s.log_e_harm for s in signals], [s.weight for s in signals]
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
    )


def ruled_out(state: EvidenceState) -> dict[str, float | None]:
    """
    Return per signal the harm that is excluded so far, in its tolerance's own unit, at 95 %.

    Apart from `summarise` because people look at it far less often than the watch ticks.
    """
    return {
        signal.spec.name: sequential.ruled_out(signal.tests, alpha=CONFIDENCE_SHOWN)
        for signal in state.signals
    }


# --- one tick --------------------------------------------------------------------------------


def _prepare(
    plan: Plan, state: EvidenceState | None, tick: TickRecord
) -> tuple[EvidenceState, TickRecord, bool]:
    """Begin the attempt, the phase or the hour that this tick belongs to."""
    if state is not None and tick.at <= state.last_at:
        return state, tick, False
    phase = plan.phases[tick.phase_index]
    hour = int(tick.at.timestamp() // 3600)
    if state is None:
        return _begin(phase, tick, hour, known={}), tick, False
    began = tick.phase_index != state.phase_index or tick.phase_began_at != state.phase_began_at
    if began:
        known = {signal.spec.name: signal.tests for signal in state.signals}
        fresh = _begin(phase, tick, hour, known=known)
        return replace(fresh, ticks=state.ticks), tick, True
    if hour != state.last_hour:
        return replace(state, last_hour=hour), tick, True
    return state, tick, False


def _begin(
    phase: Phase,
    tick: TickRecord,
    hour: int,
    *,
    known: dict[str, Tests],
) -> EvidenceState:
    return EvidenceState(
        ticks=0,
        phase_index=tick.phase_index,
        phase_began_at=tick.phase_began_at,
        last_at=tick.phase_began_at,
        baked_for=timedelta(0),
        last_hour=hour,
        signals=tuple(
            SignalState(
                spec=spec,
                tests=sequential.begin_phase(known[spec.name], spec)
                if spec.name in known
                else sequential.begin(spec),
                quality=Quality.MISSING,
                note="no data yet",
                quality_since=tick.phase_began_at,
                concurrent=phase.has_concurrent_baseline,
            )
            for spec in phase.signals
            if phase.exposes_users
        ),
        exercises=tuple((spec.name, 0) for spec in phase.exercises),
    )


def _conclude(
    plan: Plan, state: EvidenceState, tick: TickRecord, tests: list[Tests]
) -> EvidenceState:
    if tick.at <= state.last_at:
        return state
    inputs = {given.signal: given for given in tick.inputs}
    signals = tuple(
        _after_tick(replace(signal, tests=after), inputs.get(signal.spec.name), tick.at)
        for signal, after in zip(state.signals, tests, strict=True)
    )
    # Longer than a tick may last means that nobody looked: that time isn't baked.
    passed = min(tick.at - state.last_at, plan.stale_after)
    good = all(signal.quality is Quality.GOOD for signal in signals)
    counts = dict(state.exercises)
    for exercise in tick.exercises:
        if exercise.name in counts:
            counts[exercise.name] += exercise.count
    return replace(
        state,
        ticks=state.ticks + 1,
        last_at=tick.at,
        baked_for=state.baked_for + (passed if tick.counting and good else timedelta(0)),
        signals=signals,
        exercises=tuple(counts.items()),
    )


def _after_tick(signal: SignalState, given: SignalInput | None, at: datetime) -> SignalState:
    if given is None:
        return _with_quality(signal, Quality.MISSING, "the watch brought nothing for it", at)
    if given.quality is not Quality.GOOD:
        return _with_quality(signal, given.quality, given.note, at)
    signal = _count(signal, given.strata)
    quality, note = _traffic_quality(signal)
    return _with_quality(signal, quality, note, at)


def _with_quality(signal: SignalState, quality: Quality, note: str, at: datetime) -> SignalState:
    since = signal.quality_since if quality is signal.quality else at
    return replace(signal, quality=quality, note=note, quality_since=since)


def _count(signal: SignalState, strata: tuple[Stratum, ...]) -> SignalState:
    candidate_total = sum(stratum.candidate.total for stratum in strata)
    baseline_total = sum(stratum.baseline.total for stratum in strata)
    candidate_bad = sum(stratum.candidate.bad for stratum in strata)
    baseline_bad = sum(stratum.baseline.bad for stratum in strata)
    if signal.spec.kind is SignalKind.LATENCY and signal.tests.edge is not None:
        slow, edge = sequential.slower_than, signal.tests.edge
        candidate_bad = sum(slow(edge, s.bounds, s.candidate.buckets) for s in strata)
        baseline_bad = sum(slow(edge, s.bounds, s.baseline.buckets) for s in strata)
    signal = replace(
        signal,
        candidate_total=signal.candidate_total + candidate_total,
        candidate_bad=signal.candidate_bad + candidate_bad,
        baseline_total=signal.baseline_total + baseline_total,
        baseline_bad=signal.baseline_bad + baseline_bad,
    )
    return _count_split(signal, strata) if signal.spec.kind is SignalKind.ERRORS else signal


def _count_split(signal: SignalState, strata: tuple[Stratum, ...]) -> SignalState:
    """Keep account of how many requests were due to the candidate and how many it got."""
    beside = [stratum for stratum in strata if stratum.weight_bps < 10_000]
    got = sum(stratum.candidate.total for stratum in beside)
    due = sum(
        (stratum.candidate.total + stratum.baseline.total) * stratum.weight_bps / 10_000
        for stratum in beside
    )
    alone = sum(s.candidate.total for s in strata if s.weight_bps == 10_000)
    split_due, split_got = signal.split_due + due, signal.split_got + got
    wrong = signal.split_is_wrong
    if split_due >= SPLIT_EXPECTED_REQUESTS:
        wrong = not split_due / SPLIT_FACTOR <= split_got <= split_due * SPLIT_FACTOR
        split_due, split_got = 0.0, 0
    return replace(
        signal,
        due_since_candidate=0.0 if got or alone else signal.due_since_candidate + due,
        split_due=split_due,
        split_got=split_got,
        split_is_wrong=wrong,
    )


def _traffic_quality(signal: SignalState) -> tuple[Quality, str]:
    if signal.due_since_candidate >= SILENCE_EXPECTED_REQUESTS:
        due = math.floor(signal.due_since_candidate)
        return Quality.SILENT, f"the candidate got nothing while {due} requests were due to it"
    if signal.split_is_wrong:
        return Quality.WRONG_SPLIT, "the candidate's share of requests isn't what was asked for"
    return Quality.GOOD, ""


# --- words for the domain --------------------------------------------------------------------


def _signal_evidence(phase: Phase, signal: SignalState) -> SignalEvidence:
    tests = signal.tests
    return SignalEvidence(
        signal=signal.spec.name,
        kind=signal.spec.kind,
        gate=signal.spec.gate,
        weight=_weight(phase, signal.spec),
        tolerance=signal.spec.tolerance,
        concurrent=signal.concurrent,
        log_e_harm=sequential.log_e_harm(tests),
        log_e_safe=sequential.log_e_safe(tests),
        quality=signal.quality,
        quality_note=signal.note,
        quality_since=signal.quality_since,
        candidate_total=signal.candidate_total,
        candidate_bad=signal.candidate_bad,
        baseline_total=signal.baseline_total,
        baseline_bad=signal.baseline_bad,
    )


def _weight(phase: Phase, spec: SignalSpec) -> float:
    """Half of the halting budget goes to gate signals in equal parts, half to the others."""
    alike = sum(1 for other in phase.signals if other.gate is spec.gate)
    only_one_sort = alike == len(phase.signals)
    return 1.0 / alike if only_one_sort else 0.5 / alike
