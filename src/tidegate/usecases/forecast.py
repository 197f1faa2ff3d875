"""
Forecasting a plan: what each bake can rule out, how long it all takes, whom it exposes. Changes nothing.

Everything follows from the expected traffic by hour of the week, by closed forms. Without traffic the
forecast says so instead of guessing. What to warn of is in `forecast_findings`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from tidegate.domain.health.evidence import alpha_for_attempt, halting_weight
from tidegate.domain.plan.model import Phase, Plan, SignalKind, SignalSpec
from tidegate.domain.plan.traffic import (
    Served,
    ServiceTraffic,
    Split,
    served,
    time_to_serve,
)
from tidegate.domain.quantities import FULL_WEIGHT_BPS, TargetName
from tidegate.stats import power
from tidegate.usecases import expectation
from tidegate.usecases.coverage import time_to_fill
from tidegate.usecases.expectation import Expected

ASSUMED_ERROR_RATE: Final = 0.001
"""Used where a person gives the traffic alone: one failed request in a thousand."""

TYPICAL_FAULTS: Final = (0.005, 0.02)
"""The faults that a forecast's time to halt is about: +0.5 and +2 percentage points of errors."""

ENOUGH_POWER: Final = 0.9
"""A phase that sees the tolerated harm less often than this is called weak."""

LONGEST: Final = timedelta(weeks=8)
"""Nothing is foreseen beyond this."""

SHARES_TRIED_BPS: Final = (100, 200, 500, 1_000, 2_500, 5_000)
"""Shares that are suggested where a bake would be shorter with more traffic."""


