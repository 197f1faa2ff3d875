"""
What a bake can show before it has run: power, time to halt, and what it can rule out. Closed form.

These are forecasts for a plan and for the page. Nothing here decides: a test that has spoken isn't
overruled by what was expected of it. Rates and shares are expectations, so a forecast is as good as
they are.

Source: Wald (1945) for the bound and the mean time; the first-passage law of a Brownian motion
whose variance is twice its drift (which log likelihood ratios have) for the power.
"""

import math

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays, difference, mixture

BISECTIONS = 60
"""Halvings of [0, 1] when a tolerance is solved for."""


def information(
    baseline_events: npt.ArrayLike, candidate_share: npt.ArrayLike, ratio: float
) -> float:
    """
    Return the expected log likelihood ratio of a bake if the candidate is *ratio* times as bad.

    Args:
        baseline_events: Events the candidate would have at the baseline's rate, per tick or in all.
        candidate_share: Its share of the exposure in each of these ticks.
        ratio: True rate ratio, positive; below 1 for a loss of good events.

    Returns:
        Information in nats, at least 0.

    Raises:
        ValueError: events are negative, a share isn't inside (0, 1), *ratio* isn't positive.
    """
    events = arrays.counts("baseline_events", baseline_events)
    share = arrays.open_shares("candidate_share", candidate_share)
    true = float(arrays.positive("ratio", ratio))
    both = events * true + events * (1.0 - share) / share
    return float(np.sum(events * true * math.log(true) - both * np.log1p(share * (true - 1.0))))


def grid_price(ratio: float) -> float:
    """
    Return what not knowing the ratio costs: minus the log weight of the 3 nearest alternatives.

    Raises:
        ValueError: *ratio* isn't positive or is 1.
    """
    true = float(arrays.positive("ratio", ratio))
    if true == 1.0:
        raise ValueError("ratio must not be 1, which is no harm")
    grid = np.array(mixture.RATIOS_UP if true > 1.0 else mixture.RATIOS_DOWN)
    nearest = np.argsort(np.abs(np.log(grid / true)))[:3]
    return float(-np.log(np.exp(mixture.log_weights(grid)[nearest]).sum()))


def power(information_nats: float, *, ratio: float, alpha: float, dispersion: float = 1.0) -> float:
    """
    Return the probability that a bake with this much information halts such a candidate.

    Below a power of about one half it understates.

    Args:
        information_nats: From `information`.
        ratio: The ratio it was computed for.
        alpha: False halt probability of this signal (weight x alpha of the rollout).
        dispersion: Variance over mean of the counts; 1 for affected users.

    Raises:
        ValueError: an argument is outside its range.
    """
    nats = float(arrays.counts("information_nats", information_nats))
    nats /= float(arrays.positive("dispersion", dispersion))
    needed = _nats_to_halt(ratio, alpha)
    if nats <= 0.0:
        return 0.0
    spread = math.sqrt(2.0 * nats)
    above = _normal_cdf((nats - needed) / spread)
    tail = _normal_cdf(-(nats + needed) / spread)
    return min(1.0, above + (math.exp(needed) * tail if tail > 0.0 else 0.0))


def wald_bound_requests(
    baseline_rate: float, candidate_rate: float, candidate_share: float, alpha: float
) -> float:
    """
    Return the mean number of candidate requests that no valid test can go below before halting.

    Raises:
        ValueError: a rate isn't in [0, 1), the share or *alpha* isn't inside (0, 1).
    """
    base, bad = _rate("baseline_rate", baseline_rate), _rate("candidate_rate", candidate_rate)
    share = arrays.probability("candidate_share", candidate_share)
    pooled = share * bad + (1.0 - share) * base
    per_request = _divergence(bad, pooled) + (1.0 - share) / share * _divergence(base, pooled)
    nats = -math.log(arrays.probability("alpha", alpha))
    return nats / per_request if per_request > 0.0 else math.inf


def requests_to_halt(
    baseline_rate: float, candidate_rate: float, candidate_share: float, alpha: float
) -> float:
    """
    Return how many candidate requests our test needs on average to halt such a candidate.

    That of the best alternative in the mixture, together with its neighbours; infinite when the
    candidate isn't worse.

    Args:
        baseline_rate: Bad events per request of the baseline; may be 0.
        candidate_rate: The same of the candidate.
        candidate_share: Its share of the exposure.
        alpha: False halt probability of this signal (weight x alpha of the rollout).

    Raises:
        ValueError: a rate isn't in [0, 1), the share or *alpha* isn't inside (0, 1).
    """
    base, bad = _rate("baseline_rate", baseline_rate), _rate("candidate_rate", candidate_rate)
    share = arrays.probability("candidate_share", candidate_share)
    grid = np.array(mixture.RATIOS_UP)
    both = bad + base * (1.0 - share) / share
    growth = bad * np.log(grid) - both * np.log1p(share * (grid - 1.0))
    if bad <= base or not (growth > 0.0).any():
        return math.inf
    threshold = -math.log(arrays.probability("alpha", alpha))
    needed = threshold - math.log(mixture.START_STAKE) - mixture.log_weights(grid)
    best = int(np.argmax(growth / needed))
    return _nats_to_halt(float(grid[best]), alpha) / float(growth[best])


