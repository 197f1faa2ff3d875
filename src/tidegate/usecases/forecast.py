"""
Forecasting a plan: what each bake can rule out, how long it all takes, whom it exposes. Changes nothing.

Traffic is taken from the service's latest rollout, or from the person who asks; without either the
forecast says so instead of guessing.
"""

import math
from dataclasses import dataclass
from datetime import timedelta

from tidegate.documents.records import from_json
from tidegate.domain.health.evidence import Evidence, alpha_for_attempt
from tidegate.domain.plan.model import Phase, SignalKind, SignalSpec, ToleranceUnit
from tidegate.domain.quantities import FULL_WEIGHT_BPS, ServiceName
from tidegate.stats import power
from tidegate.usecases.outside import Outside
from tidegate.usecases.start import Proposal

ASSUMED_ERROR_RATE = 0.001
"""Used where the service has no history: one failed request in a thousand."""

TYPICAL_FAULT = 0.005
"""The fault that a forecast's time to halt is about: +0.5 percentage points of errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """How much a service is used, and where that is known from."""

    requests_per_second: float
    error_rate: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseForecast:
    """
    What one phase is expected to show.

    `rules_out` is the smallest excess of errors (an absolute rate) that the bake can be expected to
    exclude; `enough` whether that is within what is tolerated; `bake_needed` what would do.
    `seconds_to_halt` and `failed_before_halt` are about `TYPICAL_FAULT`. None: can't be said.
    """

    phase: Phase
    candidate_requests_per_second: float | None
    rules_out: float | None
    enough: bool | None
    bake_needed: timedelta | None
    seconds_to_halt: float | None
    failed_before_halt: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The whole plan, foreseen."""

    traffic: Traffic | None
    phases: tuple[PhaseForecast, ...]
    bakes: timedelta


def known_traffic(outside: Outside, service: ServiceName) -> Traffic | None:
    """Return how much the service was used in its latest rollout, None when it had none."""
    with outside.store.begin(read_only=True) as transaction:
        for rollout in transaction.rollouts(service=service, limit=10):
            stored = transaction.evidence(rollout.id)
            if stored is None:
                continue
            evidence = from_json(Evidence, stored.evidence_json)
            seconds = evidence.baked_for.total_seconds()
            for signal in evidence.signals:
                total = signal.candidate_total + signal.baseline_total
                if signal.kind is not SignalKind.ERRORS or seconds <= 0 or total == 0:
                    continue
                bad = signal.baseline_bad if signal.baseline_total else signal.candidate_bad
                served = signal.baseline_total or signal.candidate_total
                return Traffic(
                    requests_per_second=total / seconds,
                    error_rate=bad / served,
                    source=f"rollout {rollout.id}",
                )
    return None


def forecast(proposal: Proposal, traffic: Traffic | None) -> Forecast:
    """Return what each phase of *proposal* can be expected to show with this *traffic*."""
    return Forecast(
        traffic=traffic,
        phases=tuple(_forecast_phase(proposal, phase, traffic) for phase in proposal.plan.phases),
        bakes=sum((phase.bake for phase in proposal.plan.phases), timedelta(0)),
    )


def _forecast_phase(proposal: Proposal, phase: Phase, traffic: Traffic | None) -> PhaseForecast:
    errors = next((spec for spec in phase.signals if spec.kind is SignalKind.ERRORS), None)
    weights = [move.exposure.weight_bps for move in phase.moves]
    share = max(weights, default=0) / FULL_WEIGHT_BPS
    if traffic is None or errors is None or not 0.0 < share < 1.0:
        rate = None if traffic is None else traffic.requests_per_second * share
        return PhaseForecast(
            phase=phase,
            candidate_requests_per_second=rate,
            rules_out=None,
            enough=None,
            bake_needed=None,
            seconds_to_halt=None,
            failed_before_halt=None,
        )
    return _forecast_errors(proposal, phase, traffic, errors, share)


def _forecast_errors(
    proposal: Proposal, phase: Phase, traffic: Traffic, errors: SignalSpec, share: float
) -> PhaseForecast:
    budget = proposal.plan.budget
    per_second = traffic.requests_per_second * share
    tolerated = _absolute(errors, traffic.error_rate)
    requests = per_second * phase.bake.total_seconds()
    rules_out = power.smallest_tolerance_ruled_out(requests, traffic.error_rate, share, budget.beta)
    needed = power.requests_to_certify(tolerated, traffic.error_rate, share, budget.beta)
    reachable = per_second > 0 and math.isfinite(needed)
    seconds = None
    if per_second > 0:
        seconds = power.seconds_to_halt(
            traffic.error_rate,
            TYPICAL_FAULT,
            share,
            alpha_for_attempt(budget, 1) / 2,
            candidate_requests_per_second=per_second,
        )
    return PhaseForecast(
        phase=phase,
        candidate_requests_per_second=per_second,
        rules_out=rules_out if rules_out < 1.0 else None,
        enough=rules_out <= tolerated,
        bake_needed=timedelta(seconds=needed / per_second) if reachable else None,
        seconds_to_halt=seconds,
        failed_before_halt=None
        if seconds is None
        else seconds * per_second * (traffic.error_rate + TYPICAL_FAULT),
    )


def _absolute(spec: SignalSpec, rate: float) -> float:
    if spec.tolerance.unit is ToleranceUnit.RATE:
        return spec.tolerance.value
    return max(rate, ASSUMED_ERROR_RATE) * spec.tolerance.value
