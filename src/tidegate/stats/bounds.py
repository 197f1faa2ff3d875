"""
What's ruled out so far: "worse than 1.3 times is ruled out", "more than +0.2 points is ruled out".

Confidence bounds that hold at every look at once: the chance that a bound is ever on the wrong side
of the truth is at most alpha. They're for people and for the forecast on the page; advancing is
decided by `safe` and `difference`, which bet all on one question and are faster at it.

Rule: a bound is read off tests whose nulls lie inside each other, and only as far as *all* tests
beyond it have rejected. Taking the best single rejection would be many chances to be wrong.
Source: confidence sequences by inverting tests (Howard, Ramdas, McAuliffe, Sekhon 2021).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays, difference, harm, mixture
from tidegate.stats.arrays import Floats
from tidegate.stats.states import StreamState

RATIOS = (
    *(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0),
    *(1.05, 1.1, 1.15, 1.2, 1.3, 1.4, 1.5, 1.75, 2.0, 3.0, 5.0, 10.0, 20.0),
)
"""Ratios a bound can take. Half of each test's stake bets that the arms are equal."""

KEEPS = (difference.RARE_KEEP, 0.05, 0.1, 0.2, 0.35, 0.55, 0.75, 0.87, 0.94, 0.97, 0.985)
"""Bets of the excess bound, see `difference`: the best one is ``p / (p + delta)`` for a small
candidate, so these serve excesses from 1/65 of the baseline's rate up. Spaced by about 2 in
odds."""

NEWTON_STEPS = 12
"""Steps when the excess is solved for. Eleven lines need six for the last digit; always as many, since
a stream's number must not depend on its neighbours."""


@dataclass(frozen=True, slots=True, eq=False)
class RatioBoundState(StreamState):
    """Likelihood of a grid of rate ratios, in a batch of streams; make it with `new_ratio`."""

    shared: ClassVar[frozenset[str]] = frozenset({"ratios"})

    ratios: Floats
    """The grid, ascending, with 1 in it, shape ``(grid,)``."""
    log_likelihood: Floats
    """Log likelihood ratio of each ratio against 1, shape ``(grid, streams)``, in nats."""


@dataclass(frozen=True, slots=True, eq=False)
class ExcessBoundState(StreamState):
    """Sums from which any excess can be tested; make it with `new_excess`."""

    shared: ClassVar[frozenset[str]] = frozenset({"keeps"})

    keeps: Floats
    """The grid of bets, shape ``(grid,)``; the first gets half of the stake."""
    candidate_bad: Floats
    """Bad events of the candidate so far, shape ``(streams,)``."""
    candidate_total: Floats
    """Requests of the candidate so far, shape ``(streams,)``."""
    log_baseline: Floats
    """What the baseline's bad events won so far, shape ``(grid, streams)``, in nats."""


def new_ratio(streams: int, *, ratios: Sequence[float] = RATIOS) -> RatioBoundState:
    """
    Return the state of *streams* that have seen nothing.

    Raises:
        ValueError: *ratios* don't ascend or don't hold 1.
    """
    grid = arrays.positive("ratios", ratios)
    if grid.ndim != 1 or 1.0 not in grid or not (np.diff(grid) > 0.0).all():
        raise ValueError(f"ratios must ascend and hold 1, got {list(ratios)}")
    return RatioBoundState(ratios=grid, log_likelihood=np.zeros((grid.size, streams)))


def update_ratio(
    state: RatioBoundState,
    candidate_events: npt.ArrayLike,
    total_events: npt.ArrayLike,
    candidate_share: npt.ArrayLike,
) -> RatioBoundState:
    """
    Return the state after one tick; arguments and errors as in `harm.update`.

    Raises:
        ValueError: a count is negative, NaN or above its total; a share isn't inside (0, 1).
    """
    ticks = harm.strata(candidate_events, total_events, candidate_share, state.streams)
    likelihood = harm.multiply(state.log_likelihood, state.ratios, np.ones(state.streams), ticks)
    return RatioBoundState(ratios=state.ratios, log_likelihood=likelihood)


def highest_ratio(state: RatioBoundState, alpha: float) -> Floats:
    """
    Return for each stream the ratio from which on everything is ruled out; infinite if nothing is.

    The candidate's rate is below this many times the baseline's, with confidence ``1 - alpha``.

    Raises:
        ValueError: *alpha* isn't inside (0, 1).
    """
    threshold = -math.log(arrays.probability("alpha", alpha))
    return _bound(state.ratios, state.log_likelihood, threshold, nothing=math.inf)


def lowest_ratio(state: RatioBoundState, alpha: float) -> Floats:
    """
    Return for each stream the ratio down to which all below is ruled out; 0 if nothing is.

    The candidate's rate is above this part of the baseline's, with confidence ``1 - alpha``: for
    good events, "a loss of more than ... is ruled out".

    Raises:
        ValueError: *alpha* isn't inside (0, 1).
    """
    threshold = -math.log(arrays.probability("alpha", alpha))
    return _bound(state.ratios[::-1], state.log_likelihood[::-1], threshold, nothing=0.0)


