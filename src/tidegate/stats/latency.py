"""
Does the candidate exceed a latency edge more often than the baseline?

Means and percentiles of latency have no bound, no variance or no estimate; how often an edge is
exceeded is a plain count. Unlike errors it may be common (half of all requests at the median),
where the kernel of `harm` wastes evidence: this is the 2x2 block test of Turner, Ly and Gruenwald.

Why it's a supermartingale. A bet is a pair ``(p_c, p_b)`` chosen before the tick, with ``p_c > r_m
p_b``. Let ``(g_c, g_b)`` with ``g_c = r_m g_b`` be the null's pair nearest to it: it minimises ``q
KL(p_c||g_c) + (1 - q) KL(p_b||g_b)``. The tick's factor is the likelihood ratio of the two pairs,
its expectation by the inequality of means at most ``(q F_c + (1 - q) F_b)^m``, with ``F`` the
expected factor of one request. In the brackets stands a linear function of the true pair, 1 at
``g`` and, as ``g`` minimises over the convex null ``p_c <= r_m p_b``, nowhere above 1 on it. For
any rates common to both arms, drifting as they like, and ticks of any size. The baseline's past
rate chooses the bet.

Quantile and stretch helpers turn a histogram into an edge and a tolerance into a ratio for `safe`.
Source: Turner, Ly, Gruenwald, JSPI 230 (2024) 106116; Turner and Gruenwald (2022) for linear nulls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays, mixture
from tidegate.stats.arrays import Floats
from tidegate.stats.states import StreamState

MEMORY = 0.99
"""Weight that the baseline's past keeps per tick with requests: about the last 100 ticks choose the
bet, 17 minutes at 10 s. Latency has a time of day, and an old rate bets on the wrong thing."""

PRIOR_REQUESTS = 20.0
"""Requests at the expected rate that stand for the baseline before its first tick."""

RATE_FLOOR = 1e-7
"""A bet needs rates inside (0, 1). One in ten million is below what any bake can see."""


@dataclass(frozen=True, slots=True, eq=False)
class LatencyState(StreamState):
    """Evidence that an edge is exceeded more often, in a batch of streams; make it with `new`."""

    shared: ClassVar[frozenset[str]] = frozenset({"odds_ratios"})

    odds_ratios: Floats
    """Alternatives as odds ratios against the null's border, shape ``(grid,)``, all above 1."""
    null_ratio: Floats
    """The ratio of exceedance rates that's still no harm, shape ``(streams,)``; 1 = no margin."""
    expected_rate: Floats
    """Rate at which the baseline is expected to exceed the edge, shape ``(streams,)``."""
    log_started: Floats
    """Log of stake x likelihood ratio per alternative, shape ``(grid, streams)``, in nats."""
    restarts: Floats
    """How often a part of the stake was started anew, shape ``(streams,)``."""
    baseline_exceeding: Floats
    """Exceedances of the baseline lately, shape ``(streams,)``; chooses the next bet only."""
    baseline_total: Floats
    """Requests of the baseline lately, shape ``(streams,)``; chooses the next bet only."""


def new(
    streams: int,
    *,
    expected_rate: npt.ArrayLike = 0.05,
    null_ratio: npt.ArrayLike = 1.0,
    odds_ratios: Sequence[float] = mixture.RATIOS_UP,
) -> LatencyState:
    """
    Return the state of *streams* that have seen nothing: log e-value 0.

    Args:
        streams: Number of streams.
        expected_rate: How often the baseline exceeds the edge (.05 at its p95), one or per stream.
            Only speed depends on it.
        null_ratio: Margin, at least 1: the exceedance ratio that's still no harm.
        odds_ratios: Alternatives, all above 1.

    Raises:
        ValueError: an argument is outside what's said above.
    """
    grid = arrays.positive("odds_ratios", odds_ratios)
    if grid.ndim != 1 or not grid.size or not (grid > 1.0).all():
        raise ValueError(f"odds_ratios must all be above 1, got {list(odds_ratios)}")
    rates = arrays.open_shares("expected_rate", expected_rate)
    margins = arrays.positive("null_ratio", null_ratio)
    arrays.refuse("null_ratio", "be at least 1", margins, margins < 1.0)
    return LatencyState(
        odds_ratios=grid,
        null_ratio=arrays.per_stream("null_ratio", margins, streams).copy(),
        expected_rate=arrays.per_stream("expected_rate", rates, streams).copy(),
        log_started=mixture.first_stakes(grid, streams),
        restarts=np.zeros(streams),
        baseline_exceeding=np.zeros(streams),
        baseline_total=np.zeros(streams),
    )


