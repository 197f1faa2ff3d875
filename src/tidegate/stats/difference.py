"""
The exact test for a tolerance in percentage points: "the candidate is worse by at least delta".

A ratio test needs the baseline's rate to turn percentage points into a ratio, and is only as right
as that estimate. This test needs none. With ``keep = A <= 1`` and ``w = m_c / m_b`` of the tick,
each bad event of the candidate multiplies by ``A``, each one of the baseline by ``B = 1 + w (1 -
A)``, and each request of the candidate by ``exp(delta (1 - A))``. With ``1 + x <= exp(x)`` for
every request the expectation is at most ``exp(m_c p_c (A - 1) + m_b p_b (B - 1) + m_c delta (1 -
A)) = exp(m_c (1 - A) (p_b + delta - p_c))``, at most 1 whenever ``p_c >= p_b + delta``: for any
rates, drifting in any way common to both arms, any share, any ``A`` chosen before the tick. A
wrong ``A`` costs time, not truth.

Two bets: *rare*, a third of the stake, keeps next to nothing, and *fitted* uses the ``A`` that grows
fastest if both arms have the baseline's rate so far; with it the growth is the information bound for
two Poisson streams. Without any errors either alone certifies within ``log(3 / beta) / delta``
requests, and both together sooner.
Source: own derivation; the best ``A`` is the likelihood ratio against the null's nearest pair of
rates.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays, safe
from tidegate.stats.arrays import Floats
from tidegate.stats.states import StreamState

RARE_KEEP = 0.001
"""What *rare* keeps of its stake at an error. Zero would gain 0.1 % and store an infinity."""

RARE_WEIGHT = 1.0 / 3.0
"""The part of the stake on no errors. *Fitted* learns within a few ticks that nobody fails, so most of
the stake is better placed there."""

PRIOR_REQUESTS = 1.0
"""Requests, half of them bad, that stand for the baseline before its first tick: *fitted* bets
little until there's data."""


@dataclass(frozen=True, slots=True, eq=False)
class DifferenceState(StreamState):
    """Evidence against an excess of at least the tolerance; make it with `new`."""

    tolerance: Floats
    """Delta as a fraction, shape ``(streams,)``; 0.05 = 5 percentage points."""
    log_rare: Floats
    """Log value of the bet on no errors, shape ``(streams,)``, in nats."""
    log_fitted: Floats
    """Log value of the bet fitted to the baseline's past rate, shape ``(streams,)``, in nats."""
    baseline_bad: Floats
    """Bad events of the baseline so far, shape ``(streams,)``; chooses the next bet only."""
    baseline_total: Floats
    """Requests of the baseline so far, shape ``(streams,)``; chooses the next bet only."""


def new(streams: int, *, tolerance: npt.ArrayLike) -> DifferenceState:
    """
    Return the state of *streams* that have seen nothing: log e-value 0.

    Args:
        streams: Number of streams.
        tolerance: Excess that must be ruled out, as a fraction, one or per stream.

    Raises:
        ValueError: *tolerance* isn't inside (0, 1).
    """
    excess = arrays.per_stream("tolerance", arrays.open_shares("tolerance", tolerance), streams)
    return DifferenceState(
        tolerance=excess.copy(),
        log_rare=np.zeros(streams),
        log_fitted=np.zeros(streams),
        baseline_bad=np.zeros(streams),
        baseline_total=np.zeros(streams),
    )


def update(
    state: DifferenceState,
    candidate_bad: npt.ArrayLike,
    candidate_total: npt.ArrayLike,
    baseline_bad: npt.ArrayLike,
    baseline_total: npt.ArrayLike,
) -> DifferenceState:
    """
    Return the state after one tick. A tick without requests changes nothing.

    Args:
        state: The state before the tick.
        candidate_bad: Bad events of the candidate, shape ``(streams,)``.
        candidate_total: Requests of the candidate, same shape.
        baseline_bad: Bad events of the baseline, same shape.
        baseline_total: Requests of the baseline, same shape. Without any in a tick the candidate's
            requests still count, against "its rate is at least the tolerance".

    Raises:
        ValueError: a count is negative, NaN or above its total.
    """
    tick = arrays.arm_counts(
        state.streams, candidate_bad, candidate_total, baseline_bad, baseline_total
    )
    rate = (state.baseline_bad + 0.5 * PRIOR_REQUESTS) / (state.baseline_total + PRIOR_REQUESTS)
    odds = odds_of_exposure(tick)
    rare = np.full(state.streams, RARE_KEEP)
    fitted = best_keep(state.tolerance, rate, odds)
    return DifferenceState(
        tolerance=state.tolerance,
        log_rare=state.log_rare + _log_factor(rare, state.tolerance, odds, tick),
        log_fitted=state.log_fitted + _log_factor(fitted, state.tolerance, odds, tick),
        baseline_bad=state.baseline_bad + tick.baseline_bad,
        baseline_total=state.baseline_total + tick.baseline_total,
    )


def log_e_value(state: DifferenceState) -> Floats:
    """
    Return the log e-value of each stream now, shape ``(streams,)``, in nats.

    Advancing when it reaches ``log(1 / beta)`` lets a candidate pass that's worse by the tolerance
    with probability at most beta, at whatever moments one looks.
    """
    return safe.average(state.log_rare, state.log_fitted, first_weight=RARE_WEIGHT)


def best_keep(tolerance: Floats, rate: Floats, exposure_odds: Floats) -> Floats:
    """
    Return the factor ``A`` that makes the test grow fastest when both arms have *rate*.

    It maximises ``p log A + (p / w) log(1 + w (1 - A)) + delta (1 - A)``, where ``w`` is the
    exposure of the candidate over that of the baseline. Setting the derivative to 0 gives
    ``delta w A^2 - (p (1 + w) + delta (1 + w)) A + p (1 + w) = 0``, of which the smaller root lies
    between 0 and 1. All arguments have one shape.
    """
    known = rate * (1.0 + exposure_odds)
    middle = known + tolerance * (1.0 + exposure_odds)
    # The form that doesn't cancel when the baseline is far larger than the candidate (w near 0).
    root = np.sqrt(middle * middle - 4.0 * tolerance * exposure_odds * known)
    keep: Floats = 2.0 * known / (middle + root)
    return np.clip(keep, RARE_KEEP, 1.0)


def odds_of_exposure(tick: arrays.ArmCounts) -> Floats:
    """Return the candidate's requests over the baseline's, 0 where the baseline has none."""
    served = tick.baseline_total > 0.0
    return np.where(served, tick.candidate_total / np.where(served, tick.baseline_total, 1.0), 0.0)


def _log_factor(
    keep: Floats,
    tolerance: Floats,
    odds: Floats,
    tick: arrays.ArmCounts,
) -> Floats:
    given_up = 1.0 - keep
    factor: Floats = (
        tick.candidate_bad * np.log(keep)
        + tick.baseline_bad * np.log1p(odds * given_up)
        + tolerance * given_up * tick.candidate_total
    )
    return factor
