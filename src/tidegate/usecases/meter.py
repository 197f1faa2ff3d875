"""
Reading the evidence meter of one rollout: from stored evidence and past traffic to what people see.

Made when somebody looks, never by the watch: closed forms over what has been counted, and forecasts over
the traffic to come. Decides nothing, changes nothing.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.health.evidence import (
    Evidence,
    SignalEvidence,
    alpha_for_attempt,
    shown,
)
from tidegate.domain.health.meter import (
    SEEN_SURELY,
    DataMeter,
    ExposureMeter,
    Meter,
    SignalMeter,
    as_usual,
    word,
)
from tidegate.domain.health.readings import Quality
from tidegate.domain.plan.model import Counting, Phase, SignalKind, SignalSpec
from tidegate.domain.plan.traffic import (
    HOUR,
    TrafficHour,
)
from tidegate.domain.quantities import TargetName
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import StoreError
from tidegate.ports.store import StoredEvidence
from tidegate.usecases import expectation
from tidegate.usecases.evidence import EvidenceState, ruled_out
from tidegate.usecases.evidence_records import from_lists
from tidegate.usecases.expectation import Expected
from tidegate.usecases.outside import Outside
from tidegate.usecases.pace import Pace, pace_of, planned_share, requests_of, shares_of
from tidegate.usecases.traffic import HISTORY

ENOUGH_FOR_USUAL: Final = 1_000
"""Requests of the past from which on a usual error rate is known."""


def read_meter(
    outside: Outside, rollout: Rollout, evidence: Evidence, stored: StoredEvidence | None
) -> Meter:
    """Return the meter of *rollout* now; *evidence* and *stored* are of the same instant as it."""
    now = outside.clock.now()
    with outside.store.begin(read_only=True) as transaction:
        hours = transaction.traffic(rollout.service, since=now - HISTORY)
    return measure(rollout, evidence, stored_state(rollout, stored), now=now, hours=hours)


def stored_state(rollout: Rollout, stored: StoredEvidence | None) -> EvidenceState | None:
    """Return the stored tests, None where there are none or another release wrote them."""
    if stored is None:
        return None
    try:
        return from_lists(rollout.plan, json.loads(stored.state_json))
    except StoreError:
        # Without them nothing is claimed to be ruled out; the rollout is held by its own step.
        return None


def measure(
    rollout: Rollout,
    evidence: Evidence,
    state: EvidenceState | None,
    *,
    now: datetime,
    hours: Sequence[TrafficHour],
) -> Meter:
    """
    Return the meter of *rollout*.

    Args:
        rollout: The rollout.
        evidence: What its signals have shown.
        state: The tests behind the evidence, for the bounds; None leaves the bounds out.
        now: The present time.
        hours: Past traffic of the service, by target and time.
    """
    phase = rollout.plan.phases[evidence.phase_index]
    shares = shares_of(rollout, evidence.phase_index)
    pace = pace_of(rollout, evidence, shares, hours, now)
    excluded = {} if state is None else ruled_out(state)
    left = _left(rollout, phase, evidence)
    return Meter(
        at=now,
        signals=tuple(
            _signal(rollout, phase, signal, state, excluded.get(signal.signal), shares, pace, left)
            for signal in evidence.signals
        ),
        exposure=_exposure(rollout, evidence, shares, pace, hours),
        data=_data(rollout, evidence, shares, hours, now),
        by_hour_of_week=bool(pace.splits),
    )


def proofs_in(
    rollout: Rollout, evidence: Evidence, *, now: datetime
) -> dict[str, timedelta | None]:
    """
    Return when each gate signal's proof is expected at the pace of the phase; None for never.

    For lists of many rollouts: the chances of seeing faults, which are dear, are left out. A signal is
    missing where nothing can be foretold of it without the stored tests.
    """
    phase = rollout.plan.phases[evidence.phase_index]
    shares = shares_of(rollout, evidence.phase_index)
    pace = pace_of(rollout, evidence, shares, (), now)
    found: dict[str, timedelta | None] = {}
    for signal in evidence.signals:
        spec = next((one for one in phase.signals if one.name == signal.signal), None)
        expected = None if spec is None else _expected(spec, signal, None, shares)
        if signal.gate and signal.concurrent and expected is not None:
            found[signal.signal] = _proof_in(signal, expected, rollout.plan.budget.beta, pace)
    return found


# --- one signal ------------------------------------------------------------------------------


def _signal(
    rollout: Rollout,
    phase: Phase,
    signal: SignalEvidence,
    state: EvidenceState | None,
    excluded: float | None,
    shares: dict[TargetName, float],
    pace: Pace,
    left: timedelta | None,
) -> SignalMeter:
    budget = rollout.plan.budget
    alpha = alpha_for_attempt(budget, rollout.attempt)
    so_far = shown(signal, alpha=alpha, beta=budget.beta)
    spec = next((one for one in phase.signals if one.name == signal.signal), None)
    expected = None if spec is None else _expected(spec, signal, state, shares)
    if expected is None or not signal.concurrent:
        return SignalMeter(
            evidence=signal,
            shown=so_far,
            ruled_out=excluded,
            power_double=None,
            power_twice_tolerated=None,
            double_seen_in=None,
            proof_in=None,
        )
    own_alpha = expectation.signal_alpha(alpha, signal.weight)
    double = 0.5 if signal.kind is SignalKind.USAGE else 2.0
    proof_in = _proof_in(signal, expected, budget.beta, pace)
    return SignalMeter(
        evidence=signal,
        shown=word(so_far, signal, proof_in=proof_in, left=left),
        ruled_out=excluded,
        power_double=expectation.chance_to_see(expected, ratio=double, alpha=own_alpha)
        if expected.rate > 0.0
        else None,
        power_twice_tolerated=expectation.chance_to_see(
            expected, ratio=expected.worse(2.0), alpha=own_alpha
        ),
        double_seen_in=_seen_in(expected, double, own_alpha, pace, signal),
        proof_in=proof_in,
    )


def _expected(
    spec: SignalSpec,
    signal: SignalEvidence,
    state: EvidenceState | None,
    shares: dict[TargetName, float],
) -> Expected | None:
    """Return what the signal has counted as the closed forms take it, None where they know no such."""
    if spec.kind is SignalKind.USAGE:
        # Good events are their own exposure: the baseline's tell how many the candidate should have.
        share = planned_share(shares)
        if share is None:
            return None
        due = signal.baseline_total * share / (1.0 - share)
        return Expected(
            spec=spec, requests=due, rate=1.0, share=share, ratio=1.0 - spec.tolerance.value
        )
    if spec.kind not in (SignalKind.ERRORS, SignalKind.LATENCY):
        return None
    total = signal.candidate_total + signal.baseline_total
    if not signal.candidate_total or not signal.baseline_total:
        return None
    rate = (signal.candidate_bad + signal.baseline_bad) / total
    ratio = _tolerated_ratio(spec, rate, state)
    if ratio is None or rate >= 1.0:
        return None
    share = signal.candidate_total / total
    lasting = timedelta(0) if state is None else state.last_at - state.phase_began_at
    return Expected(
        spec=spec,
        requests=signal.candidate_total,
        rate=signal.baseline_bad / signal.baseline_total,
        share=share,
        ratio=ratio,
        witnesses=expectation.witnesses_of(
            spec, signal.candidate_total, share, lasting=lasting, targets=max(1, len(shares))
        ),
    )


def _tolerated_ratio(spec: SignalSpec, rate: float, state: EvidenceState | None) -> float | None:
    if spec.kind is not SignalKind.LATENCY:
        return expectation.tolerated_ratio(spec, rate, edge_ms=None)
    kept = () if state is None else state.signals
    tests = next((one.tests for one in kept if one.spec.name == spec.name), None)
    return None if tests is None or tests.edge is None else tests.edge_ratio


def _proof_in(
    signal: SignalEvidence, expected: Expected, beta: float, pace: Pace
) -> timedelta | None:
    """Return when the tolerance will be ruled out if both arms go on as they did."""
    proven = signal.log_e_safe
    # The proof is the mean of two bets: until one of them is far ahead, it is worth half of it.
    needed = math.log(1.0 / beta) - proven + math.log(2.0) * math.exp(-max(0.0, proven))
    if proven >= math.log(1.0 / beta):
        return timedelta(0)
    baseline, candidate = _likely_rates(signal, expected)
    growth = expectation.proof_growth(replace(expected, rate=baseline), candidate)
    if growth <= 0.0:
        return None
    return _after(needed / growth, signal, expected, pace)


def _likely_rates(signal: SignalEvidence, expected: Expected) -> tuple[float, float]:
    """
    Return the rates of baseline and candidate to go on with: those of equal arms until proven unequal.

    Only what lies beyond two standard errors counts as a difference, since early rates are mostly
    chance and a time that jumps to "never" and back says nothing.
    """
    if signal.kind is SignalKind.USAGE:
        # Per event that was due to the candidate; what is due is estimated from the baseline's.
        due = expected.requests
        missing = due - signal.candidate_total - 2.0 * math.sqrt(due / (1.0 - expected.share))
        return 1.0, 1.0 - max(0.0, missing) / due if due > 0.0 else 1.0
    total = signal.candidate_total + signal.baseline_total
    mean = (signal.candidate_bad + signal.baseline_bad) / total
    excess = signal.candidate_bad / signal.candidate_total - expected.rate
    error = math.sqrt(
        mean * (1.0 - mean) * (1.0 / signal.candidate_total + 1.0 / signal.baseline_total)
    )
    if excess <= 2.0 * error:
        return mean, mean
    return expected.rate, expected.rate + excess - 2.0 * error


def _seen_in(
    expected: Expected, ratio: float, alpha: float, pace: Pace, signal: SignalEvidence
) -> timedelta | None:
    needed = expectation.requests_to_see(expected, ratio=ratio, alpha=alpha, chance=SEEN_SURELY)
    if needed is None or expected.rate <= 0.0:
        # Twice nothing is nothing.
        return None
    return _after(needed - expected.requests, signal, expected, pace)


def _after(
    exposure: float, signal: SignalEvidence, expected: Expected, pace: Pace
) -> timedelta | None:
    """Return how long it takes until *exposure* more of what the signal counts has come."""
    if signal.kind is not SignalKind.USAGE:
        return pace.until(exposure)
    # Good events come with requests: as many as came per request so far.
    events_per_second = expected.requests / pace.seconds if pace.seconds > 0.0 else 0.0
    if events_per_second <= 0.0 or pace.per_second <= 0.0:
        return timedelta(0) if exposure <= 0.0 else None
    return pace.until(exposure * pace.per_second / events_per_second)


# --- the rest --------------------------------------------------------------------------------


def _left(rollout: Rollout, phase: Phase, evidence: Evidence) -> timedelta | None:
    """Return how long the phase may still bake; None where the evidence isn't of the phase in force."""
    if evidence.phase_index != rollout.phase_index or evidence.attempt != rollout.attempt:
        return None
    return phase.bake_max * rollout.bake_allowance - evidence.baked_for


