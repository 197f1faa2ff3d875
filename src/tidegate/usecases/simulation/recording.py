"""
What a past rollout showed, reduced to what can be replayed through another plan. Only types and rates.

A recording holds counts of both arms per period, target and signal. `course_of` makes rates of them that
a world can draw from: the baseline as it was, and the candidate as it was beside it, counted from when its
users first met it. Assumed is what can't be known: that the candidate would have done to other shares of
users what it did to those it had, and that after its end the recording goes on as it ended. A difference
counts by how much likelier it makes what was seen: small numbers always differ, and taken at their word
every recording of a healthy change would seem to harm.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import FULL_WEIGHT_BPS, TargetName

DOUBT: Final = 20.0
"""A difference that makes what was seen so many times likelier than none does counts for half."""

PRIOR_EVENTS: Final = 10.0
"""A period's baseline is thought to have had so many bad events at its overall rate, beside its own."""

PRIOR_ANSWERS: Final = 200.0
"""A period's candidate is thought to have had so many answers like the baseline's, beside its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedArm:
    """What one arm did in one period; fields as in `ArmTick`."""

    total: int
    bad: int = 0
    buckets: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSignal:
    """One signal of one target in one period."""

    name: str
    kind: SignalKind
    candidate: RecordedArm
    baseline: RecordedArm
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedPeriod:
    """What one target did for a while; `begins` counts from the rollout's start."""

    target: TargetName
    begins: timedelta
    lasts: timedelta
    weight_bps: int
    signals: tuple[RecordedSignal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A past rollout: whose, how it ended, and its periods by target and time."""

    rollout: str
    service: str
    change: str
    ended: str
    periods: tuple[RecordedPeriod, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """
    What a target was like in one period, as rates.

    `requests_per_second` counts both arms, None where no signal counts requests. `events` are good events
    per request of the baseline by signal, and `events_ratio` the candidate's by those. `answers` are
    shares per bucket of baseline and candidate.
    """

    requests_per_second: float | None
    error_rate: float
    candidate_error_rate: float
    events: tuple[tuple[str, float], ...] = ()
    events_ratio: float = 1.0
    bounds: tuple[float, ...] = ()
    answers: tuple[tuple[float, ...], tuple[float, ...]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The rates of one target in time: `begins` since its users first met the candidate, ascending."""

    begins: tuple[timedelta, ...]
    rates: tuple[Rates, ...]
    length: timedelta

    def at(self, since_exposure: timedelta) -> Rates:
        """Return the rates at that time; before the first period the first, after the last the last."""
        return self.rates[max(0, bisect_right(self.begins, since_exposure) - 1)]


def courses_of(recording: Recording) -> dict[TargetName, Course]:
    """Return the course of every target that *recording* has a period of with users of the candidate."""
    by_target: dict[TargetName, list[RecordedPeriod]] = {}
    for period in recording.periods:
        if period.weight_bps > 0 and period.signals:
            by_target.setdefault(period.target, []).append(period)
    return {target: _course(periods) for target, periods in by_target.items()}


def _course(periods: Sequence[RecordedPeriod]) -> Course:
    ordered = sorted(periods, key=lambda period: period.begins)
    exposed_at = ordered[0].begins
    baseline_rate = _overall_error_rate(ordered)
    return Course(
        begins=tuple(period.begins - exposed_at for period in ordered),
        rates=tuple(_rates(period, baseline_rate) for period in ordered),
        length=ordered[-1].begins + ordered[-1].lasts - exposed_at,
    )


def _overall_error_rate(periods: Iterable[RecordedPeriod]) -> float:
    bad = total = 0
    for period in periods:
        signal = _first(period, SignalKind.ERRORS)
        if signal is not None and period.weight_bps < FULL_WEIGHT_BPS:
            bad += signal.baseline.bad
            total += signal.baseline.total
    return (bad + 0.5) / (total + 1.0)


def _first(period: RecordedPeriod, kind: SignalKind) -> RecordedSignal | None:
    return next((signal for signal in period.signals if signal.kind is kind), None)


def _rates(period: RecordedPeriod, overall: float) -> Rates:
    errors, latency = _first(period, SignalKind.ERRORS), _first(period, SignalKind.LATENCY)
    answers = None if latency is None else _answers(latency)
    requests, error_rate, candidate_rate = _error_rates(period, errors, overall)
    return Rates(
        requests_per_second=requests,
        error_rate=error_rate,
        candidate_error_rate=candidate_rate,
        events=_events(period, errors),
        events_ratio=_events_ratio(period),
        bounds=() if latency is None or answers is None else latency.bounds,
        answers=answers,
    )


def _error_rates(
    period: RecordedPeriod, errors: RecordedSignal | None, overall: float
) -> tuple[float | None, float, float]:
    """Return requests per second of both arms, the baseline's error rate and the candidate's."""
    seconds = period.lasts.total_seconds()
    if errors is None or seconds <= 0:
        return None, overall, overall
    candidate, baseline = errors.candidate, errors.baseline
    usual = (baseline.bad + PRIOR_EVENTS) / (baseline.total + PRIOR_EVENTS / overall)
    changed = usual
    if candidate.total:
        seen = candidate.bad / candidate.total
        changed += (seen - usual) * _belief(candidate.bad, usual * candidate.total)
    return (candidate.total + baseline.total) / seconds, usual, changed


def _events(period: RecordedPeriod, errors: RecordedSignal | None) -> tuple[tuple[str, float], ...]:
    if errors is None or not errors.baseline.total:
        return ()
    return tuple(
        (signal.name, signal.baseline.total / errors.baseline.total)
        for signal in period.signals
        if signal.kind is SignalKind.USAGE
    )


def _events_ratio(period: RecordedPeriod) -> float:
    share = period.weight_bps / FULL_WEIGHT_BPS
    usage = [signal for signal in period.signals if signal.kind is SignalKind.USAGE]
    due = sum(signal.baseline.total for signal in usage) * share / (1.0 - share) if share < 1 else 0
    if due <= 0:
        return 1.0
    got = sum(signal.candidate.total for signal in usage)
    return 1.0 + (got / due - 1.0) * _belief(got, due)


def _belief(seen: float, due: float) -> float:
    """Return how much of the difference between *seen* and *due* events to believe, 0 to 1."""
    if due <= 0.0:
        return 1.0 if seen else 0.0
    nats = (seen * math.log(seen / due) if seen else 0.0) - (seen - due)
    likelier = math.exp(min(nats, 700.0))
    return likelier / (likelier + DOUBT)


def _answers(signal: RecordedSignal) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    baseline = signal.baseline if signal.baseline.total else signal.candidate
    total = sum(baseline.buckets)
    if not total:
        return None
    usual = tuple(count / total for count in baseline.buckets)
    counted = sum(signal.candidate.buckets) + PRIOR_ANSWERS
    return usual, tuple(
        (count + PRIOR_ANSWERS * share) / counted
        for count, share in zip(signal.candidate.buckets, usual, strict=True)
    )