def seconds_to_halt(
    baseline_rate: float,
    excess: float,
    candidate_share: float,
    alpha: float,
    *,
    candidate_requests_per_second: float,
) -> float:
    """
    Return the mean time until a candidate worse by *excess* (0.005 = 0.5 points) is halted.

    Raises:
        ValueError: as in `requests_to_halt`, or the request rate isn't positive.
    """
    speed = float(arrays.positive("candidate_requests_per_second", candidate_requests_per_second))
    bad = baseline_rate + float(arrays.positive("excess", excess))
    return requests_to_halt(baseline_rate, bad, candidate_share, alpha) / speed


def events_to_certify(ratio: float, candidate_share: float, beta: float) -> float:
    """
    Return how many events a healthy candidate needs until `safe` rules out *ratio*.

    Counted at the baseline's rate: divide by it to get candidate requests.

    Args:
        ratio: R, above 1 for bad events, below 1 for good ones.
        candidate_share: The candidate's share of the exposure.
        beta: Chance to certify a candidate that's R times as bad.

    Raises:
        ValueError: *ratio* isn't positive or is 1; share or *beta* isn't inside (0, 1).
    """
    tested = float(arrays.positive("ratio", ratio))
    if tested == 1.0:
        raise ValueError("ratio must not be 1, which a healthy candidate can't rule out")
    share = arrays.probability("candidate_share", candidate_share)
    growth = math.log1p(share * (tested - 1.0)) / share - math.log(tested)
    return -math.log(arrays.probability("beta", beta)) / growth


def requests_to_certify(
    tolerance: float, rate: float, candidate_share: float, beta: float
) -> float:
    """
    Return how many requests a healthy candidate needs until `difference` rules out *tolerance*.

    Half of the bakes need fewer, about. Infinite when it can't be expected at all.

    Args:
        tolerance: Excess as a fraction, inside (0, 1).
        rate: Bad events per request, the same in both arms; may be 0.
        candidate_share: The candidate's share of the exposure.
        beta: Chance to certify a candidate that's worse by *tolerance*.

    Raises:
        ValueError: an argument is outside its range.
    """
    excess = arrays.probability("tolerance", tolerance)
    base = _rate("rate", rate)
    share = arrays.probability("candidate_share", candidate_share)
    odds = share / (1.0 - share)
    fitted = difference.best_keep(np.array(excess), np.array(base), np.array(odds))
    growth = max(
        base * math.log(keep)
        + base / odds * math.log1p(odds * (1.0 - keep))
        + excess * (1.0 - keep)
        for keep in (difference.RARE_KEEP, float(fitted))
    )
    nats = math.log(2.0 / arrays.probability("beta", beta))
    return nats / growth if growth > 0.0 else math.inf


def smallest_tolerance_ruled_out(
    requests: float, rate: float, candidate_share: float, beta: float
) -> float:
    """
    Return the smallest excess that a bake of so many candidate requests can be expected to rule
    out.

    The inverse of `requests_to_certify`: "this bake can rule out +0.12 points or more".

    Args:
        requests: Expected requests of the candidate, at least 0.
        rate: Expected bad events per request of both arms.
        candidate_share: The candidate's share of the exposure.
        beta: Chance to certify a candidate that's worse by as much.

    Returns:
        A fraction; 1 when nothing can be ruled out.

    Raises:
        ValueError: an argument is outside its range.
    """
    available = float(arrays.counts("requests", requests))
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if requests_to_certify(middle, rate, candidate_share, beta) <= available:
            high = middle
        else:
            low = middle
    return high


def _nats_to_halt(ratio: float, alpha: float) -> float:
    threshold = -math.log(arrays.probability("alpha", alpha))
    return threshold + grid_price(ratio) - math.log(mixture.START_STAKE)


def _rate(name: str, value: float) -> float:
    rate = arrays.counts(name, value)
    arrays.refuse(name, "be below 1", rate, rate >= 1.0)
    return float(rate)


def _divergence(rate: float, other: float) -> float:
    if rate == other:
        return 0.0
    part = rate * math.log(rate / other) if rate > 0.0 else 0.0
    return part + (1.0 - rate) * math.log((1.0 - rate) / (1.0 - other))


def _normal_cdf(value: float) -> float:
    return 0.5 * math.erfc(-value / math.sqrt(2.0))
