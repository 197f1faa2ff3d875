"""
What a bake can prove before it has run: how much a proof takes, and what a bake can rule out.

The other side of `power`: that one is about candidates that do harm, this one about healthy ones, which
have to show it. Nothing here decides: a test that has spoken isn't overruled by what was expected of it.

Source: the mean growth of the tests in `safe` and `difference`, by which the threshold is divided
(Wald 1945).
"""

import math

import numpy as np

from tidegate.stats import arrays, difference

BISECTIONS = 60
"""Halvings when a tolerance is solved for: to the last digit of a double."""

MOST_RATIO = 1e6
"""A candidate that many times as bad is the most that a bake is asked to rule out."""


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
    growth = certify_growth(tolerance, rate, rate, candidate_share)
    chance = arrays.probability("beta", beta)
    nats = -math.log((1.0 - difference.RARE_WEIGHT) * chance)
    return nats / growth if growth > 0.0 else math.inf


def certify_growth(
    tolerance: float, baseline_rate: float, candidate_rate: float, candidate_share: float
) -> float:
    """
    Return by how much the log e-value of `difference` grows per candidate request, in nats.

    That of the better one of its two bets. Below 0 where the candidate is so much worse that the
    tolerance will never be ruled out.

    Args:
        tolerance: Excess as a fraction, inside (0, 1).
        baseline_rate: Bad events per request of the baseline; may be 0.
        candidate_rate: The same of the candidate.
        candidate_share: Its share of the exposure.

    Raises:
        ValueError: an argument is outside its range.
    """
    excess = arrays.probability("tolerance", tolerance)
    base, bad = _rate("baseline_rate", baseline_rate), _rate("candidate_rate", candidate_rate)
    share = arrays.probability("candidate_share", candidate_share)
    odds = share / (1.0 - share)
    fitted = difference.best_keep(np.array(excess), np.array(base), np.array(odds))
    return max(
        bad * math.log(keep) + base / odds * math.log1p(odds * (1.0 - keep)) + excess * (1.0 - keep)
        for keep in (difference.RARE_KEEP, float(fitted))
    )


def ratio_growth(
    ratio: float, baseline_rate: float, candidate_rate: float, candidate_share: float
) -> float:
    """
    Return by how much the log e-value of `safe` against *ratio* grows per candidate request.

    Args:
        ratio: R, above 1 for bad events, below 1 for good ones.
        baseline_rate: Events per request of the baseline.
        candidate_rate: The same of the candidate.
        candidate_share: Its share of the exposure.

    Returns:
        Nats per request of the candidate; below 0 where R will never be ruled out.

    Raises:
        ValueError: *ratio* isn't positive, a rate is negative, the share isn't inside (0, 1).
    """
    tested = float(arrays.positive("ratio", ratio))
    base = float(arrays.counts("baseline_rate", baseline_rate))
    own = float(arrays.counts("candidate_rate", candidate_rate))
    share = arrays.probability("candidate_share", candidate_share)
    both = own + base * (1.0 - share) / share
    return both * math.log1p(share * (tested - 1.0)) - own * math.log(tested)


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


def smallest_ratio_ruled_out(
    events: float, candidate_share: float, beta: float, *, fewer: bool = False
) -> float:
    """
    Return the ratio nearest to 1 that a bake with so many events can be expected to rule out.

    The inverse of `events_to_certify`.

    Args:
        events: Expected events of the candidate at the baseline's rate, at least 0.
        candidate_share: The candidate's share of the exposure.
        beta: Chance to certify a candidate that's as bad.
        fewer: Whether fewer events are harm, as for usage: then the ratio is below 1.

    Returns:
        The ratio; infinite, or 0 with *fewer*, when nothing can be ruled out.

    Raises:
        ValueError: an argument is outside its range.
    """
    available = float(arrays.counts("events", events))
    low, high = 0.0, math.log(MOST_RATIO)
    sign = -1.0 if fewer else 1.0
    if available <= 0.0 or events_to_certify(math.exp(sign * high), candidate_share, beta) > (
        available
    ):
        return 0.0 if fewer else math.inf
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if events_to_certify(math.exp(sign * middle), candidate_share, beta) <= available:
            high = middle
        else:
            low = middle
    return math.exp(sign * high)


def _rate(name: str, value: float) -> float:
    rate = arrays.counts(name, value)
    arrays.refuse(name, "be below 1", rate, rate >= 1.0)
    return float(rate)
