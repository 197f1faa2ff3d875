"""
Is the candidate worse than its own past allows? The weak test for where nothing runs beside it.

Once a candidate serves everyone there is no concurrent baseline, so time of day and brown-outs don't
cancel. What is left is an absolute question: does its rate stay at or below `limit`, a number fixed
before (the baseline's rate while it ran, plus what is tolerated)? The test is exact for that question
and no more: a dependency's outage looks like harm here. So it may hold or halt, and never advances.

For one alternative ``r > 1`` a request multiplies by ``exp(-limit (r - 1))`` and a bad one by ``r``
too. If it is bad with probability ``p <= limit`` the expected factor is ``exp(-limit (r - 1)) (1 + p (r
- 1)) <= 1``, by ``1 + x <= exp(x)``: a supermartingale, and so is the mixture.
Source: Wald (1945) for one alternative; the mixture and its restarts as in `mixture`.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays, mixture
from tidegate.stats.arrays import Floats
from tidegate.stats.states import StreamState


@dataclass(frozen=True, slots=True, eq=False)
class HistoryState(StreamState):
    """Evidence that a rate exceeds its limit, in a batch of streams; make it with `new`."""

    shared: ClassVar[frozenset[str]] = frozenset({"ratios"})

    ratios: Floats
    """Alternatives as multiples of the limit, shape ``(grid,)``, all above 1."""
    log_started: Floats
    """Log of stake x likelihood ratio per alternative, shape ``(grid, streams)``, in nats."""
    restarts: Floats
    """How often a part of the stake was started anew, shape ``(streams,)``."""


def new(streams: int) -> HistoryState:
    """Return the state of *streams* that have seen nothing: log e-value 0."""
    grid = np.asarray(mixture.RATIOS_UP)
    return HistoryState(
        ratios=grid,
        log_started=mixture.first_stakes(grid, streams),
        restarts=np.zeros(streams),
    )


def update(
    state: HistoryState,
    bad: npt.ArrayLike,
    total: npt.ArrayLike,
    *,
    limit: npt.ArrayLike,
    starting: npt.ArrayLike = False,
) -> HistoryState:
    """
    Return the state after one tick. A tick without requests changes nothing.

    Args:
        state: The state before the tick.
        bad: Bad events of the candidate in this tick, shape ``(streams,)``.
        total: Its requests in this tick, same shape.
        limit: The rate that is still no harm, inside (0, 1), fixed before the tick.
        starting: True where a phase or an hour begins, see `harm.update`.

    Raises:
        ValueError: a count is negative, NaN or above its total; *limit* isn't inside (0, 1).
    """
    streams = state.streams
    bads = arrays.per_stream("bad", arrays.counts("bad", bad), streams)
    totals = arrays.per_stream("total", arrays.counts("total", total), streams)
    arrays.not_above("bad", bads, "total", totals)
    limits = arrays.per_stream("limit", arrays.open_shares("limit", limit), streams)
    begun, restarts = mixture.restart(state.log_started, state.restarts, state.ratios, starting)
    gains = np.log(state.ratios)[:, None] * bads
    costs = (state.ratios - 1.0)[:, None] * (limits * totals)
    return HistoryState(ratios=state.ratios, log_started=begun + gains - costs, restarts=restarts)


def log_e_value(state: HistoryState) -> Floats:
    """Return the log e-value of each stream now, shape ``(streams,)``, in nats."""
    return mixture.log_value(state.log_started, state.restarts)
