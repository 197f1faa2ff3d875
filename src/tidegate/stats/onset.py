"""
When did a rate begin to exceed its limit? For trouble that may begin at any moment, or never.

The tests that halt promise that they're ever wrong with probability alpha at most, and pay for it when
harm begins late. Noticing trouble that only holds needs no such promise: here every tick begins a new
bet, the best of them counts, and the promise is about how often: while the rate stays at or below its
limit, reaching ``log(n)`` takes n ticks on average or more.

Why. For one alternative ``r > 1`` the tick's factor is ``r^bad exp(-limit (r - 1) total)``, with
expectation at most 1 as in `history`. ``M_t = max(M_{t-1}, 1) factor_t`` is at most the sum over starts
of their e-values, so ``M_t - t`` is a supermartingale and the mean time to reach n is at least n; a
mixture of them with fixed weights keeps that.
Source: e-detectors, Shin, Ramdas and Rinaldo (2023), New England Journal of Statistics in Data Science.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays, mixture
from tidegate.stats.arrays import Floats
from tidegate.stats.states import StreamState


@dataclass(frozen=True, slots=True, eq=False)
class OnsetState(StreamState):
    """Evidence that a rate exceeds its limit now, in a batch of streams; make it with `new`."""

    shared: ClassVar[frozenset[str]] = frozenset({"ratios"})

    ratios: Floats
    """Alternatives as multiples of the limit, shape ``(grid,)``, all above 1."""
    log_best: Floats
    """Log value of the best start per alternative, shape ``(grid, streams)``, in nats."""


def new(streams: int) -> OnsetState:
    """Return the state of *streams* that have seen nothing."""
    grid = np.asarray(mixture.RATIOS_UP)
    return OnsetState(ratios=grid, log_best=np.zeros((grid.size, streams)))


def update(
    state: OnsetState, bad: npt.ArrayLike, total: npt.ArrayLike, *, limit: npt.ArrayLike
) -> OnsetState:
    """
    Return the state after one tick.

    Args:
        state: The state before the tick.
        bad: Bad events in this tick, shape ``(streams,)``.
        total: Requests in this tick, same shape.
        limit: The rate that is still no trouble, inside (0, 1), fixed before the tick.

    Raises:
        ValueError: a count is negative, NaN or above its total; *limit* isn't inside (0, 1).
    """
    streams = state.streams
    bads = arrays.per_stream("bad", arrays.counts("bad", bad), streams)
    totals = arrays.per_stream("total", arrays.counts("total", total), streams)
    arrays.not_above("bad", bads, "total", totals)
    limits = arrays.per_stream("limit", arrays.open_shares("limit", limit), streams)
    gains = np.log(state.ratios)[:, None] * bads
    costs = (state.ratios - 1.0)[:, None] * (limits * totals)
    return OnsetState(
        ratios=state.ratios, log_best=np.maximum(state.log_best, 0.0) + (gains - costs)
    )


def log_value(state: OnsetState) -> Floats:
    """
    Return the log of the mixture of the best starts, shape ``(streams,)``, in nats.

    Below its limit a rate takes ``exp(value)`` ticks on average, or more, to reach a value.
    """
    weights = mixture.log_weights(state.ratios)
    return mixture.log_sum(
        [row + weight for row, weight in zip(state.log_best, weights, strict=True)]
    )
