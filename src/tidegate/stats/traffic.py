"""
Does the candidate get the share of requests it was assigned? Too few or too many is harm of its own.

Too few: it crashes, refuses connections, or the split isn't what was asked. Too many: it makes clients
retry, or more is exposed than was allowed. Requests are taken as the events of `harm` and the assigned
weight as the share of exposure, so a day's rhythm cancels; half of the stake bets on each side.

Two things make harmless traffic differ from the weight. Users are sticky and not equally busy, which
is no noise but lasts: `margin` is the ratio that's still no harm, on both sides. And requests of one
user come in bursts, so counts scatter more than independent requests do: every count is weighed with
an *exponent* below 1, see `placebo.exponent`, or one over the dispersion where that's known.

Why it's a supermartingale: each side is the test of `harm` with its margin, which holds for any number
of requests per tick given how bursts scatter; half of each is one too.
Source: sample-ratio tests as in Lindon and Malek (2022), here with shares that may change and a margin.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays, harm, mixture
from tidegate.stats.arrays import Floats
from tidegate.stats.states import StreamState

MARGIN = 1.25
"""With some hundreds of sticky users per arm their unequal use moves a share by so much at most."""


@dataclass(frozen=True, slots=True, eq=False)
class TrafficState(StreamState):
    """Evidence that a share isn't what was assigned, in a batch of streams; make it with `new`."""

    shared: ClassVar[frozenset[str]] = frozenset({"ratios"})

    ratios: Floats
    """Alternatives as multiples of the margin on their side, shape ``(grid,)``: half above 1, then half
    below."""
    margin: Floats
    """The ratio that's still no harm, shape ``(streams,)``, at least 1; below 1 its reciprocal is."""
    log_started: Floats
    """Log of stake x likelihood ratio per alternative, shape ``(grid, streams)``, in nats."""
    restarts: Floats
    """How often a part of the stake was started anew, shape ``(streams,)``."""


def new(streams: int, *, margin: npt.ArrayLike = MARGIN) -> TrafficState:
    """
    Return the state of *streams* that have seen nothing: log e-value 0.

    Raises:
        ValueError: *margin* is below 1.
    """
    margins = arrays.numbers("margin", margin)
    arrays.refuse("margin", "be at least 1", margins, margins < 1.0)
    ratios = np.array((*mixture.RATIOS_UP, *mixture.RATIOS_DOWN))
    return TrafficState(
        ratios=ratios,
        margin=arrays.per_stream("margin", margins, streams).copy(),
        log_started=mixture.first_stakes(ratios, streams),
        restarts=np.zeros(streams),
    )


def update(
    state: TrafficState,
    candidate_requests: npt.ArrayLike,
    total_requests: npt.ArrayLike,
    assigned_share: npt.ArrayLike,
    *,
    exponent: npt.ArrayLike = 1.0,
    starting: npt.ArrayLike = False,
) -> TrafficState:
    """
    Return the state after one tick. A tick without requests changes nothing.

    Args:
        state: The state before the tick.
        candidate_requests: Requests that reached the candidate, shape ``(streams,)``.
        total_requests: Requests of both arms, same shape.
        assigned_share: The candidate's weight while these requests came, strictly between 0 and 1.
        exponent: What one request counts for, in (0, 1], chosen before the tick.
        starting: True where a phase or an hour begins, see `harm.update`.

    Raises:
        ValueError: a count is negative, NaN or above its total; the share isn't inside (0, 1);
            *exponent* isn't in (0, 1].
    """
    streams = state.restarts.size
    weight = arrays.positive("exponent", exponent)
    arrays.refuse("exponent", "not be above 1", weight, weight > 1.0)
    weight = arrays.per_stream("exponent", weight, streams)
    ticks = [
        (weight * requests, weight * totals, shares)
        for requests, totals, shares in harm.strata(
            candidate_requests, total_requests, assigned_share, streams
        )
    ]
    begun, restarts = mixture.restart(state.log_started, state.restarts, state.ratios, starting)
    more = state.ratios > 1.0
    return TrafficState(
        ratios=state.ratios,
        margin=state.margin,
        log_started=np.concatenate(
            (
                harm.multiply(begun[more], state.ratios[more], state.margin, ticks),
                harm.multiply(begun[~more], state.ratios[~more], 1.0 / state.margin, ticks),
            )
        ),
        restarts=restarts,
    )


def log_e_value(state: TrafficState) -> Floats:
    """Return the log e-value of each stream now, shape ``(streams,)``, in nats."""
    return mixture.log_value(state.log_started, state.restarts)
