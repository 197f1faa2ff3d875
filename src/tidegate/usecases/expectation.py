"""
What the tests of a signal can be expected to show: the same margins and shares of the budget that the
tests use, put into the closed forms of `stats.power`.

Shared by the forecast of a plan, which knows expected traffic, and by the evidence meter, which knows
what has been measured. Decides nothing.
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from statistics import NormalDist
from typing import Final

from tidegate.domain.plan.model import SignalKind, SignalSpec, ToleranceUnit
from tidegate.stats import pauses, power, proof
from tidegate.usecases.estimators.latency import EDGE_QUANTILE
from tidegate.usecases.estimators.running import HARM_MARGIN_ERRORS, HARM_MARGIN_LATENCY
from tidegate.usecases.estimators.usage import MARGIN_PART
from tidegate.usecases.sequential import WEAK_WEIGHT

SMALLEST_RATE: Final = 1e-6
"""A baseline that never failed is taken to fail once in a million requests, so that ratios exist."""

MOST_RATIO: Final = 1e6
"""A candidate that fails always, beside a baseline that never does."""

SLOW_RATE: Final = 1.0 - EDGE_QUANTILE
"""How many of the baseline's requests are slow, by what counts as slow."""

LATENCY_SPREAD: Final = 1.0
"""The standard deviation of the logarithm of a latency, as assumed before any is measured: services
lie between 0.5 and 1.5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """
    What one signal counts in some time.

    `requests` are the candidate's, `rate` is the baseline's events by requests (bad ones, good ones for
    usage, slow ones for latency), `share` the candidate's share of the exposure. `ratio` is how many
    times as often its events come when it is worse by exactly the tolerance; below 1 for usage. `witnesses`
    is the part of the requests that count where harm is tested, see `witnesses_of`.
    """

    spec: SignalSpec
    requests: float
    rate: float
    share: float
    ratio: float
    witnesses: float = 1.0

    @property
    def events(self) -> float:
        """The candidate's expected events, at the baseline's rate."""
        return self.requests * max(self.rate, SMALLEST_RATE)

    def worse(self, times: float) -> float:
        """Return the ratio of a candidate that is worse by so many tolerances."""
        match self.spec.kind:
            case SignalKind.USAGE:
                return max(1.0 - (1.0 - self.ratio) * times, 1.0 / MOST_RATIO)
            case SignalKind.LATENCY:
                # Tails of latencies are straight in logarithms, near enough.
                return float(self.ratio**times)
            case _:
                return min(1.0 + (self.ratio - 1.0) * times, MOST_RATIO)


def signal_alpha(alpha: float, weight: float) -> float:
    """Return the false halt probability that the concurrent test of one signal may spend."""
    return alpha * weight * (1.0 - WEAK_WEIGHT)


def witnesses_of(
    spec: SignalSpec, requests: float, share: float, *, lasting: timedelta, targets: int
) -> float:
    """
    Return which part of the candidate's requests counts where harm is tested, from 0 to 1.

    For latency no more than `stats.pauses` lets count in so long a time on so many targets, with requests
    taken as spread evenly over both; all others count in full.
    """
    if spec.kind is not SignalKind.LATENCY or not 0.0 < share < 1.0 or lasting <= timedelta(0):
        return 1.0
    beside = requests * (1.0 - share) / share
    return float(pauses.power([requests / targets], [beside / targets], lasting)[0])


def tolerated_ratio(spec: SignalSpec, rate: float, *, edge_ms: float | None) -> float | None:
    """
    Return how many times as often events come when the candidate is worse by the tolerance.

    For latency that is how often requests are slow, by `LATENCY_SPREAD`; a tolerance in milliseconds
    needs *edge_ms*, from which on requests are slow. None where that isn't known.
    """
    tolerance = spec.tolerance.value
    match spec.kind, spec.tolerance.unit:
        case SignalKind.USAGE, _:
            return max(1.0 - tolerance, 1.0 / MOST_RATIO)
        case SignalKind.LATENCY, ToleranceUnit.DURATION:
            return None if edge_ms is None else slow_ratio(tolerance / edge_ms)
        case SignalKind.LATENCY, _:
            return slow_ratio(tolerance)
        case _, ToleranceUnit.RATE:
            return min(1.0 + tolerance / max(rate, SMALLEST_RATE), MOST_RATIO)
        case _:
            return 1.0 + tolerance


def harm_margin(spec: SignalSpec) -> float:
    """Return the ratio of events that the halting test still calls no harm."""
    if spec.kind is SignalKind.USAGE:
        return 1.0 - spec.tolerance.value * MARGIN_PART
    return HARM_MARGIN_LATENCY if spec.kind is SignalKind.LATENCY else HARM_MARGIN_ERRORS


def chance_to_see(expected: Expected, *, ratio: float, alpha: float) -> float | None:
    """Return the power to halt a candidate of that *ratio*; None where no test could be asked."""
    if not _can_ask(expected, ratio, alpha):
        return None
    margin = harm_margin(expected.spec)
    counted = expected.events * expected.witnesses
    nats = power.information(counted, expected.share, ratio, null_ratio=margin)
    return power.power(
        nats, ratio=ratio, alpha=alpha, candidate_share=expected.share, null_ratio=margin
    )


def requests_to_see(
    expected: Expected, *, ratio: float, alpha: float, chance: float
) -> float | None:
    """Return how many candidate requests see such a candidate with *chance*; None for never."""
    if not _can_ask(expected, ratio, alpha):
        return None
    margin = harm_margin(expected.spec)
    rate = max(expected.rate, SMALLEST_RATE) * expected.witnesses
    per_request = power.information(rate, expected.share, ratio, null_ratio=margin)
    nats = power.nats_for_power(
        chance, ratio=ratio, alpha=alpha, candidate_share=expected.share, null_ratio=margin
    )
    if per_request <= 0.0 or not math.isfinite(nats):
        return None
    return nats / per_request


def requests_to_prove(expected: Expected, beta: float) -> float | None:
    """Return how many requests a healthy candidate needs until the tolerance is ruled out."""
    spec = expected.spec
    if not 0.0 < expected.share < 1.0 or spec.tolerance.value <= 0.0:
        return None
    if spec.kind is SignalKind.ERRORS and spec.tolerance.unit is ToleranceUnit.RATE:
        if spec.tolerance.value >= 1.0 or expected.rate >= 1.0:
            return None
        needed = proof.requests_to_certify(
            spec.tolerance.value, expected.rate, expected.share, beta
        )
        return needed if math.isfinite(needed) else None
    if expected.rate <= 0.0:
        return None
    if expected.ratio == 1.0:
        return None
    return proof.events_to_certify(expected.ratio, expected.share, beta) / expected.rate


def proof_growth(expected: Expected, candidate_rate: float) -> float:
    """Return the nats by which one candidate request adds to the proof, at these rates of both arms."""
    spec, share = expected.spec, expected.share
    if not 0.0 < share < 1.0 or spec.tolerance.value <= 0.0:
        return 0.0
    if spec.kind is SignalKind.ERRORS and spec.tolerance.unit is ToleranceUnit.RATE:
        if max(spec.tolerance.value, expected.rate, candidate_rate) >= 1.0:
            return 0.0
        return proof.certify_growth(spec.tolerance.value, expected.rate, candidate_rate, share)
    return proof.ratio_growth(expected.ratio, expected.rate, candidate_rate, share)


def smallest_ruled_out(
    expected: Expected, beta: float, *, edge_ms: float | None = None
) -> float | None:
    """Return the least harm that so much can be expected to rule out, in the tolerance's unit."""
    spec, unit = expected.spec, expected.spec.tolerance.unit
    if not 0.0 < expected.share < 1.0:
        return None
    if spec.kind is SignalKind.ERRORS and unit is ToleranceUnit.RATE:
        excess = proof.smallest_tolerance_ruled_out(
            expected.requests, min(expected.rate, 0.999), expected.share, beta
        )
        return excess if excess < 1.0 else None
    fewer = spec.kind is SignalKind.USAGE
    events = expected.requests * expected.rate
    ratio = proof.smallest_ratio_ruled_out(events, expected.share, beta, fewer=fewer)
    if fewer:
        return 1.0 - ratio if ratio > 0.0 else None
    if not math.isfinite(ratio):
        return None
    if spec.kind is not SignalKind.LATENCY:
        return ratio - 1.0
    stretch = stretch_of(ratio)
    if stretch is None or unit is not ToleranceUnit.DURATION:
        return stretch
    return None if edge_ms is None else stretch * edge_ms


def slow_ratio(stretch: float) -> float:
    """Return how much more often requests are slow when all take longer by *stretch* (0.05 = 5 %)."""
    normal = NormalDist()
    edge = normal.inv_cdf(EDGE_QUANTILE)
    slow = 1.0 - normal.cdf(edge - math.log1p(stretch) / LATENCY_SPREAD)
    return slow / SLOW_RATE


def stretch_of(ratio: float) -> float | None:
    """Return the stretch that makes requests slow *ratio* times as often; None when none does."""
    slow = ratio * SLOW_RATE
    if slow >= 1.0:
        return None
    normal = NormalDist()
    edge = normal.inv_cdf(EDGE_QUANTILE)
    return math.expm1(LATENCY_SPREAD * (edge - normal.inv_cdf(1.0 - slow)))


def _can_ask(expected: Expected, ratio: float, alpha: float) -> bool:
    return (
        0.0 < expected.share < 1.0
        and 0.0 < alpha < 1.0
        and expected.requests >= 0.0
        and ratio != 1.0
        and math.isfinite(expected.rate)
    )
