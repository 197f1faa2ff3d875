"""
Is the candidate slower than the baseline? One test for a whole histogram, with many bets at once.

A bet is a function L of the bucket, never falling: how many times likelier a request of the
candidate is to end there than one of the baseline. Given the two arms' buckets of a tick, a request
of the candidate multiplies by ``L / D`` and one of the baseline by ``1 / D`` with ``D = 1 + q (L -
1)`` and the candidate's share q of the requests. Two kinds of bets:

- *edges*: L is one number below an edge and another above, so that the edge is exceeded with an
  odds ratio of so much. Seven edges, the baseline's quantiles from the median to the 99.5th, find a
  heavier tail wherever it begins. This is the 2x2 test of `latency`.
- *stretches*: L is the baseline's own histogram stretched by a factor over the unstretched. They
  use all of the histogram, and find it sooner when everything is slower.

Why it's a supermartingale. Of a tick with shares q and 1 - q the expectation is at most ``(q E_c[L
/ D] + (1 - q) E_b[1 / D])^m`` by the inequality of means. If both arms have one distribution, that's
``(E[(q L + 1 - q) / D])^m = 1``: for any distribution, drifting as it likes, and any L chosen before
the tick. If the candidate is stochastically faster, ``L / D`` rises with the bucket, and ``E_c`` is
less. A margin ``r > 1`` says that exceeding any edge up to r times as often is no harm. Let L be ``L_0``
in the lowest buckets, ``f_0 = L_0 / (1 + q (L_0 - 1))``, and ``D = (1 - q + q r L) / (1 + q (r - 1)
f_0)``. By parts ``E_c[L / D] <= f_0 (1 - r) + r E_b[L / D]`` under the null, and then ``q (f_0 (1 -
r) + r L / D) + (1 - q) / D = 1`` in every bucket: the same sum again.

What must not be in here: which requests a histogram counts, and thresholds.
Source: Turner, Ly and Gruenwald, JSPI 230 (2024) 106116 for blocks; the stretch bets and the margin over all
edges are own derivations.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays, latency_bets, mixture
from tidegate.stats.arrays import Floats
from tidegate.stats.states import StreamState

QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995)
"""Quantiles of the baseline at whose edges the arms are compared."""

ODDS_RATIOS = (1.2, 1.45, 1.8, 2.4, 3.5, 6.0, 15.0)
"""Alternatives at an edge: how much higher the odds of exceeding it may be."""

STRETCHES = (1.1, 1.25, 1.6, 2.5, 5.0)
"""Factors by which all requests may have become slower."""

EDGES_STAKE = 0.5
"""The part of the stake on the edges; the rest is on the stretches."""

MEMORY = 0.99
"""Weight that the baseline's past keeps per tick with requests: about the last 100 ticks choose the
bet, 17 minutes at 10 s. Latency has a time of day, and an old histogram bets on the wrong thing."""

PAST_REQUESTS = 1000.0
"""What was known before the first tick weighs at most as much as this many requests."""

ENDS, ENDS_REQUESTS = 0.002, 20.0
"""A stretch bets alike on the fastest and alike on the slowest of the past, so many of it: 0.2 %, but
at least 20 requests."""


@dataclass(frozen=True, slots=True, eq=False)
class FamilyState(StreamState):
    """
    Evidence that the candidate is slower; make it with `new`.

    A batch of streams with the same buckets and edges; one signal is mostly a batch of one.
    """

    shared: ClassVar[frozenset[str]] = frozenset({"bounds", "edges", "odds_ratios", "stretches"})

    bounds: Floats
    """Upper bounds of the buckets but the last, which is open, shape ``(buckets - 1,)``."""
    edges: Floats
    """Indices of the edges in *bounds*, ascending, shape ``(edges,)``."""
    odds_ratios: Floats
    """Alternatives at an edge as odds ratios against the null's border, shape ``(odds,)``."""
    stretches: Floats
    """Alternatives as factors on all latencies, shape ``(stretches,)``."""
    null_ratio: Floats
    """How many times as often an edge may be exceeded without harm, shape ``(streams,)``, from 1."""
    log_started: Floats
    """Log of stake x likelihood ratio, shape ``(odds * edges + stretches, streams)``, in nats: all
    edges for the first odds ratio, for the second, and so on, and then the stretches."""
    restarts: Floats
    """How often a part of the stake was started anew, shape ``(streams,)``."""
    past: Floats
    """The baseline's requests per bucket lately, shape ``(buckets, streams)``; chooses the bets
    only."""

    def _check_shapes(self) -> None:
        rows = self.odds_ratios.size * self.edges.size + self.stretches.size
        expected = {
            "null_ratio": (self.streams,),
            "log_started": (rows, self.streams),
            "restarts": (self.streams,),
            "past": (self.bounds.size + 1, self.streams),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"FamilyState.{name} must have shape {shape}, got {getattr(self, name).shape}"
                )


