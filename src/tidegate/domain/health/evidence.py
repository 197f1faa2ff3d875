"""
What the signals prove at an instant, in numbers that a verdict can be made from.

`judge` turns evidence into a verdict with its reasons. It is the only place that says "harm" or
"proven". Numbers come from the sequential tests as logarithms of e-values: an e-value of 200 means
that data so unlikely is seen at most once in 200 times if there were no harm, however often one looks
(Ville 1939; Ramdas et al. 2023, Statistical Science 38(4)). The tests themselves are in `stats`.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from tidegate.domain.health.coverage import CoverageEvidence, missing_reasons
from tidegate.domain.health.readings import Quality
from tidegate.domain.health.trouble import Trouble
from tidegate.domain.plan.model import (
    Counting,
    Effect,
    ErrorBudget,
    Limit,
    Phase,
    SignalKind,
    SignalSpec,
    Tolerance,
)


class Verdict(StrEnum):
    """What evidence amounts to. Unknown is never green: only PASS lets exposure rise."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INSUFFICIENT = "insufficient"
    """Too few so far: keep baking."""
    SUSPECT = "suspect"
    """Harm is likely but not proven: held, exposure frozen, until it is cleared or proven."""
    UNUSABLE = "unusable"
    """Missing, stale, not a number or contradictory: held, and halted when it lasts."""


class Shown(StrEnum):
    """The display words over a signal's evidence."""

    PROVEN = "PROVEN"
    PARTLY = "PARTLY"
    CANNOT = "CANNOT IN THIS BAKE"
    HARM = "HARM"
    NO_DATA = "NO DATA"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalEvidence:
    """
    What one signal has shown since the attempt began (harm) and since the phase began (safety).

    `log_e_harm` tests "no worse than the baseline", `log_e_safe` tests "worse than tolerated";
    each is the natural logarithm of an e-value, `weight` the share of the halting budget it holds.
    `concurrent` is false where there was no baseline to compare with (weak evidence: it may hold or
    halt, it certifies nothing); `log_e_weak` is the part of `log_e_harm` that comes from such evidence,
    as a log e-value of its own. `quality_since` is when the present quality began. Totals and bad events
    are those of the phase, without its warm-up once that is over: for saturation, readings of exposed
    members and how many of them lay above the others' median. `value` is the last one of a limit. A
    `shadow` signal has weight 0, and `shadow_halts` counts how often it alone would have halted.
    """

    signal: str
    kind: SignalKind
    gate: bool
    weight: float
    tolerance: Tolerance
    concurrent: bool
    log_e_harm: float
    log_e_safe: float
    quality: Quality
    quality_note: str
    quality_since: datetime | None
    candidate_total: int
    candidate_bad: int
    baseline_total: int
    baseline_bad: int
    counting: Counting = Counting.EVENTS
    log_e_weak: float = 0.0
    limit: Limit | None = None
    value: float | None = None
    shadow: bool = False
    shadow_halts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseEvidence:
    """How often the changed path was used by the candidate in this phase, of how often is needed."""

    name: str
    count: int
    minimum_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """
    All that the watch knows of one phase of one attempt.

    `phase_index` and `phase_began_at` say which phase: what one phase has shown passes no other.
    `ticks` counts the ticks folded in since the attempt began and names the stored record that
    repeats this evidence; `last_tick_at` is the end of the last one. `baked_for` is the time in this
    phase in which every signal was good; pauses, gaps and jumps of a clock don't count. `log_e_harm`
    is that of the weighted average of the signals' current e-values, which is an e-value under any
    dependence (Vovk & Wang 2021, Annals of Statistics 49(3)); running maxima would not be. While it is
    `warming` only gross harm counts, nothing is proven and no time is baked. `coverage` is None where
    none is asked for, or nothing of it was seen; `trouble` is what both arms suffer from now, if anything.
    """

    attempt: int
    phase_index: int
    phase_began_at: datetime | None
    ticks: int
    last_tick_at: datetime | None
    baked_for: timedelta
    log_e_harm: float
    signals: tuple[SignalEvidence, ...]
    exercises: tuple[ExerciseEvidence, ...]
    warming: bool = False
    coverage: CoverageEvidence | None = None
    trouble: Trouble | None = None