def update(
    state: LatencyState,
    candidate_exceeding: npt.ArrayLike,
    candidate_total: npt.ArrayLike,
    baseline_exceeding: npt.ArrayLike,
    baseline_total: npt.ArrayLike,
    *,
    starting: npt.ArrayLike = False,
) -> LatencyState:
    """
    Return the state after one tick. A tick in which an arm has no requests is no evidence.

    Args:
        state: The state before the tick.
        candidate_exceeding: The candidate's requests above the edge, shape ``(streams,)``.
        candidate_total: All its requests, same shape.
        baseline_exceeding: The baseline's requests above the edge, same shape.
        baseline_total: All its requests, same shape.
        starting: True where a phase or an hour begins, see `harm.update`.

    Raises:
        ValueError: a count is negative, NaN or above its total.

    Complexity: O(grid x streams) time, about four times that of `harm.update`.
    """
    tick = arrays.arm_counts(
        state.streams,
        candidate_exceeding,
        candidate_total,
        baseline_exceeding,
        baseline_total,
        event="exceeding",
    )
    begun, restarts = mixture.restart(
        state.log_started, state.restarts, state.odds_ratios, starting
    )
    # A tick without baseline requests must leave the stream's numbers as they are.
    kept = np.where(tick.baseline_total > 0.0, MEMORY, 1.0)
    return LatencyState(
        odds_ratios=state.odds_ratios,
        null_ratio=state.null_ratio,
        expected_rate=state.expected_rate,
        log_started=_multiply(state, begun, tick),
        restarts=restarts,
        baseline_exceeding=kept * state.baseline_exceeding + tick.baseline_bad,
        baseline_total=kept * state.baseline_total + tick.baseline_total,
    )


def log_e_value(state: LatencyState) -> Floats:
    """Return the log e-value of each stream now, shape ``(streams,)``, in nats."""
    return mixture.log_value(state.log_started, state.restarts)


def quantile_edge(
    bucket_upper_bounds: npt.ArrayLike, counts: npt.ArrayLike, quantile: float
) -> float:
    """
    Return the bucket edge at which to compare the arms for a quantile of the baseline.

    Counts are exact at edges only, so the edge whose share of slower requests is nearest to ``1 -
    quantile`` is taken, by ratio. Edges that more than half of the requests exceed are left out:
    they're blind to a slowdown.

    Args:
        bucket_upper_bounds: Ascending upper bounds, in any unit of time; the last may be infinite.
        counts: Baseline requests in each bucket (not cumulative), same length.
        quantile: The quantile, in [0.5, 1).

    Returns:
        One of the finite *bucket_upper_bounds*.

    Raises:
        ValueError: no requests; the histogram is malformed; *quantile* leaves its range; more than
            half of the requests are above the last finite edge.
    """
    bounds, in_bucket = _histogram(bucket_upper_bounds, counts)
    if not 0.5 <= quantile < 1.0:
        raise ValueError(f"quantile must be in [0.5, 1), got {quantile:g}")
    total = in_bucket.sum()
    slower = total - np.cumsum(in_bucket)
    usable = np.isfinite(bounds) & (slower <= 0.5 * total)
    if not usable.any():
        finite = bounds[np.isfinite(bounds)]
        raise ValueError(
            f"bucket_upper_bounds end at {finite[-1] if finite.size else 'nothing finite'}, "
            "which more than half of the requests exceed"
        )
    rates = (slower + 0.5) / (total + 1.0)
    distance = np.abs(np.log(rates / (1.0 - quantile)))
    return float(bounds[np.argmin(np.where(usable, distance, np.inf))])


def stretch_ratio(
    bucket_upper_bounds: npt.ArrayLike, counts: npt.ArrayLike, edge: float, stretch: float
) -> float:
    """
    Return how much more often *edge* is exceeded when all requests take *stretch* times as long.

    ``P(X > edge / stretch) / P(X > edge)`` for the baseline's latency X: the ratio R with which
    `safe.update_ratio` tests a tolerance of "10 % slower" (*stretch* 1.1). Inside a bucket requests
    are taken as evenly spread. One request is added above the edge, so that few data make R smaller
    and the proof harder; the result is never below 1, and 1 means that it can't be proven.

    Args:
        bucket_upper_bounds: Ascending upper bounds; the first bucket begins at 0.
        counts: Baseline requests in each bucket (not cumulative), same length.
        edge: One of the finite bounds, as from `quantile_edge`.
        stretch: Tolerated slowdown as a factor above 1.

    Raises:
        ValueError: no requests; the histogram is malformed; *edge* isn't a finite bound; *stretch*
            isn't above 1.
    """
    bounds, in_bucket = _histogram(bucket_upper_bounds, counts)
    if not (np.isfinite(edge) and edge in bounds):
        raise ValueError(f"edge must be a finite bucket bound, got {edge:g}")
    if not (np.isfinite(stretch) and stretch > 1.0):
        raise ValueError(f"stretch must be above 1, got {stretch:g}")
    finite = np.isfinite(bounds)
    # The open bucket lies above every edge, so it takes no part in the interpolation.
    faster = np.interp(
        edge / stretch,
        np.concatenate(([0.0], bounds[finite])),
        np.concatenate(([0.0], np.cumsum(in_bucket)[finite])),
    )
    total = float(in_bucket.sum())
    slower = total - float(np.cumsum(in_bucket)[np.searchsorted(bounds, edge)])
    return float(max(1.0, (total - faster) / (slower + 1.0)))


