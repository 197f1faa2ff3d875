"""
Worlds of latency: histograms of both arms, tick by tick, with a tail that has no variance.

A request is one of many ordinary ones (lognormal) or takes a slow path (lognormal times Pareto of an
index below 2). Both arms get slower and faster together over the day and in brown-outs. Prometheus'
default buckets keep about half of what there is to learn about a slower tail, and four fifths of what
there is to learn when all requests are slower.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from detecting import information
from detecting.information import Floats
from detecting.streams import TICK_SECONDS, TICKS_PER_DAY, TICKS_PER_HOUR, Weather

MEDIAN_S, SIGMA = 0.08, 0.5
"""Of the ordinary requests."""
SLOW_SHARE, SLOW_SIGMA, TAIL_INDEX = 0.1, 0.15, 1.8
P99_S = 0.367
"""The baseline's 99th percentile; the slow path takes as long as it must for that."""

SLOWER_BY_DAY = 0.4
"""Exponent from the failure rate's drift to that of latency: a spread of 0.2 and again 0.2."""
TICKS_PER_CHANGE = 6
"""The drift of latency moves once a minute: it's what costs time in this simulation."""

EXPONENTIAL_S = tuple(0.001 * 2.0 ** (step / 4.0) for step in range(65))
"""Edges of an exponential histogram with four buckets per doubling, from 1 ms to 65 s."""
PROMETHEUS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The default buckets of Prometheus' client libraries."""


@dataclass(frozen=True, kw_only=True)
class Slowdown:
    """What the candidate does to latency: all requests, or only those in the tail."""

    all_times: float = 1.0
    p99_times: float = 1.0
    """By how much the tail stretches the 99th percentile."""


@dataclass(frozen=True, kw_only=True)
class LatencyService:
    """What is rolled out, and in which buckets its latency is counted."""

    edges_s: tuple[float, ...]
    requests_per_second: float = 100.0
    share: float = 0.05


@dataclass(frozen=True, kw_only=True)
class LatencyTick:
    """Histograms of one tick, shape ``(runs, buckets)``; the last bucket is above all edges."""

    index: int
    starting: bool
    candidate_buckets: Floats
    baseline_buckets: Floats
    candidate_total: Floats
    information: Floats
    """Nats in the tick for whom would see every latency, shape ``(runs,)``."""
    before: Floats | None
    """With the first tick: what the baseline had in the tick before, when it served everybody."""


def days(
    service: LatencyService, slowdown: Slowdown, runs: int, seed: int
) -> Iterator[LatencyTick]:
    """Yield a day of *runs* independent rollouts, tick by tick."""
    random = np.random.default_rng(seed)
    weather = Weather(runs, random)
    baseline, candidate = distribution(Slowdown()), distribution(slowdown)
    nats = nats_per_request(slowdown, service.share)
    edges = np.log(service.edges_s)
    ours: Floats = np.zeros((0, 0))
    theirs: Floats = ours
    for index in range(TICKS_PER_DAY):
        traffic, drift = weather.next(index)
        if index % TICKS_PER_CHANGE == 0:
            places = edges - SLOWER_BY_DAY * np.log(drift)[:, None]
            ours, theirs = in_buckets(candidate, places), in_buckets(baseline, places)
        expected = service.requests_per_second * TICK_SECONDS * traffic
        candidate_expected = service.share * expected
        candidate_buckets = random.poisson(candidate_expected[:, None] * ours).astype(np.float64)
        before = None
        if index == 0:
            before = random.poisson(expected[:, None] * theirs).astype(np.float64)
        yield LatencyTick(
            index=index,
            before=before,
            starting=index > 0 and index % TICKS_PER_HOUR == 0,
            candidate_buckets=candidate_buckets,
            baseline_buckets=random.poisson(
                (expected - candidate_expected)[:, None] * theirs
            ).astype(np.float64),
            candidate_total=candidate_buckets.sum(axis=1),
            information=candidate_expected * nats,
        )


def distribution(slowdown: Slowdown) -> Floats:
    """Return the chance to be at most as slow as each point of the grid."""
    tail_times = 1.0
    if slowdown.p99_times != 1.0:
        tail_times = _times_until_p99(slowdown.p99_times * P99_S)
    return np.interp(_GRID - math.log(slowdown.all_times), _GRID, _mixed(tail_times * _slow_s()))


def nats_per_request(slowdown: Slowdown, share: float) -> float:
    """Return the information in one candidate request for whom would see its exact latency."""
    ours, theirs = (
        np.diff(np.concatenate(([0.0], cumulative, [1.0])))
        for cumulative in (distribution(slowdown), distribution(Slowdown()))
    )
    # Where the table has lost the last digits of a tail, nothing can be told apart.
    known = (ours > 1e-14) & (theirs > 1e-14)
    return information.categories(ours[known], theirs[known], share)


def in_buckets(cumulative: Floats, log_edges: Floats) -> Floats:
    """
    Return the chance of each bucket.

    Args:
        cumulative: From `distribution`.
        log_edges: Logarithms of the edges in seconds, shape ``(runs, edges)``.

    Returns:
        Shape ``(runs, edges + 1)``; the last bucket is above all edges.
    """
    below = np.interp(log_edges, _GRID, cumulative)
    ends = np.zeros((len(log_edges), 1))
    chances: Floats = np.diff(np.hstack((ends, below, ends + 1.0)), axis=1)
    return np.maximum(chances, 0.0)


_GRID = np.linspace(math.log(1e-4), math.log(1e4), 16_001)
"""Where distributions are tabulated, in the logarithm of seconds."""


def _normal(z: Floats) -> Floats:
    return np.array([0.5 * math.erfc(-value / math.sqrt(2.0)) for value in z])


@cache
def _ordinary() -> Floats:
    return _normal((_GRID - math.log(MEDIAN_S)) / SIGMA)


def _mixed(slow_s: float) -> Floats:
    """Return the distribution when the slow path begins to take *slow_s*."""
    z = (_GRID - math.log(slow_s)) / SLOW_SIGMA
    # A normal plus an exponential variable, in the logarithm; far below it there's nothing.
    above = np.clip(0.5 * (TAIL_INDEX * SLOW_SIGMA) ** 2 - TAIL_INDEX * SLOW_SIGMA * z, None, 600.0)
    slow = _normal(z) - np.exp(above) * _normal(z - TAIL_INDEX * SLOW_SIGMA)
    mixed: Floats = (1.0 - SLOW_SHARE) * _ordinary() + SLOW_SHARE * np.clip(slow, 0.0, 1.0)
    return np.maximum.accumulate(mixed)


@cache
def _slow_s() -> float:
    return _slow_until_p99(P99_S)


@cache
def _times_until_p99(p99_s: float) -> float:
    return _slow_until_p99(p99_s) / _slow_s()


def _slow_until_p99(p99_s: float) -> float:
    low, high = 1e-3, 10.0
    for _ in range(40):
        middle = math.sqrt(low * high)
        reached = math.exp(float(np.interp(0.99, _mixed(middle), _GRID)))
        low, high = (middle, high) if reached < p99_s else (low, middle)
    return math.sqrt(low * high)