NO_EVIDENCE = Evidence(
    attempt=0,
    phase_index=0,
    phase_began_at=None,
    ticks=0,
    last_tick_at=None,
    baked_for=timedelta(0),
    log_e_harm=0.0,
    signals=(),
    exercises=(),
)


SUSPICION_ENDS_AT: Final = 0.5
"""The part of the evidence of a suspicion, in logarithms, below which it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict with its reasons, the decisive one first."""

    verdict: Verdict
    reasons: tuple[str, ...]


def alpha_for_attempt(budget: ErrorBudget, attempt: int) -> float:
    """
    Return the share of `alpha_halt` that *attempt* (1, 2, …) may spend.

    The first gets half, and attempt j `1 / (j (j + 1))` of it all, which sums to 1: however often a
    rollout is resumed, its false halts stay below `alpha_halt`.
    """
    assert attempt >= 1, f"attempts count from 1, got {attempt}"
    return budget.alpha_halt / (attempt * (attempt + 1))


def is_binding(spec: SignalSpec) -> bool:
    """Return whether *spec* can hold or halt: a shadow can't, nor a limit whose breach is ignored."""
    return not spec.shadow and (spec.limit is None or spec.limit.effect is not Effect.IGNORE)


def halting_weight(phase: Phase, spec: SignalSpec) -> float:
    """
    Return the share of the halting budget that *spec* holds in *phase*; the shares sum to 1.

    Half goes to gate signals in equal parts, half to the others. A limit has no e-value, a shadow no say.
    """
    tested = [one for one in phase.signals if is_binding(one) and one.kind is not SignalKind.LIMIT]
    if spec not in tested:
        return 0.0
    alike = sum(1 for other in tested if other.gate is spec.gate)
    return 1.0 / alike if alike == len(tested) else 0.5 / alike


def is_broken(limit: Limit, value: float) -> bool:
    """Return whether *value* is on the bad side of *limit*; at the limit itself it isn't yet."""
    return value > limit.value if limit.above else value < limit.value


def is_culprit(signal: SignalEvidence, alpha: float) -> bool:
    """
    Return whether *signal* may be named as harmed, whatever the others show.

    Its own e-value reaches `1 / (weight alpha)`: the chance of ever naming any innocent signal is at
    most *alpha*. The signals together can prove harm before any of them may be named.
    """
    return signal.weight > 0 and signal.log_e_harm >= -math.log(signal.weight * alpha)


_PROVABLE: Final = frozenset({SignalKind.ERRORS, SignalKind.USAGE, SignalKind.LATENCY})
"""Kinds that have a test of safety. The others may hold or halt."""


def certified(signal: SignalEvidence, beta: float) -> bool:
    """Return whether *signal* alone proves "no more harm than tolerated" against a concurrent baseline."""
    return (
        signal.concurrent
        and signal.kind in _PROVABLE
        and not signal.shadow
        and signal.quality is Quality.GOOD
        and signal.log_e_safe >= math.log(1.0 / beta)
    )


def requests_met(evidence: Evidence) -> int:
    """Return how many requests the candidate has served, by the signals that can demand a number of them."""
    return max(
        (
            signal.candidate_total
            for signal in evidence.signals
            if signal.kind in _COUNTS_REQUESTS and not signal.shadow
        ),
        default=0,
    )