class Calendar(Protocol):
    """What phases wait for beside their proof, by the index of the phase."""

    def opens_at(self, index: int, at: datetime) -> datetime | None:
        """Return when it may begin if it is ready *at*; None where nobody can say."""
        ...

    def covered_at(self, index: int, began_at: datetime) -> datetime | None:
        """Return when a bake that *began_at* has seen the day that it must; None where it needn't."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalForecast:
    """
    What a bake can be expected to show of one gate signal; None: can't be said.

    `rules_out` and the tolerance are in the signal's unit. `enough` is whether the tolerance is ruled
    out within the bake, `proof_needs` how long a bake that takes, None for longer than anything is
    foreseen. `power` is the chance that a candidate worse by the tolerance is halted
    in the bake. `why_unknown` says what isn't known.
    """

    spec: SignalSpec
    rules_out: float | None
    enough: bool | None
    proof_needs: timedelta | None
    power: float | None
    why_unknown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultForecast:
    """How soon more errors by `excess` are halted in a phase, and how many more requests fail."""

    excess: float
    halted_after: timedelta | None
    failed_requests: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A share at which the bake that proves everything would be shorter."""

    weight_bps: int
    bake: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseForecast:
    """
    What one phase is expected to show.

    `begins_at` and `ends_at` are its place in the calendar if all goes well: it warms up, then bakes,
    longer where the proof takes longer, at most its `bake_max`. `people` met the candidate by its end,
    at most. `bake_needed` proves every gate signal, None where none does or nothing is known. `compares`
    is whether candidate and baseline are served side by side, so that anything can be proven.
    `coverage_needs` is how long it takes until the kinds of use that must be seen are.
    """

    phase: Phase
    begins_at: datetime
    ends_at: datetime
    compares: bool
    requests_per_second: float | None
    people: float | None
    signals: tuple[SignalForecast, ...]
    faults: tuple[FaultForecast, ...]
    bake_needed: timedelta | None
    alternative: Alternative | None
    coverage_needs: timedelta | None = None

    @property
    def enough(self) -> bool | None:
        """Whether the bake proves every gate signal; None where that can't be said of one."""
        known = [signal.enough for signal in self.signals]
        if False in known:
            return False
        return None if not known or None in known else True

    @property
    def power(self) -> float | None:
        """The least power of a gate signal, None where none is known."""
        known = [signal.power for signal in self.signals if signal.power is not None]
        return min(known, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The whole plan, foreseen. `weakest` is the index of the phase that sees the least."""

    traffic: ServiceTraffic | None
    phases: tuple[PhaseForecast, ...]
    bakes: timedelta
    begins_at: datetime
    ends_at: datetime
    weakest: int | None


def forecast(
    plan: Plan,
    traffic: ServiceTraffic | None,
    *,
    now: datetime,
    is_install: bool = False,
    calendar: Calendar | None = None,
) -> Forecast:
    """
    Return what each phase of *plan* can be expected to show with this *traffic*, begun *now*.

    A first deployment (*is_install*) compares with nothing, so nothing is said of its proof. *calendar* is
    what phases wait for; without one they begin as soon as the one before has passed.
    """
    phases: list[PhaseForecast] = []
    at = now
    for index in range(len(plan.phases)):
        begins_at = at if calendar is None else calendar.opens_at(index, at) or at
        foreseen = forecast_phase(plan, index, traffic, begins_at=begins_at, is_install=is_install)
        covered = None if calendar is None else calendar.covered_at(index, begins_at)
        if covered is not None:
            foreseen = replace(foreseen, ends_at=max(foreseen.ends_at, covered))
        phases.append(foreseen)
        at = foreseen.ends_at
    return Forecast(
        traffic=traffic,
        phases=tuple(phases),
        bakes=sum((phase.bake for phase in plan.phases), timedelta(0)),
        begins_at=now,
        ends_at=at,
        weakest=_weakest(phases),
    )


def forecast_phase(
    plan: Plan,
    index: int,
    traffic: ServiceTraffic | None,
    *,
    begins_at: datetime,
    is_install: bool = False,
) -> PhaseForecast:
    """Return what the phase at *index* of *plan* can be expected to show, begun then; see `forecast`."""
    splits = _splits(plan, index, traffic)
    known = traffic if splits and not is_install else None
    return _phase(plan, plan.phases[index], begins_at, splits, known)


def _splits(plan: Plan, index: int, traffic: ServiceTraffic | None) -> list[Split]:
    """Return the targets that serve both arms in a phase, with their traffic; none where unknown."""
    if traffic is None:
        return []
    shares: dict[TargetName, float] = {}
    for placement, exposure in plan.exposure_within(index).items():
        share = exposure.weight_bps / FULL_WEIGHT_BPS
        shares[placement.target] = max(share, shares.get(placement.target, 0.0))
    found = []
    for target, share in shares.items():
        profile = traffic.profile_of(target)
        if profile is not None and share > 0.0:
            found.append(Split(profile=profile, share=share))
    return found


def _phase(
    plan: Plan,
    phase: Phase,
    begins_at: datetime,
    splits: Sequence[Split],
    traffic: ServiceTraffic | None,
) -> PhaseForecast:
    beside = [split for split in splits if split.share < 1.0]
    compares = phase.has_concurrent_baseline and bool(beside) and traffic is not None
    whole = served(splits, begins_at, plan.warm_up + phase.bake)
    seconds = (plan.warm_up + phase.bake).total_seconds()
    signals: tuple[SignalForecast, ...] = ()
    faults: tuple[FaultForecast, ...] = ()
    needed = None
    if compares and traffic is not None:
        signals = tuple(
            _signal(plan, phase, spec, begins_at, beside, traffic)
            for spec in phase.signals
            if spec.gate and not spec.shadow
        )
        faults = _faults(plan, phase, begins_at, beside)
        needed = _longest([signal.proof_needs for signal in signals])
    covered = _coverage(phase, beside, whole, seconds, traffic) if compares else None
    longest = max([phase.bake, *(one for one in (needed, covered) if one is not None)])
    lasts = min(longest, max(phase.bake, phase.bake_max))
    foreseen = PhaseForecast(
        phase=phase,
        begins_at=begins_at,
        ends_at=begins_at + plan.warm_up + lasts,
        compares=compares,
        requests_per_second=whole.candidate_requests / seconds if splits and seconds else None,
        people=whole.people,
        signals=signals,
        faults=faults,
        bake_needed=needed,
        alternative=None,
        coverage_needs=covered,
    )
    if foreseen.enough is False and traffic is not None:
        return _with_alternative(plan, foreseen, beside, traffic)
    return foreseen


def _signal(
    plan: Plan,
    phase: Phase,
    spec: SignalSpec,
    begins_at: datetime,
    splits: Sequence[Split],
    traffic: ServiceTraffic,
) -> SignalForecast:
    counted = served(splits, begins_at + plan.warm_up, phase.bake)
    rate = _rate(spec, counted, traffic)
    edge_ms = dict(traffic.slow_from_ms).get(spec.name)
    ratio = expectation.tolerated_ratio(spec, rate or 0.0, edge_ms=edge_ms)
    if rate is None or ratio is None:
        return SignalForecast(
            spec=spec,
            rules_out=None,
            enough=None,
            proof_needs=None,
            power=None,
            why_unknown=f"nobody knows yet how many {spec.name} a request brings"
            if rate is None
            else "nobody knows yet how long requests take",
        )
    expected = Expected(
        spec=spec,
        requests=counted.candidate_requests,
        rate=rate,
        share=counted.candidate_share,
        ratio=ratio,
        witnesses=expectation.witnesses_of(
            spec,
            counted.candidate_requests,
            counted.candidate_share,
            lasting=phase.bake,
            targets=max(1, len(splits)),
        ),
    )
    alpha = expectation.signal_alpha(alpha_for_attempt(plan.budget, 1), halting_weight(phase, spec))
    needed = expectation.requests_to_prove(expected, plan.budget.beta)
    proof = None
    if needed is not None:
        proof = time_to_serve(splits, needed, begins_at + plan.warm_up, LONGEST)
    return SignalForecast(
        spec=spec,
        rules_out=expectation.smallest_ruled_out(expected, plan.budget.beta, edge_ms=edge_ms),
        enough=proof is not None and proof <= phase.bake,
        proof_needs=proof,
        power=expectation.chance_to_see(expected, ratio=ratio, alpha=alpha),
    )


def _rate(spec: SignalSpec, counted: Served, traffic: ServiceTraffic) -> float | None:
    """Return how many events a request brings, None where nobody knows."""
    match spec.kind:
        case SignalKind.ERRORS:
            return counted.error_rate
        case SignalKind.LATENCY:
            return expectation.SLOW_RATE
        case SignalKind.USAGE:
            known = dict(traffic.events_per_request).get(spec.name)
            return known or None
        case _:
            return None


def _faults(
    plan: Plan, phase: Phase, begins_at: datetime, splits: Sequence[Split]
) -> tuple[FaultForecast, ...]:
    """Return how soon the typical faults are halted, begun with the phase."""
    spec = next((one for one in phase.signals if one.kind is SignalKind.ERRORS), None)
    counted = served(splits, begins_at, phase.bake)
    if spec is None or not 0.0 < counted.candidate_share < 1.0:
        return ()
    alpha = expectation.signal_alpha(alpha_for_attempt(plan.budget, 1), halting_weight(phase, spec))
    found = []
    for excess in TYPICAL_FAULTS:
        bad = min(counted.error_rate + excess, 0.999)
        requests = math.inf
        if 0.0 < alpha < 1.0:
            requests = power.requests_to_halt(
                min(counted.error_rate, bad),
                bad,
                counted.candidate_share,
                alpha,
                null_ratio=expectation.harm_margin(spec),
            )
        after = None
        if math.isfinite(requests):
            after = time_to_serve(splits, requests, begins_at, LONGEST)
        if after is not None:
            # Nothing is seen before the first look.
            after = max(after, plan.tick)
            requests = served(splits, begins_at, after).candidate_requests
        found.append(
            FaultForecast(
                excess=excess,
                halted_after=after,
                failed_requests=None if after is None else requests * excess,
            )
        )
    return tuple(found)


def _coverage(
    phase: Phase,
    splits: Sequence[Split],
    whole: Served,
    seconds: float,
    traffic: ServiceTraffic | None,
) -> timedelta | None:
    """Return when the kinds of use that coverage asks for are served enough; None for unknown."""
    if phase.coverage is None or traffic is None or not traffic.cells or seconds <= 0.0:
        return None
    requests = (whole.candidate_requests + whole.baseline_requests) / seconds
    share = max(split.share for split in splits)
    found = time_to_fill(
        phase.coverage,
        {cell: part * requests for cell, part in traffic.cells},
        weight_bps=round(share * FULL_WEIGHT_BPS),
        bake=phase.bake,
    )
    return found.takes


def _with_alternative(
    plan: Plan, foreseen: PhaseForecast, splits: Sequence[Split], traffic: ServiceTraffic
) -> PhaseForecast:
    """Return *foreseen* with the smallest share at which its bake, or a shorter one, would do."""
    phase = foreseen.phase
    largest = max(split.share for split in splits)
    best: Alternative | None = None
    for weight_bps in SHARES_TRIED_BPS:
        share = weight_bps / FULL_WEIGHT_BPS
        if share <= largest:
            continue
        raised = [Split(profile=split.profile, share=share) for split in splits]
        needs = _longest(
            [
                _signal(plan, phase, one.spec, foreseen.begins_at, raised, traffic).proof_needs
                for one in foreseen.signals
                if one.enough is not None
            ]
        )
        if needs is None or (best is not None and needs >= best.bake):
            continue
        best = Alternative(weight_bps=weight_bps, bake=needs)
        if needs <= phase.bake:
            break
    return replace(foreseen, alternative=best)


def _longest(needs: Sequence[timedelta | None]) -> timedelta | None:
    """Return the longest of *needs*, None where one is without end or there is none."""
    known = [length for length in needs if length is not None]
    return max(known) if known and len(known) == len(needs) else None


def _weakest(phases: Sequence[PhaseForecast]) -> int | None:
    """Return the phase whose gates see the tolerated harm least, of those that compare anything."""
    seeing = {index: one.power for index, one in enumerate(phases) if one.power is not None}
    return min(seeing, key=lambda index: seeing[index] or 0.0) if seeing else None
