"""
The list of what is measured with latency histograms, and the rules that look at them.

The yardstick is what somebody would learn who saw every request's exact latency and knew both
distributions: buckets lose some of it before any rule gets to look.
"""

import math

import numpy as np

from detecting import ours
from detecting.information import Floats
from detecting.latencies import (
    EXPONENTIAL_S,
    PROMETHEUS_S,
    LatencyService,
    LatencyTick,
    Slowdown,
    days,
    nats_per_request,
)
from detecting.measure import ALPHAS, Harm, Scenario, Variant
from detecting.peers import TICKS_PER_MINUTE, Booleans, Kayenta, at_all
from detecting.streams import TICK_SECONDS, TICKS_PER_HOUR

BUCKETS = (
    ("exponential buckets", EXPONENTIAL_S, 4.0),
    ("Prometheus default buckets", PROMETHEUS_S, 5.0),
)
"""Name, edges, and what is promised: mean information until the halt over ``log(1 / alpha)``."""

SLOWDOWNS = (
    ("p99 +20 % by the tail", Slowdown(p99_times=1.2)),
    ("p99 +50 % by the tail", Slowdown(p99_times=1.5)),
    ("all x 1.2", Slowdown(all_times=1.2)),
)

FEWER_RUNS = 2
"""A run of latency costs as much as fifty of counts."""


class P99Threshold:
    """
    Flagger's example for latency: request-duration, the p99 of a minute, at most 500 ms.

    Source: docs.flagger.app, Metrics Analysis; the quantile is read off the buckets as Prometheus'
    `histogram_quantile` does, and a rollback needs 5 failed checks.
    """

    HIGHEST_S = 0.5
    THRESHOLD = 5

    def __init__(self, runs: int, alphas: tuple[float, ...], edges_s: tuple[float, ...]) -> None:
        self.name, self.alphas = "flagger p99 500 ms", alphas
        self._edges = np.array(edges_s)
        self._buckets = np.zeros((runs, len(edges_s) + 1))
        self._failed = np.zeros(runs)

    def look(self, tick: LatencyTick) -> Booleans:
        """Return where enough checks have failed."""
        self._buckets += tick.candidate_buckets
        if (tick.index + 1) % TICKS_PER_MINUTE == 0:
            self._failed += p99(self._buckets, self._edges) > self.HIGHEST_S
            self._buckets[:] = 0.0
        return at_all(self._failed >= self.THRESHOLD, self.alphas)


class KayentaP99:
    """Kayenta's judgement, see `peers.Kayenta`, of 60 one-minute p99s of each arm, once an hour."""

    def __init__(self, runs: int, alphas: tuple[float, ...], edges_s: tuple[float, ...]) -> None:
        self.name, self.alphas = "kayenta mann-whitney, hourly", alphas
        self._edges = np.array(edges_s)
        self._buckets = np.zeros((2, runs, len(edges_s) + 1))
        self._series = np.full((2, runs, Kayenta.POINTS), np.nan)
        self._high: Booleans = np.zeros(runs, dtype=np.bool_)

    def look(self, tick: LatencyTick) -> Booleans:
        """Return where the last finished hour was judged to be slow."""
        self._buckets += (tick.candidate_buckets, tick.baseline_buckets)
        if (tick.index + 1) % TICKS_PER_MINUTE == 0:
            point = tick.index // TICKS_PER_MINUTE % Kayenta.POINTS
            for arm in (0, 1):
                self._series[arm, :, point] = p99(self._buckets[arm], self._edges)
            self._buckets[:] = 0.0
        if (tick.index + 1) % TICKS_PER_HOUR == 0:
            self._high = Kayenta.is_high(*self._series)
        return at_all(self._high, self.alphas)


def p99(buckets: Floats, edges: Floats) -> Floats:
    """Return the 99th percentile of each row, linear inside a bucket; NaN without requests."""
    cumulative = np.cumsum(buckets, axis=1)
    total = cumulative[:, -1]
    rank = 0.99 * total
    place = np.minimum((cumulative < rank[:, None]).sum(axis=1), buckets.shape[1] - 1)
    # Above the last edge nothing is known: the last edge is what Prometheus answers.
    inside = np.minimum(place, len(edges) - 1)
    rows = np.arange(len(buckets))
    below = np.where(inside > 0, cumulative[rows, inside - 1], 0.0)
    low = np.where(inside > 0, edges[inside - 1], 0.0)
    part = np.clip((rank - below) / np.maximum(buckets[rows, inside], 1.0), 0.0, 1.0)
    answer = np.where(place < len(edges), low + part * (edges[inside] - low), edges[-1])
    return np.where(total > 0.0, answer, np.nan)


def all_scenarios() -> list[Scenario]:
    """Return what is measured with latency."""
    return [_scenario(name, edges, promise) for name, edges, promise in BUCKETS]


def _scenario(name: str, edges: tuple[float, ...], promise: float) -> Scenario:
    service = LatencyService(edges_s=edges)
    return Scenario(
        name=f"latency {{harm}}, {name}, drift, 100 rps, 5 %",
        harmless=lambda runs, seed: days(service, Slowdown(), runs, seed),
        harms=tuple(_harm(service, words, slowdown) for words, slowdown in SLOWDOWNS),
        variants=(
            Variant(
                make=lambda _: ours.Latency(ALPHAS, edges),
                margin=1.0,
                promise=promise,
                honest=True,
            ),
            Variant(make=lambda runs: P99Threshold(runs, ALPHAS[:1], edges)),
            Variant(make=lambda runs: KayentaP99(runs, ALPHAS[:1], edges)),
            Variant(
                make=lambda _: ours.Latency(ALPHAS, edges, knows_before=False),
                note="baseline first seen in the bake",
                margin=1.0,
                honest=True,
            ),
        ),
        also_quick=edges is PROMETHEUS_S,
        fewer_runs=FEWER_RUNS,
    )


def _harm(service: LatencyService, words: str, slowdown: Slowdown) -> Harm:
    per_tick = service.requests_per_second * TICK_SECONDS * service.share
    nats = nats_per_request(slowdown, service.share)
    return Harm(
        words=words,
        play=lambda runs, seed: days(service, slowdown, runs, seed),
        bound_ticks=-math.log(ALPHAS[0]) / (nats * per_tick),
    )