def judge(
    evidence: Evidence,
    *,
    phase: Phase,
    budget: ErrorBudget,
    attempt: int,
    carried: tuple[str, ...],
    was_suspect: bool = False,
) -> Judgement:
    """
    Return what *evidence* amounts to in *phase*.

    Order matters: harm first, for proven harm stays proven when data stops; then limits that are broken
    now; then usability, for nothing may pass on bad data; then suspicion; then sufficiency. *carried*
    names the gate signals certified beside a baseline in earlier phases: all a phase without one can
    lean on. Suspicion that has begun (*was_suspect*) ends only at half of the evidence, in logarithms,
    at which it begins: a signal at the edge doesn't open and close the hold with every tick.
    """
    alpha = alpha_for_attempt(budget, attempt)
    log_e_harm = evidence.log_e_harm
    if log_e_harm >= math.log(1.0 / alpha):
        return Judgement(verdict=Verdict.FAIL, reasons=_harm_reasons(evidence, log_e_harm, alpha))
    broken = _broken_limits(evidence, Effect.HALT)
    if broken:
        return Judgement(verdict=Verdict.FAIL, reasons=broken)
    unusable = _unusable_reasons(evidence, phase)
    if unusable:
        return Judgement(verdict=Verdict.UNUSABLE, reasons=unusable)
    broken = _broken_limits(evidence, Effect.HOLD)
    if broken:
        return Judgement(verdict=Verdict.SUSPECT, reasons=broken)
    level = math.log(1.0 / budget.alpha_hold) * (SUSPICION_ENDS_AT if was_suspect else 1.0)
    if log_e_harm >= level:
        return Judgement(
            verdict=Verdict.SUSPECT,
            reasons=(f"harm is likely but not proven: {_worst(evidence)}",),
        )
    missing = _missing_reasons(evidence, phase, budget.beta, carried)
    if missing:
        return Judgement(verdict=Verdict.INSUFFICIENT, reasons=missing)
    return Judgement(verdict=Verdict.PASS, reasons=_pass_reasons(evidence, phase))


def shown(signal: SignalEvidence, *, alpha: float, beta: float) -> Shown:
    """Return the display word for *signal*."""
    if is_culprit(signal, alpha) or _is_broken_now(signal):
        return Shown.HARM
    if signal.quality is not Quality.GOOD:
        return Shown.NO_DATA
    if certified(signal, beta):
        return Shown.PROVEN
    return Shown.PARTLY if signal.concurrent else Shown.CANNOT


def _harm_reasons(evidence: Evidence, log_e_harm: float, alpha: float) -> tuple[str, ...]:
    named = sorted(
        (signal for signal in evidence.signals if is_culprit(signal, alpha)),
        key=_stake,
        reverse=True,
    )
    # Too little for any one of them: what the signals show together is said to be just that.
    together = () if named else (f"harm proven: {_worst(evidence)} (by all signals together)",)
    return (
        *together,
        *(f"harm proven: {_described(signal)}" for signal in named),
        f"evidence {_odds(log_e_harm)} to 1 against no harm, {1 / alpha:.0f} to 1 needed",
    )


def _odds(log_e: float) -> str:
    """Return an e-value as people read odds; beyond a million its size says nothing more."""
    if log_e > math.log(1_000_000):
        return "over 1,000,000"
    odds = math.exp(log_e)
    return f"{odds:.1f}" if odds < 10 else f"{odds:,.0f}"


def _worst(evidence: Evidence) -> str:
    return _described(max((s for s in evidence.signals if s.weight > 0), key=_stake))


def _stake(signal: SignalEvidence) -> float:
    return math.log(signal.weight) + signal.log_e_harm


def _described(signal: SignalEvidence) -> str:
    # More than half of it comes from comparisons without a baseline beside the candidate.
    weak = signal.log_e_weak > max(0.0, signal.log_e_harm - math.log(2.0))
    how = " (weak: without a baseline beside it)" if weak else ""
    return f"{signal.signal}, {describe_counts(signal)}{how}"


def _broken_limits(evidence: Evidence, effect: Effect) -> tuple[str, ...]:
    return tuple(
        f"limit broken: {_described(signal)}"
        for signal in evidence.signals
        if signal.limit is not None and signal.limit.effect is effect and _is_broken_now(signal)
    )


def _is_broken_now(signal: SignalEvidence) -> bool:
    """A limit knows nothing of the past: it is broken while its data, good data, says so."""
    return (
        signal.limit is not None
        and signal.value is not None
        and not signal.shadow
        and signal.quality is Quality.GOOD
        and is_broken(signal.limit, signal.value)
    )


