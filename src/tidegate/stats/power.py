"""
What a bake can see before it has run: the power to halt, and the time until it does. Closed form.

These are forecasts for a plan and for the page. Nothing here decides: a test that has spoken isn't
overruled by what was expected of it. Rates and shares are expectations, so a forecast is as good as
they are.

What the closed form of the power is made of: a log e-value that drifts like a Brownian motion with
the mean and the variance of its jumps, and a barrier that is log(1/alpha), the stake that bets from
the start, the price of not knowing the ratio at the moment of crossing, and a third of a jump, by
which a process that moves in jumps passes its barrier. Simulated over shares from 1 to 50 %, ratios
from 1.3 to 10 and alpha from .0025 to .05 it's within .025 wherever the power is above .55.

Source: Wald (1945) for the bound and the mean time; the inverse Gaussian law of first passages for
the power; Siegmund (1985) for the excess over the barrier.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays, mixture

BISECTIONS = 60
"""Halvings, and rounds of an iteration: to the last digit of a double."""

SMALL_SHARE = 0.05
"""The share that a forecast assumes when it isn't told one; it matters little below a half."""

MOST_NATS = 1e9
"""A bake that would need more than this to see a fault never sees it."""

JUMP_PART = 1.0 / 3.0
"""How much of one jump the process is beyond its barrier on average when it crosses it."""


def information(
    baseline_events: npt.ArrayLike,
    candidate_share: npt.ArrayLike,
    ratio: float,
    *,
    null_ratio: float = 1.0,
) -> float:
    """
    Return the expected log likelihood ratio of a bake if the candidate is *ratio* times as bad.

    Args:
        baseline_events: Events the candidate would have at the baseline's rate, per tick or in all.
        candidate_share: Its share of the exposure in each of these ticks.
        ratio: True rate ratio, positive; below 1 for a loss of good events.
        null_ratio: The ratio that's still no harm, as in `harm.new`.

    Returns:
        Information in nats, at least 0; 0 where *ratio* isn't beyond *null_ratio*.

    Raises:
        ValueError: events are negative, a share isn't inside (0, 1), a ratio isn't positive.
    """
    events = arrays.counts("baseline_events", baseline_events)
    share = arrays.open_shares("candidate_share", candidate_share)
    true = float(arrays.positive("ratio", ratio))
    margin = float(arrays.positive("null_ratio", null_ratio))
    if (true - 1.0) * (true - margin) <= 0.0:
        return 0.0
    both = events * true + events * (1.0 - share) / share
    gain = np.log1p(share * (true - 1.0)) - np.log1p(share * (margin - 1.0))
    return max(0.0, float(np.sum(events * true * math.log(true / margin) - both * gain)))


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


def power(
    information_nats: float,
    *,
    ratio: float,
    alpha: float,
    dispersion: float = 1.0,
    candidate_share: float = SMALL_SHARE,
    null_ratio: float = 1.0,
) -> float:
    """
    Return the probability that a bake with this much information halts such a candidate.

    Below a power of about one half it understates.

    Args:
        information_nats: From `information`.
        ratio: The ratio it was computed for.
        alpha: False halt probability of this signal (weight x alpha of the rollout).
        dispersion: Variance over mean of the counts; 1 for affected users.
        candidate_share: The candidate's share of the exposure, the mean one where it changes.
        null_ratio: The ratio that's still no harm.

    Raises:
        ValueError: an argument is outside its range, or *ratio* is 1.
    """
    nats = float(arrays.counts("information_nats", information_nats))
    nats /= float(arrays.positive("dispersion", dispersion))
    race = _race(ratio, candidate_share, null_ratio, alpha)
    if nats <= 0.0 or not math.isfinite(race.barrier):
        return 0.0
    variance = race.variance_per_nat * nats
    spread = math.sqrt(variance)
    above = _normal_cdf((nats - race.barrier) / spread)
    tail = _normal_cdf(-(nats + race.barrier) / spread)
    if tail <= 0.0:
        return above
    return min(1.0, above + math.exp(2.0 * race.barrier * nats / variance + math.log(tail)))