def _exposure(
    rollout: Rollout,
    evidence: Evidence,
    shares: dict[TargetName, float],
    pace: Pace,
    hours: Sequence[TrafficHour],
) -> ExposureMeter:
    began = evidence.phase_began_at
    met = {
        one.hour.hour
        for one in hours
        if began is not None and one.target in shares and one.requests and one.hour + HOUR > began
    }
    return ExposureMeter(
        candidate_requests=requests_of(evidence),
        requests_per_second=pace.per_second if pace.per_second > 0.0 else None,
        hours_of_day=tuple(sorted(met)),
        targets=len(shares),
        targets_count=len({place.target for place in rollout.plan.placements()}),
    )


def _data(
    rollout: Rollout,
    evidence: Evidence,
    shares: dict[TargetName, float],
    hours: Sequence[TrafficHour],
    now: datetime,
) -> DataMeter:
    errors = next(
        (
            signal
            for signal in evidence.signals
            if signal.kind is SignalKind.ERRORS and signal.counting is Counting.EVENTS
        ),
        None,
    )
    total = 0 if errors is None else errors.candidate_total + errors.baseline_total
    planned = planned_share(shares)
    wrong = any(
        signal.quality in (Quality.WRONG_SPLIT, Quality.SILENT) for signal in evidence.signals
    )
    usual = _usual_rate(rollout, hours)
    measured = errors is not None and errors.baseline_total > 0
    return DataMeter(
        age=None if evidence.last_tick_at is None else now - evidence.last_tick_at,
        candidate_share=errors.candidate_total / total if errors is not None and total else None,
        planned_share=planned,
        split_as_planned=None if planned is None or not total else not wrong,
        baseline_rate=errors.baseline_bad / errors.baseline_total
        if errors is not None and measured
        else None,
        baseline_usual=usual,
        baseline_clean=as_usual(errors.baseline_bad, errors.baseline_total, usual)
        if errors is not None and measured and usual is not None
        else None,
    )


def _usual_rate(rollout: Rollout, hours: Sequence[TrafficHour]) -> float | None:
    """Return the error rate of the service before the rollout began, None where little is known."""
    before = [one for one in hours if one.hour + HOUR <= rollout.created_at]
    requests = sum(one.requests for one in before)
    return sum(one.bad for one in before) / requests if requests >= ENOUGH_FOR_USUAL else None