def _histogram(bucket_upper_bounds: npt.ArrayLike, counts: npt.ArrayLike) -> tuple[Floats, Floats]:
    bounds = np.asarray(bucket_upper_bounds, dtype=np.float64)
    in_bucket = arrays.counts("counts", counts)
    if bounds.ndim != 1 or not bounds.size or bounds.shape != in_bucket.shape:
        raise ValueError(
            f"bucket_upper_bounds and counts must be equally long rows, "
            f"got shapes {bounds.shape} and {in_bucket.shape}"
        )
    if np.isnan(bounds).any() or bounds[0] <= 0.0 or not (np.diff(bounds) > 0.0).all():
        raise ValueError(f"bucket_upper_bounds must ascend from above 0, got {bounds.tolist()}")
    if in_bucket.sum() <= 0.0:
        raise ValueError("counts must hold at least one request, got none")
    return bounds, in_bucket


def _multiply(state: LatencyState, log_started: Floats, tick: arrays.ArmCounts) -> Floats:
    result = np.empty_like(log_started)
    odds_ratios = state.odds_ratios[:, None]
    for begin in range(0, log_started.shape[1], mixture.CHUNK_STREAMS):
        part = slice(begin, begin + mixture.CHUNK_STREAMS)
        margin = state.null_ratio[part]
        past = state.baseline_exceeding[part] + PRIOR_REQUESTS * state.expected_rate[part]
        rate = past / (state.baseline_total[part] + PRIOR_REQUESTS)
        rate = np.clip(rate, RATE_FLOOR, (1.0 - RATE_FLOOR) / margin)
        border_odds = margin * rate / (1.0 - margin * rate)
        raised = odds_ratios * border_odds / (1.0 + odds_ratios * border_odds)
        chunk = arrays.ArmCounts(*(counts[part] for counts in tick))
        change = _log_factor(raised, rate, margin, chunk)
        result[:, part] = log_started[:, part] + change
    return result


def _log_factor(
    raised: Floats,
    rate: Floats,
    margin: Floats,
    tick: arrays.ArmCounts,
) -> Floats:
    candidate_bad, candidate_total, baseline_bad, baseline_total = tick
    total = candidate_total + baseline_total
    both = (candidate_total > 0.0) & (baseline_total > 0.0)
    share = np.where(both, candidate_total / np.where(both, total, 1.0), 0.5)
    null_baseline = _nearest_null(raised, rate, margin, share)
    null_candidate = margin * null_baseline
    good_baseline = np.log1p((null_baseline - rate) / (1.0 - null_baseline))
    good_candidate = np.log1p((null_candidate - raised) / (1.0 - null_candidate))
    change: Floats = (
        candidate_bad * np.log(raised / null_candidate)
        + (candidate_total - candidate_bad) * good_candidate
        + baseline_bad * np.log(rate / null_baseline)
        + (baseline_total - baseline_bad) * good_baseline
    )
    return np.where(both, change, 0.0)


def _nearest_null(raised: Floats, rate: Floats, margin: Floats, share: Floats) -> Floats:
    """
    Return the baseline's rate of the null's pair nearest to the bet ``(raised, rate)``.

    The derivative of the divergence along ``(r x, x)`` is 0 where ``r x^2 - b x + P = 0`` with ``P
    = q p_c + (1 - q) p_b`` and ``b = P (1 + r) + q r (1 - p_c) + (1 - q) (1 - p_b)``; the smaller
    root is the one below ``1 / r``.
    """
    pooled = share * raised + (1.0 - share) * rate
    middle = (
        pooled * (1.0 + margin) + share * margin * (1.0 - raised) + (1.0 - share) * (1.0 - rate)
    )
    root = np.sqrt(np.maximum(middle * middle - 4.0 * margin * pooled, 0.0))
    nearest: Floats = 2.0 * pooled / (middle + root)
    return nearest