@functools.lru_cache(maxsize=4096)
def nats_for_power(
    wanted: float,
    *,
    ratio: float,
    alpha: float,
    dispersion: float = 1.0,
    candidate_share: float = SMALL_SHARE,
    null_ratio: float = 1.0,
) -> float:
    """
    Return how much information a bake needs to halt such a candidate with probability *wanted*.

    The inverse of `power`, with the same arguments; infinite where no bake is long enough. Answers are kept:
    whoever looks at a bake asks the same again and again.

    Raises:
        ValueError: as `power`; or *wanted* isn't inside (0, 1).
    """
    aim = arrays.probability("wanted", wanted)

    def reached(nats: float) -> bool:
        return aim <= power(
            nats,
            ratio=ratio,
            alpha=alpha,
            dispersion=dispersion,
            candidate_share=candidate_share,
            null_ratio=null_ratio,
        )

    high = 1.0
    while not reached(high):
        high *= 2.0
        if high > MOST_NATS:
            return math.inf
    low = 0.0
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


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
    baseline_rate: float,
    candidate_rate: float,
    candidate_share: float,
    alpha: float,
    *,
    null_ratio: float = 1.0,
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
        null_ratio: The ratio that's still no harm.

    Raises:
        ValueError: a rate isn't in [0, 1), the share or *alpha* isn't inside (0, 1), *null_ratio*
            isn't positive.
    """
    base, bad = _rate("baseline_rate", baseline_rate), _rate("candidate_rate", candidate_rate)
    share = arrays.probability("candidate_share", candidate_share)
    margin = float(arrays.positive("null_ratio", null_ratio))
    grid = np.array(mixture.RATIOS_UP)
    both = bad + base * (1.0 - share) / share
    gain = np.log1p(share * (margin * grid - 1.0)) - math.log1p(share * (margin - 1.0))
    growth = bad * np.log(grid) - both * gain
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Race:
    """What the log e-value has to climb, in nats, and its variance per nat of drift."""

    barrier: float
    variance_per_nat: float


def _race(ratio: float, candidate_share: float, null_ratio: float, alpha: float) -> _Race:
    """Return the race of our mixture against a candidate that is *ratio* times as bad."""
    true = float(arrays.positive("ratio", ratio))
    if true == 1.0:
        raise ValueError("ratio must not be 1, which is no harm")
    share = arrays.probability("candidate_share", candidate_share)
    margin = float(arrays.positive("null_ratio", null_ratio))
    needed = -math.log(arrays.probability("alpha", alpha)) - math.log(mixture.START_STAKE)
    drift = information(1.0, share, true, null_ratio=margin)
    if drift <= 0.0:
        return _Race(barrier=math.inf, variance_per_nat=2.0)
    # Per event that the candidate would have at the baseline's rate: its own, and the baseline's.
    baseline_events = (1.0 - share) / share
    lost = math.log1p(share * (true - 1.0)) - math.log1p(share * (margin - 1.0))
    won = math.log(true / margin) - lost
    variance = true * won**2 + baseline_events * lost**2
    barrier = needed + _price(needed, true, share, margin, drift)
    return _Race(
        barrier=barrier + JUMP_PART * max(won, -lost),
        variance_per_nat=variance / drift,
    )


def _price(needed: float, true: float, share: float, margin: float, drift: float) -> float:
    """
    Return what the mixture loses by not knowing the ratio when it crosses its barrier.

    An alternative that grows at a part of the best speed has lost the rest of the information when
    the best one crosses; what counts is how much of the stake has lost little. Solved by iteration,
    because a later crossing leaves fewer alternatives in the race.
    """
    grid = np.array(mixture.RATIOS_UP if true > 1.0 else mixture.RATIOS_DOWN)
    gain = np.log1p(share * (margin * grid - 1.0)) - math.log1p(share * (margin - 1.0))
    growth = true * np.log(grid) - (true + (1.0 - share) / share) * gain
    losing = 1.0 - growth / drift
    weights = mixture.log_weights(grid)
    price = 0.0
    for _ in range(BISECTIONS):
        before = price
        price = -float(mixture.log_sum([*(weights - (needed + before) * losing)]))
        if price > MOST_NATS:
            return math.inf
        if abs(price - before) < 1e-9:
            break
    return price


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