def describe_counts(signal: SignalEvidence) -> str:
    """Return the counts of both arms in words, as people compare them."""
    match signal.kind:
        case SignalKind.ERRORS | SignalKind.LATENCY:
            what = "failed" if signal.kind is SignalKind.ERRORS else "slow"
            if signal.counting is Counting.USERS:
                what = "of users affected"
            return (
                f"candidate {_share(signal.candidate_bad, signal.candidate_total)} {what}"
                f" ({signal.candidate_bad} of {signal.candidate_total}),"
                f" baseline {_share(signal.baseline_bad, signal.baseline_total)}"
                f" ({signal.baseline_bad} of {signal.baseline_total})"
            )
        case SignalKind.USAGE:
            return f"candidate {signal.candidate_total}, baseline {signal.baseline_total}"
        case SignalKind.TRAFFIC:
            return f"candidate {signal.candidate_total} requests, baseline {signal.baseline_total}"
        case SignalKind.SATURATION:
            return (
                f"members of the candidate above the others' median in"
                f" {_share(signal.candidate_bad, signal.candidate_total)} of their readings"
                f" ({signal.candidate_bad} of {signal.candidate_total})"
            )
        case SignalKind.LIMIT:
            return _describe_limit(signal.limit, signal.value)


def _describe_limit(limit: Limit | None, value: float | None) -> str:
    if limit is None or value is None:
        return "nothing measured"
    return f"{value:g}, at {'most' if limit.above else 'least'} {limit.value:g} is allowed"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3%}" if whole else "none"


def _unusable_reasons(evidence: Evidence, phase: Phase) -> tuple[str, ...]:
    if not phase.exposes_users or not phase.signals:
        return ()
    shown = {signal.signal: signal for signal in evidence.signals}
    binding = [spec for spec in phase.signals if is_binding(spec)]
    absent = tuple(f"{spec.name}: no data yet" for spec in binding if spec.name not in shown)
    bad = tuple(
        _quality_reason(shown[spec.name])
        for spec in binding
        if spec.name in shown and shown[spec.name].quality not in (Quality.GOOD, Quality.QUIET)
    )
    unknown = ("the evidence of harm isn't a number",) if math.isnan(evidence.log_e_harm) else ()
    return absent + bad + unknown


def _missing_reasons(
    evidence: Evidence, phase: Phase, beta: float, carried: tuple[str, ...]
) -> tuple[str, ...]:
    reasons = [
        f"exercise {exercise.name}: {exercise.count} of {exercise.minimum_count}"
        for exercise in evidence.exercises
        if exercise.count < exercise.minimum_count
    ]
    known = {exercise.name for exercise in evidence.exercises}
    reasons += [
        f"exercise {spec.name}: not seen yet" for spec in phase.exercises if spec.name not in known
    ]
    if not phase.exposes_users:
        return tuple(reasons)
    if evidence.warming:
        reasons.append("warming up: nothing is proven yet")
    requests = requests_met(evidence)
    if requests < phase.minimum_requests:
        reasons.append(f"{requests} of {phase.minimum_requests} requests to the candidate")
    by_name = {signal.signal: signal for signal in evidence.signals}
    for spec in phase.signals:
        signal = by_name.get(spec.name)
        if is_binding(spec) and signal is not None and signal.quality is Quality.QUIET:
            reasons.append(_quality_reason(signal))
        # A gate is asked for its proof whatever else it is: one without a say has none.
        if not spec.gate:
            continue
        if not phase.has_concurrent_baseline:
            if spec.name not in carried:
                reasons.append(f"{spec.name}: never proven beside a baseline")
        elif signal is None:
            reasons.append(f"{spec.name}: not seen yet")
        elif not certified(signal, beta):
            needed = math.log(1.0 / beta)
            share = max(0.0, min(signal.log_e_safe / needed, 0.99))
            reasons.append(f"{spec.name}: {share:.0%} of the proof")
    if phase.coverage is not None:
        reasons += missing_reasons(evidence.coverage, phase.coverage)
    return tuple(reasons)


_COUNTS_REQUESTS: Final = frozenset(
    {SignalKind.ERRORS, SignalKind.USAGE, SignalKind.LATENCY, SignalKind.TRAFFIC}
)


def _quality_reason(signal: SignalEvidence) -> str:
    return f"{signal.signal}: {signal.quality.value.replace('_', ' ')}, {signal.quality_note}"


def _pass_reasons(evidence: Evidence, phase: Phase) -> tuple[str, ...]:
    if not phase.exposes_users:
        return ("served to internal users only, nothing to compare",)
    how = "proven" if phase.has_concurrent_baseline else "proven earlier, no alarm now"
    gates = ", ".join(spec.name for spec in phase.signals if spec.gate) or "no gate signal"
    return (f"{gates}: {how}",)