def edges_of(bounds: npt.ArrayLike, counts: npt.ArrayLike) -> tuple[float, ...]:
    """
    Return the bucket bounds nearest to the baseline's quantiles, ascending, each once.

    Nearest by the ratio of the share of slower requests to that of the quantile. Bounds that more
    than half of the requests exceed are left out, so where all requests lie in one bucket its upper
    bound is the only edge.

    Args:
        bounds: Ascending upper bounds of all buckets but the last, in any unit of time.
        counts: Baseline requests in each bucket (not cumulative), one more than *bounds*.

    Raises:
        ValueError: no requests; the histogram is malformed; more than half of the requests are above
            the last bound.
    """
    uppers, past = _histogram(bounds, counts)
    total = float(past.sum())
    slower = total - np.cumsum(past)[:-1]
    usable = slower <= 0.5 * total
    if not usable.any():
        raise ValueError(
            f"bounds end at {uppers[-1]:g}, which more than half of the requests exceed"
        )
    rates = (slower + 0.5) / (total + 1.0)
    nearest = {
        int(np.argmin(np.where(usable, np.abs(np.log(rates / (1.0 - quantile))), np.inf)))
        for quantile in QUANTILES
    }
    return tuple(float(uppers[index]) for index in sorted(nearest))


def new(
    bounds: npt.ArrayLike,
    past_counts: npt.ArrayLike,
    *,
    null_ratio: npt.ArrayLike = 1.0,
    edges: Sequence[float] | None = None,
    streams: int = 1,
    odds_ratios: Sequence[float] = ODDS_RATIOS,
    stretches: Sequence[float] = STRETCHES,
) -> FamilyState:
    """
    Return the state of *streams* that have seen nothing: log e-value 0.

    Args:
        bounds: Ascending upper bounds of all buckets but the last, in any unit of time.
        past_counts: The baseline's requests in each bucket before the first tick, one more than
            *bounds*. Only speed depends on them.
        null_ratio: Margin, at least 1: how many times as often as the baseline the candidate may
            exceed an edge, any edge, without harm.
        edges: Some of *bounds*; None: those of `edges_of`.
        streams: Number of streams.
        odds_ratios: Alternatives at the edges, all above 1.
        stretches: Alternatives for all of the histogram, all above 1.

    Raises:
        ValueError: an argument is outside what's said above, or *past_counts* give no edge.
    """
    uppers, past = _histogram(bounds, past_counts)
    chosen = np.asarray(edges_of(uppers, past) if edges is None else edges, dtype=np.float64)
    if chosen.ndim != 1 or not chosen.size or not np.isin(chosen, uppers).all():
        raise ValueError(f"edges must be some of the bounds, got {chosen.tolist()}")
    odds, factors = (
        _above_one(name, values)
        for name, values in (("odds_ratios", odds_ratios), ("stretches", stretches))
    )
    margins = _margins("null_ratio", null_ratio, streams)
    places = np.unique(np.searchsorted(uppers, chosen)).astype(np.float64)
    weights = _log_weights(odds, places.size, factors) + math.log(mixture.START_STAKE)
    scale = min(1.0, PAST_REQUESTS / float(past.sum()))
    return FamilyState(
        bounds=uppers,
        edges=places,
        odds_ratios=odds,
        stretches=factors,
        null_ratio=margins.copy(),
        log_started=np.repeat(weights[:, None], streams, axis=1),
        restarts=np.zeros(streams),
        past=np.repeat(scale * past[:, None], streams, axis=1),
    )