def new_excess(streams: int, *, keeps: Sequence[float] = KEEPS) -> ExcessBoundState:
    """
    Return the state of *streams* that have seen nothing.

    Raises:
        ValueError: *keeps* has less than two values, or one outside (0, 1).
    """
    grid = arrays.open_shares("keeps", keeps)
    if grid.ndim != 1 or grid.size < 2:
        raise ValueError(f"keeps must be at least two bets, got {list(keeps)}")
    return ExcessBoundState(
        keeps=grid,
        candidate_bad=np.zeros(streams),
        candidate_total=np.zeros(streams),
        log_baseline=np.zeros((grid.size, streams)),
    )


def update_excess(
    state: ExcessBoundState,
    candidate_bad: npt.ArrayLike,
    candidate_total: npt.ArrayLike,
    baseline_bad: npt.ArrayLike,
    baseline_total: npt.ArrayLike,
) -> ExcessBoundState:
    """
    Return the state after one tick; arguments as in `difference.update`.

    Raises:
        ValueError: a count is negative, NaN or above its total.
    """
    tick = arrays.arm_counts(
        state.streams, candidate_bad, candidate_total, baseline_bad, baseline_total
    )
    odds = difference.odds_of_exposure(tick)
    won = tick.baseline_bad * np.log1p((1.0 - state.keeps)[:, None] * odds)
    return ExcessBoundState(
        keeps=state.keeps,
        candidate_bad=state.candidate_bad + tick.candidate_bad,
        candidate_total=state.candidate_total + tick.candidate_total,
        log_baseline=state.log_baseline + won,
    )


def highest_excess(state: ExcessBoundState, alpha: float) -> Floats:
    """
    Return for each stream the excess over the baseline's rate that's ruled out, as a fraction.

    The candidate's rate is below the baseline's plus this, with confidence ``1 - alpha``; 1 if
    nothing is ruled out, never below 0. The test's e-value rises with the excess, so the bound is
    the one point where it crosses ``1 / alpha``.

    Raises:
        ValueError: *alpha* isn't inside (0, 1).
    """
    threshold = -math.log(arrays.probability("alpha", alpha))
    others = state.keeps.size - 1
    heights = [
        math.log(0.5 if index == 0 else 0.5 / others)
        + math.log(keep) * state.candidate_bad
        + state.log_baseline[index]
        for index, keep in enumerate(state.keeps)
    ]
    slopes = [(1.0 - keep) * state.candidate_total for keep in state.keeps]
    # The log e-value is a sum of exponentials of lines in the excess, so it's convex: from where one
    # of them alone rejects, Newton's steps come down to the crossing and never pass it.
    bound = np.ones(state.streams)
    for height, slope in zip(heights, slopes, strict=True):
        reached = (threshold - height) / np.where(slope > 0.0, slope, 1.0)
        bound = np.where(slope > 0.0, np.minimum(bound, reached), bound)
    bound = np.maximum(bound, 0.0)
    for _ in range(NEWTON_STEPS):
        rows = [height + slope * bound for height, slope in zip(heights, slopes, strict=True)]
        value = mixture.log_sum(rows)
        steepness = np.zeros(state.streams)
        for row, slope in zip(rows, slopes, strict=True):
            steepness += slope * np.exp(row - value)
        step = (value - threshold) / np.where(steepness > 0.0, steepness, 1.0)
        moves = (steepness > 0.0) & (step > 0.0)
        bound = np.where(moves, np.maximum(bound - step, 0.0), bound)
    return bound


def _bound(ratios: Floats, likelihood: Floats, threshold: float, *, nothing: float) -> Floats:
    """
    Return the first ratio from which on all tests reject, going through *ratios* in order.

    The test of a ratio bets on those before it: half on equal arms if 1 is among them, the rest in
    even parts. A likelihood ratio of two ratios is the margin test of `harm` for the second as
    null.
    """
    streams = likelihood.shape[1]
    bound = np.full(streams, nothing)
    rejecting = np.ones(streams, dtype=np.bool_)
    bets = _log_bets(ratios, likelihood)
    for index in range(ratios.size - 1, 0, -1):
        rejecting &= bets[index - 1] - likelihood[index] >= threshold
        bound = np.where(rejecting, ratios[index], bound)
    return bound


def _log_bets(ratios: Floats, likelihood: Floats) -> list[Floats]:
    """Return what the bets on the first ratio, on the first two, and so on are worth, in nats."""
    bets: list[Floats] = []
    equal: Floats | None = None
    worse: Floats | None = None
    count = 0
    for ratio, row in zip(ratios, likelihood, strict=True):
        if ratio == 1.0:
            equal = row
        else:
            worse = row if worse is None else np.logaddexp(worse, row)
            count += 1
        if equal is None or worse is None:
            alone = worse if equal is None else equal
            assert alone is not None, "the row was one or the other"
            bets.append(alone - math.log(max(count, 1)))
        else:
            bets.append(np.logaddexp(math.log(0.5) + equal, math.log(0.5 / count) + worse))
    return bets
