"""
The tests that let advance: the candidate is proven not to be worse than what's tolerated.

Three e-processes, each against a null in which the candidate is too bad:

- ratio: "the candidate's rate is at least R times the baseline's" (R > 1, bad events) or "at most R
  times" (R < 1, good events). It needs events: while nobody fails it can't move.
- absolute: "the candidate's rate is at least delta". It needs no baseline and moves fastest with
  no errors at all. A candidate that's delta worse than the baseline has a rate of at least delta,
  so it proves the same promise.
- `average` of both, half and half: an e-process again, for "worse than the baseline by delta".

For a tolerance in percentage points `difference` is the exact and usually faster test; see there.

Rule: R and everything else that chooses a bet in a tick is known before the tick. A ratio computed
from the tick it's used in voids the guarantee.
Source: Wald (1945) for one null against one alternative; Ville's inequality for looking at any
time.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays, harm, mixture
from tidegate.stats.arrays import Floats
from tidegate.stats.states import StreamState

ABSOLUTE_PARTS = (0.001, 0.125, 0.25, 0.5)
"""Alternatives as parts of the tolerance. The first stands for "no errors": a true 0 would make one
error infinitely strong evidence, for 0.1 % more speed, and JSON has no infinity."""

ABSOLUTE_WEIGHTS = (0.85, 0.05, 0.05, 0.05)
"""Most of the stake is on no errors, so that spreading it delays an error-free candidate < 3 %."""


@dataclass(frozen=True, slots=True, eq=False)
class RatioState(StreamState):
    """Evidence against a ratio at least as bad as R, in a batch of streams."""

    log_e: Floats
    """Log e-value per stream, shape ``(streams,)``, in nats."""


@dataclass(frozen=True, slots=True, eq=False)
class AbsoluteState(StreamState):
    """What the candidate did so far, in a batch of streams; enough for any tolerance."""

    candidate_bad: Floats
    """Bad events of the candidate so far, shape ``(streams,)``."""
    candidate_total: Floats
    """Requests of the candidate so far, shape ``(streams,)``."""


def new_ratio(streams: int) -> RatioState:
    """Return the state of *streams* that have seen nothing: log e-value 0."""
    return RatioState(log_e=np.zeros(streams))


def update_ratio(
    state: RatioState,
    candidate_events: npt.ArrayLike,
    total_events: npt.ArrayLike,
    candidate_share: npt.ArrayLike,
    *,
    ratio: npt.ArrayLike,
    most_log_factor: npt.ArrayLike | None = None,
) -> RatioState:
    """
    Return the state after one tick, tested against the null "at least *ratio* times as bad".

    The factor is ``D^n / R^k`` with ``D = 1 + q (R - 1)``: ``D / R`` for an event of the
    candidate, ``D`` for one of the baseline. As in `harm`, its expectation is at most ``exp(m q (1
    - q) (R - 1) (p_b - p_c / R))``, which is at most 1 when ``p_c >= R p_b`` and R > 1, and when
    ``p_c <= R p_b`` and R < 1. At R = 1 it never moves.

    Args:
        state: The state before the tick.
        candidate_events: Events of the candidate, shape ``(streams,)`` or ``(strata, streams)``.
        total_events: Events of both arms together, same shape.
        candidate_share: The candidate's share of the exposure, strictly between 0 and 1.
        ratio: R, chosen before the tick; above 1 for bad events, below 1 for good ones. One number
            or shape ``(streams,)``; may change from tick to tick, but not from one side of 1 to
            the other.
        most_log_factor: The most that may be gained by this tick, all strata together, in nats, one or per
            stream; None: no bound. For events that come in bursts; see `mixture.bounded`.

    Raises:
        ValueError: a count is negative, NaN or above its total; a share isn't inside (0, 1);
            *ratio* isn't positive; *most_log_factor* is negative or not finite.
    """
    ticks = harm.strata(candidate_events, total_events, candidate_share, state.streams)
    tested = arrays.per_stream("ratio", arrays.positive("ratio", ratio), state.streams)
    # A number given for all streams must come out of the log as one given for each of them does.
    tested = np.ascontiguousarray(tested)
    log_e = state.log_e
    for events, totals, shares in ticks:
        gain = totals * np.log1p(shares * (tested - 1.0))
        log_e = log_e + (gain - events * np.log(tested))
    bounded = mixture.bounded(state.log_e[None], log_e[None], most_log_factor)
    return RatioState(log_e=bounded[0])


def tested_ratio(
    tolerance: npt.ArrayLike, past_bad: npt.ArrayLike, past_total: npt.ArrayLike
) -> Floats:
    """
    Return the ratio R to test for a tolerance in percentage points, from the baseline's past.

    ``R = 1 + tolerance / p``. A candidate worse by *tolerance* has a true ratio of ``1 + tolerance
    / p_b``; the test is valid while R isn't above that, thus while ``p >= p_b``. So p isn't the
    estimate but a bound above it, ``(bad + 1 + 2 sqrt(bad + 1)) / (total + 2)``: about two
    standard errors, and three over the total with no bad events. It costs speed only while the
    baseline is young. A baseline whose rate *rises* within the look-back can still be above it, so
    this is conservative in practice and not exact; `difference` is exact.

    Args:
        tolerance: Tolerated excess as a fraction (0.05 = 5 percentage points), above 0.
        past_bad: Bad events of the baseline before this tick.
        past_total: Requests of the baseline before this tick; with 0 the result is 1 + tolerance.

    Raises:
        ValueError: *tolerance* isn't positive, a count is negative or above its total.
    """
    excess = arrays.positive("tolerance", tolerance)
    bad = arrays.counts("past_bad", past_bad)
    total = arrays.counts("past_total", past_total)
    arrays.not_above("past_bad", bad, "past_total", total)
    bound = np.minimum(1.0, (bad + 1.0 + 2.0 * np.sqrt(bad + 1.0)) / (total + 2.0))
    result: Floats = 1.0 + excess / bound
    return result


def new_absolute(streams: int) -> AbsoluteState:
    """Return the state of *streams* that have seen nothing."""
    return AbsoluteState(candidate_bad=np.zeros(streams), candidate_total=np.zeros(streams))


def update_absolute(
    state: AbsoluteState, candidate_bad: npt.ArrayLike, candidate_total: npt.ArrayLike
) -> AbsoluteState:
    """
    Return the state after one tick.

    Args:
        state: The state before the tick.
        candidate_bad: Bad events of the candidate in this tick, shape ``(streams,)``.
        candidate_total: Requests of the candidate in this tick, same shape.

    Raises:
        ValueError: a count is negative, NaN or above its total.
    """
    streams = state.streams
    bad = arrays.per_stream("candidate_bad", arrays.counts("candidate_bad", candidate_bad), streams)
    total = arrays.per_stream(
        "candidate_total", arrays.counts("candidate_total", candidate_total), streams
    )
    arrays.not_above("candidate_bad", bad, "candidate_total", total)
    return AbsoluteState(
        candidate_bad=state.candidate_bad + bad, candidate_total=state.candidate_total + total
    )


def log_absolute(state: AbsoluteState, tolerance: npt.ArrayLike) -> Floats:
    """
    Return the log e-value against "the candidate's rate is at least *tolerance*", per stream.

    For one alternative ``p1 < delta`` a request multiplies by ``exp(delta - p1)``, and a bad one
    by ``p1 / delta`` too. If it's bad with probability ``p >= delta``, given all before, the
    expected factor is ``exp(delta - p1) (1 - p (1 - p1 / delta)) <= exp(delta - p1) (1 - (delta -
    p1)) <= 1``, because ``1 + x <= exp(x)`` at ``x = p1 - delta``. A product of such factors is a
    supermartingale, and so is a mixture with fixed weights.

    Args:
        state: What the candidate did so far.
        tolerance: delta as a fraction, one or per stream; the same for the life of the stream.

    Raises:
        ValueError: *tolerance* isn't inside (0, 1).
    """
    excess = arrays.per_stream(
        "tolerance", arrays.open_shares("tolerance", tolerance), state.streams
    )
    rows = [
        math.log(weight)
        + excess * (1.0 - part) * state.candidate_total
        + math.log(part) * state.candidate_bad
        for part, weight in zip(ABSOLUTE_PARTS, ABSOLUTE_WEIGHTS, strict=True)
    ]
    return mixture.log_sum(rows)


def average(
    first_log_e: npt.ArrayLike, second_log_e: npt.ArrayLike, *, first_weight: float = 0.5
) -> Floats:
    """
    Return the log of the weighted mean of two e-values that test the same null, in nats.

    Valid under any dependence of the two; costs at most the log of its weight against either.

    Raises:
        ValueError: a value is NaN or infinite, or *first_weight* isn't inside (0, 1).
    """
    weight = arrays.probability("first_weight", first_weight)
    first = arrays.numbers("first_log_e", first_log_e)
    second = arrays.numbers("second_log_e", second_log_e)
    first = first + math.log(weight)
    second = second + math.log(1.0 - weight)
    higher = np.maximum(first, second)
    lower = np.minimum(first, second)
    result: Floats = higher + np.log1p(np.exp(lower - higher))
    return result