def update(
    state: FamilyState,
    candidate_buckets: npt.ArrayLike,
    baseline_buckets: npt.ArrayLike,
    *,
    starting: npt.ArrayLike = False,
    margin: npt.ArrayLike | None = None,
    power: npt.ArrayLike = 1.0,
    most_log_factor: npt.ArrayLike | None = None,
) -> FamilyState:
    """
    Return the state after one tick. A tick in which an arm has no requests is no evidence.

    Args:
        state: The state before the tick.
        candidate_buckets: The candidate's requests in each bucket (not cumulative), the last above
            the last bound, shape ``(buckets,)`` or ``(buckets, streams)``.
        baseline_buckets: The same of the baseline.
        starting: True where a phase or an hour begins, see `harm.update`.
        margin: The null ratio of this tick, at least 1, see `harm.update`; None: that of the state.
        power: What the factors of this tick are raised to, from 0 to 1, one or per stream; chosen by how
            many requests there were, not by how slow. What is at most 1 on average stays so (Jensen).
        most_log_factor: The most that a bet may gain by this tick, in nats, one or per stream; None: no
            bound. For requests that are slow together; see `mixture.bounded`.

    Raises:
        ValueError: a count is negative or NaN, or the buckets aren't those of the state; *margin* is
            below 1; *power* is outside [0, 1]; *most_log_factor* is negative or not finite.

    Complexity: O((odds x edges + stretches x buckets) x streams) time.
    """
    candidate = _buckets(state, "candidate_buckets", candidate_buckets)
    baseline = _buckets(state, "baseline_buckets", baseline_buckets)
    null_ratio = state.null_ratio
    if margin is not None:
        null_ratio = _margins("margin", margin, state.restarts.size)
    begun, restarts = state.log_started, state.restarts
    if np.any(starting):
        weights = _log_weights(state.odds_ratios, state.edges.size, state.stretches)
        begun, restarts = mixture.restart_weighted(begun, restarts, weights, starting)
    both_arms = candidate + baseline
    candidate_below, both_below = np.cumsum(candidate, axis=0), np.cumsum(both_arms, axis=0)
    candidate_total, total = candidate_below[-1], both_below[-1]
    compared = (candidate_total > 0.0) & (candidate_total < total)
    share = candidate_total / np.where(compared, total, np.inf)
    # Half a request more on either side of each bound: no share of the past is 0 or 1.
    below = np.cumsum(state.past, axis=0)
    past = (below + 0.5) / (below[-1] + 1.0)
    at_edges = state.edges.astype(np.intp)
    change = np.concatenate(
        (
            latency_bets.at_edges(
                state.odds_ratios,
                1.0 - past[at_edges],
                null_ratio,
                share,
                latency_bets.parted(candidate_below, at_edges),
                latency_bets.parted(both_below, at_edges),
            ),
            latency_bets.on_stretches(
                state.bounds,
                state.stretches,
                past[:-1],
                np.maximum(ENDS, ENDS_REQUESTS / (below[-1] + 1.0)),
                null_ratio,
                share,
                candidate,
                both_arms,
            ),
        )
    )
    change *= _powers(power, state.restarts.size)
    after = mixture.bounded(begun, begun + change, most_log_factor)
    # A tick without baseline requests must leave the stream's numbers as they are.
    kept = np.where(candidate_total < total, MEMORY, 1.0)
    return FamilyState(
        bounds=state.bounds,
        edges=state.edges,
        odds_ratios=state.odds_ratios,
        stretches=state.stretches,
        null_ratio=state.null_ratio,
        log_started=np.where(compared, after, begun),
        restarts=restarts,
        past=kept * state.past + baseline,
    )


def log_e_value(state: FamilyState) -> Floats:
    """Return the log e-value of each stream now, shape ``(streams,)``, in nats."""
    rows = np.concatenate((state.log_started, mixture.log_cash(state.restarts)[None, :]))
    highest = rows.max(axis=0)
    # A running sum adds row by row in any batch, which `sum` doesn't.
    value: Floats = highest + np.log(np.cumsum(np.exp(rows - highest), axis=0)[-1])
    return value


# --- what goes in ------------------------------------------------------------------------------


def _log_weights(odds_ratios: Floats, edges: int, stretches: Floats) -> Floats:
    at_edges = np.repeat(mixture.log_weights(odds_ratios), edges) + math.log(EDGES_STAKE / edges)
    return np.concatenate((at_edges, mixture.log_weights(stretches) + math.log(1.0 - EDGES_STAKE)))


def _buckets(state: FamilyState, name: str, values: npt.ArrayLike) -> Floats:
    counts = arrays.counts(name, values)
    buckets, streams = state.past.shape
    if counts.shape == (buckets, streams):
        return counts
    if counts.shape != (buckets,):
        raise ValueError(
            f"{name} must have shape ({buckets},) or ({buckets}, {streams}), got {counts.shape}"
        )
    return np.repeat(counts[:, None], streams, axis=1)


def _margins(name: str, values: npt.ArrayLike, streams: int) -> Floats:
    margins = arrays.numbers(name, values)
    arrays.refuse(name, "be at least 1", margins, margins < 1.0)
    return arrays.per_stream(name, margins, streams)


def _powers(values: npt.ArrayLike, streams: int) -> Floats:
    powers = arrays.numbers("power", values)
    arrays.refuse("power", "be from 0 to 1", powers, (powers < 0.0) | (powers > 1.0))
    return arrays.per_stream("power", powers, streams)


def _above_one(name: str, values: Sequence[float]) -> Floats:
    grid = arrays.numbers(name, values)
    if grid.ndim != 1 or not grid.size or not (grid > 1.0).all():
        raise ValueError(f"{name} must all be above 1, got {list(values)}")
    return grid


def _histogram(bounds: npt.ArrayLike, counts: npt.ArrayLike) -> tuple[Floats, Floats]:
    uppers, past = arrays.positive("bounds", bounds), arrays.counts("counts", counts)
    if uppers.ndim != 1 or not uppers.size or not (np.diff(uppers) > 0.0).all():
        raise ValueError(f"bounds must ascend, got {uppers.tolist()}")
    if past.shape != (uppers.size + 1,):
        raise ValueError(
            f"counts must be one more than the {uppers.size} bounds, got shape {past.shape}"
        )
    if past.sum() <= 0.0:
        raise ValueError("counts must hold at least one request, got none")
    return uppers, past
