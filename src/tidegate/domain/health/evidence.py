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

from tidegate.domain.health.readings import Quality
from tidegate.domain.plan.model import ErrorBudget, Phase, SignalKind, Tolerance


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
    halt, it certifies nothing). `quality_since` is when the present quality began. Totals and bad
    events are those of the phase.
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
    dependence (Vovk & Wang 2021, Annals of Statistics 49(3)); running maxima would not be.
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


def certified(signal: SignalEvidence, beta: float) -> bool:
    """Return whether *signal* alone proves "no more harm than tolerated" against a concurrent baseline."""
    return (
        signal.concurrent
        and signal.quality is Quality.GOOD
        and signal.log_e_safe >= math.log(1.0 / beta)
    )


def judge(
    evidence: Evidence,
    *,
    phase: Phase,
    budget: ErrorBudget,
    attempt: int,
    carried: tuple[str, ...],
) -> Judgement:
    """
    Return what *evidence* amounts to in *phase*.

    Order matters: harm first, for proven harm stays proven when data stops; then usability, for
    nothing may pass on bad data; then suspicion; then sufficiency. *carried* names the gate signals
    certified beside a baseline in earlier phases: all a phase without one can lean on.
    """
    alpha = alpha_for_attempt(budget, attempt)
    log_e_harm = evidence.log_e_harm
    if log_e_harm >= math.log(1.0 / alpha):
        return Judgement(verdict=Verdict.FAIL, reasons=_harm_reasons(evidence, log_e_harm, alpha))
    unusable = _unusable_reasons(evidence, phase)
    if unusable:
        return Judgement(verdict=Verdict.UNUSABLE, reasons=unusable)
    if log_e_harm >= math.log(1.0 / budget.alpha_hold):
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
    if signal.weight > 0 and signal.log_e_harm + math.log(signal.weight) >= math.log(1.0 / alpha):
        return Shown.HARM
    if signal.quality is not Quality.GOOD:
        return Shown.NO_DATA
    if certified(signal, beta):
        return Shown.PROVEN
    return Shown.PARTLY if signal.concurrent else Shown.CANNOT


def _harm_reasons(evidence: Evidence, log_e_harm: float, alpha: float) -> tuple[str, ...]:
    odds = math.exp(min(log_e_harm, 700.0))
    return (
        f"harm proven: {_worst(evidence)}",
        f"evidence {odds:.3g} to 1 against no harm, {1 / alpha:.0f} to 1 needed",
    )


def _worst(evidence: Evidence) -> str:
    worst = max(
        (signal for signal in evidence.signals if signal.weight > 0),
        key=lambda signal: math.log(signal.weight) + signal.log_e_harm,
    )
    return f"{worst.signal}, {describe_counts(worst)}"


def describe_counts(signal: SignalEvidence) -> str:
    """Return the counts of both arms in words, as people compare them."""
    match signal.kind:
        case SignalKind.ERRORS | SignalKind.LATENCY:
            what = "failed" if signal.kind is SignalKind.ERRORS else "slow"
            return (
                f"candidate {_share(signal.candidate_bad, signal.candidate_total)} {what}"
                f" ({signal.candidate_bad} of {signal.candidate_total}),"
                f" baseline {_share(signal.baseline_bad, signal.baseline_total)}"
                f" ({signal.baseline_bad} of {signal.baseline_total})"
            )
        case SignalKind.USAGE:
            return f"candidate {signal.candidate_total}, baseline {signal.baseline_total}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3%}" if whole else "none"


def _unusable_reasons(evidence: Evidence, phase: Phase) -> tuple[str, ...]:
    if not phase.exposes_users or not phase.signals:
        return ()
    seen = {signal.signal for signal in evidence.signals}
    absent = tuple(f"{spec.name}: no data yet" for spec in phase.signals if spec.name not in seen)
    bad = tuple(
        f"{signal.signal}: {signal.quality.value.replace('_', ' ')}, {signal.quality_note}"
        for signal in evidence.signals
        if signal.quality is not Quality.GOOD
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
    requests = max((signal.candidate_total for signal in evidence.signals), default=0)
    if requests < phase.minimum_requests:
        reasons.append(f"{requests} of {phase.minimum_requests} requests to the candidate")
    by_name = {signal.signal: signal for signal in evidence.signals}
    for spec in phase.signals:
        if not spec.gate:
            continue
        signal = by_name[spec.name]
        if not phase.has_concurrent_baseline:
            if spec.name not in carried:
                reasons.append(f"{spec.name}: never proven beside a baseline")
        elif not certified(signal, beta):
            needed = math.log(1.0 / beta)
            share = max(0.0, min(signal.log_e_safe / needed, 0.99))
            reasons.append(f"{spec.name}: {share:.0%} of the proof")
    return tuple(reasons)


def _pass_reasons(evidence: Evidence, phase: Phase) -> tuple[str, ...]:
    if not phase.exposes_users:
        return ("served to internal users only, nothing to compare",)
    how = "proven" if phase.has_concurrent_baseline else "proven earlier, no alarm now"
    gates = ", ".join(spec.name for spec in phase.signals if spec.gate) or "no gate signal"
    return (f"{gates}: {how}",)
