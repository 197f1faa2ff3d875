"""
The physical limit: how much information about harm a tick holds, whatever the test.

Any test that halts a harmless candidate with probability at most alpha, for every rate both arms may
have in common, needs on average at least ``log(1 / alpha)`` nats of what these functions return until
it halts a harmful one (data processing and Wald's identity). They know the true rates, which no test
does; that's why they're in the benchmark and not in the product.
"""

import math

import numpy as np

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def bernoulli(
    candidate_total: Floats, candidate_rate: Floats, baseline_total: Floats, baseline_rate: Floats
) -> Floats:
    """
    Return the nats in a tick of requests that fail or don't, per run.

    ``min over p of m_c KL(p_c || p) + m_b KL(p_b || p)``, which is at the pooled rate.

    Args:
        candidate_total: Requests of the candidate, shape ``(runs,)``.
        candidate_rate: Its true rate, inside (0, 1), same shape.
        baseline_total: Requests of the baseline, same shape.
        baseline_rate: Its true rate, inside (0, 1), same shape.
    """
    both = np.maximum(candidate_total + baseline_total, 1.0)
    pooled = (candidate_total * candidate_rate + baseline_total * baseline_rate) / both
    pooled = np.where(candidate_total + baseline_total > 0.0, pooled, baseline_rate)
    nats: Floats = candidate_total * _divergence(candidate_rate, pooled)
    return nats + baseline_total * _divergence(baseline_rate, pooled)


def poisson(expected_events: Floats, share: float, ratio: float | Floats) -> Floats:
    """
    Return the nats in a tick of events without a number of requests, such as orders.

    Args:
        expected_events: What the candidate would have at the baseline's rate, shape ``(runs,)``.
        share: The share that was assigned to it, inside (0, 1).
        ratio: How many times the baseline's rate it really has; 0 when it has none.
    """
    true = np.asarray(ratio, dtype=np.float64)
    own = true * np.log(np.where(true > 0.0, true, 1.0))
    nats: Floats = expected_events * (
        own - (true + (1.0 - share) / share) * np.log1p(share * (true - 1.0))
    )
    return nats


def categories(candidate: Floats, baseline: Floats, share: float) -> float:
    """
    Return the nats per candidate request when each falls into one of many categories (buckets).

    Args:
        candidate: Probability of each category for the candidate, shape ``(categories,)``.
        baseline: The same of the baseline.
        share: The candidate's share of the requests, inside (0, 1).
    """
    pooled = share * candidate + (1.0 - share) * baseline

    def divergence(arm: Floats) -> float:
        seen = arm > 0.0
        return float(np.sum(arm[seen] * np.log(arm[seen] / pooled[seen])))

    return divergence(candidate) + (1.0 - share) / share * divergence(baseline)


def requests_at_least(
    baseline_rate: float, candidate_rate: float, share: float, alpha: float
) -> float:
    """Return the mean number of candidate requests that no valid test can go below before halting."""
    per_request = bernoulli(
        np.ones(1),
        np.full(1, candidate_rate),
        np.full(1, (1.0 - share) / share),
        np.full(1, baseline_rate),
    )
    return math.log(1.0 / alpha) / float(per_request[0])


def _divergence(rate: Floats, other: Floats) -> Floats:
    result: Floats = rate * np.log(rate / other)
    return result + (1.0 - rate) * np.log((1.0 - rate) / (1.0 - other))
