"""
One signal in the fold: its tests, its counts and its data's quality, from tick to tick.

Nothing here knows the other signals or the rollout's clock; `evidence` puts them together. What a number
means is said in `stats`, what makes data unusable in `signal_quality`.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime

from tidegate.domain.health.evidence import (
    SignalEvidence,
    alpha_for_attempt,
    halting_weight,
    is_broken,
)
from tidegate.domain.health.readings import Quality
from tidegate.domain.plan.model import Effect, ErrorBudget, Phase, SignalSpec
from tidegate.usecases import sequential, signal_quality
from tidegate.usecases.sequential import Stratum, Tests
from tidegate.usecases.signal_quality import NO_FLOW, Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalInput:
    """What one tick brought for one signal. Strata are empty where the quality isn't good."""

    signal: str
    strata: tuple[Stratum, ...]
    quality: Quality
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalState:
    """
    One signal's tests and its data's quality. Totals are those of the phase.

    While the phase is `warm` they are those of its warm-up, and begin anew after it. `flow` is what is
    remembered to judge quality by, `shadow_halts` how often a shadow would have halted.
    """

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
    flow: Flow = NO_FLOW
    warm: bool = False
    shadow_halts: int = 0


def begin_signal(
    phase: Phase, spec: SignalSpec, began_at: datetime, before: SignalState | None
) -> SignalState:
    """Return the state of *spec* when *phase* began, with what was known *before* of the attempt."""
    return SignalState(
        spec=spec,
        tests=sequential.begin(spec)
        if before is None
        else sequential.begin_phase(before.tests, spec),
        quality=Quality.MISSING,
        note="no data yet",
        quality_since=began_at,
        concurrent=phase.has_concurrent_baseline,
        shadow_halts=0 if before is None else before.shadow_halts,
    )


def after_tick(
    signal: SignalState,
    tests: Tests,
    given: SignalInput | None,
    at: datetime,
    *,
    budget: ErrorBudget,
    warm: bool,
) -> SignalState:
    """Return *signal* after a tick at *at* that brought *given* and left its tests as *tests*."""
    before, signal = signal.tests, replace(signal, tests=tests)
    if given is None:
        return _with_quality(signal, Quality.MISSING, "the watch brought nothing for it", at)
    if given.quality is not Quality.GOOD:
        return _with_quality(signal, given.quality, given.note, at)
    signal = _count(signal, given.strata, warm=warm)
    flow = signal_quality.flow_after(signal.flow, signal.spec, given.strata)
    quality, note = signal_quality.judge_quality(flow, signal.spec, tests, given.strata)
    signal = replace(signal, flow=flow)
    if signal.spec.shadow:
        signal = _count_shadow(budget, signal, before)
    return _with_quality(signal, quality, note, at)


def _with_quality(signal: SignalState, quality: Quality, note: str, at: datetime) -> SignalState:
    since = signal.quality_since if quality is signal.quality else at
    return replace(signal, quality=quality, note=note, quality_since=since)


def _count(signal: SignalState, strata: tuple[Stratum, ...], *, warm: bool) -> SignalState:
    """Add up what is shown. What a warm-up showed proves nothing, so it isn't counted on from."""
    total = sequential.counts_shown(signal.tests, strata)
    ended = signal.warm and not warm
    return replace(
        signal,
        warm=warm,
        candidate_total=total.candidate_total + (0 if ended else signal.candidate_total),
        candidate_bad=total.candidate_bad + (0 if ended else signal.candidate_bad),
        baseline_total=total.baseline_total + (0 if ended else signal.baseline_total),
        baseline_bad=total.baseline_bad + (0 if ended else signal.baseline_bad),
    )


def _count_shadow(budget: ErrorBudget, signal: SignalState, before: Tests) -> SignalState:
    """
    Count a halt that a shadow would have made, by itself and at the first attempt's level.

    Its tests begin anew then, as they would have with the next attempt.
    """
    limit = signal.spec.limit
    if limit is not None:
        was, now = before.value, signal.tests.value
        halts = limit.effect is Effect.HALT and now is not None and is_broken(limit, now)
        is_new = was is None or not is_broken(limit, was)
        return replace(signal, shadow_halts=signal.shadow_halts + (halts and is_new))
    level = -math.log(alpha_for_attempt(budget, 1))
    if sequential.log_e_harm(signal.tests) < level:
        return signal
    return replace(
        signal,
        tests=sequential.begin_again(signal.tests, signal.spec),
        shadow_halts=signal.shadow_halts + 1,
    )


def with_proof_anew(signal: SignalState) -> SignalState:
    """Return *signal* with its proof begun anew: what trouble of both arms has spoilt proves nothing."""
    return replace(signal, tests=sequential.renew_proof(signal.tests, signal.spec))


def signal_evidence(phase: Phase, signal: SignalState) -> SignalEvidence:
    """Return what *signal* has shown, in the domain's words, with its share of the halting budget."""
    tests, spec = signal.tests, signal.spec
    return SignalEvidence(
        signal=spec.name,
        kind=spec.kind,
        gate=spec.gate,
        weight=halting_weight(phase, spec),
        tolerance=spec.tolerance,
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
        counting=spec.counting,
        log_e_weak=sequential.log_e_weak(tests),
        limit=spec.limit,
        value=tests.value,
        shadow=spec.shadow,
        shadow_halts=signal.shadow_halts,
    )
