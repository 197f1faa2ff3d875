"""
Is the candidate worse than its own past allows? The weak test for where nothing runs beside it.

Once a candidate serves everyone there is no concurrent baseline, so time of day and brown-outs don't
cancel. What is left is an absolute question: does its rate stay at or below `limit` (for good events, at
or above), a number fixed before: the baseline's rate while it ran, or that of the same hour in earlier
weeks, with what is tolerated? The test is exact for that question and no more: a dependency's outage
looks like harm here. So it may hold or halt, and never advances.

For one alternative ``r`` a request multiplies by ``exp(-limit (r - 1))`` and an event by ``r`` too. If it
is one with probability ``p`` the expected factor is ``exp(-limit (r - 1)) (1 + p (r - 1)) <= exp((p - limit)
(r - 1))``, by ``1 + x <= exp(x)``: at most 1 for ``p <= limit`` and ``r > 1``, and for ``p >= limit`` and ``r
< 1``. A supermartingale, and so is the mixture.

Weeks differ from each other, though, and a limit that was right last week may be wrong today. What such
a difference does to the evidence shows when earlier weeks play today (`weekly_exponents`); the factors
are then raised to powers that would have made no evidence of them on average.
Nor are requests independent of each other where one waits for the other. What a burst of them may prove
is then bounded per tick by the caller (`most_log_factor`).
Source: Wald (1945) for one alternative; the mixture and its restarts as in `mixture`, the powers as in
`placebo`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays, mixture
from tidegate.stats.arrays import Floats
from tidegate.stats.states import StreamState

FEWEST_WEEKS = 3
"""With two weeks one is all that the other is compared with: neither shows what is usual."""

PRIOR_RATIO = 1.5
"""Besides the weeks that were, one hour is taken as seen that was so much above, or below."""

BISECTIONS = 40
"""Halvings of [0, 1] when a power is solved for."""


@dataclass(frozen=True, slots=True, eq=False)
class HistoryState(StreamState):
    """Evidence that a rate is beyond its limit, in a batch of streams; make it with `new`."""

    shared: ClassVar[frozenset[str]] = frozenset({"ratios"})

    ratios: Floats
    """Alternatives as multiples of the limit, shape ``(grid,)``, all above 1 or all below."""
    log_started: Floats
    """Log of stake x likelihood ratio per alternative, shape ``(grid, streams)``, in nats."""
    restarts: Floats
    """How often a part of the stake was started anew, shape ``(streams,)``."""


def new(streams: int, *, ratios: Sequence[float] = mixture.RATIOS_UP) -> HistoryState:
    """
    Return the state of *streams* that have seen nothing: log e-value 0.

    Args:
        streams: Number of streams.
        ratios: `mixture.RATIOS_UP` for bad events, `mixture.RATIOS_DOWN` for good ones.

    Raises:
        ValueError: *ratios* is empty, on both sides of 1 or at 1.
    """
    grid = _one_sided(ratios)
    return HistoryState(
        ratios=grid,
        log_started=mixture.first_stakes(grid, streams),
        restarts=np.zeros(streams),
    )


def update(
    state: HistoryState,
    events: npt.ArrayLike,
    total: npt.ArrayLike,
    *,
    limit: npt.ArrayLike,
    starting: npt.ArrayLike = False,
    exponents: npt.ArrayLike = 1.0,
    most_log_factor: npt.ArrayLike | None = None,
) -> HistoryState:
    """
    Return the state after one tick. A tick without requests changes nothing.

    Args:
        state: The state before the tick.
        events: Events of the candidate in this tick, bad or good as the ratios say, shape
            ``(streams,)``.
        total: Its requests in this tick, same shape.
        limit: The rate that is still no harm, inside (0, 1), fixed before the tick.
        starting: True where a phase or an hour begins, see `harm.update`.
        exponents: The power of each alternative's factor, in [0, 1], shape ``()``, ``(grid,)`` or
            ``(grid, streams)``, chosen before the tick, see `weekly_exponents`.
        most_log_factor: The most that a bet may gain by this tick, in nats, one or per stream; None:
            no bound. For events that come in bursts, which are fewer witnesses than they count; see
            `mixture.bounded`.

    Raises:
        ValueError: a count is negative, NaN or above its total; *limit* isn't inside (0, 1); a power
            isn't in [0, 1]; *most_log_factor* is negative or not finite.
    """
    streams = state.streams
    happened = arrays.per_stream("events", arrays.counts("events", events), streams)
    totals = arrays.per_stream("total", arrays.counts("total", total), streams)
    arrays.not_above("events", happened, "total", totals)
    limits = arrays.per_stream("limit", arrays.open_shares("limit", limit), streams)
    powers = arrays.counts("exponents", exponents)
    arrays.refuse("exponents", "not be above 1", powers, powers > 1.0)
    if powers.ndim == 1:
        powers = powers[:, None]
    begun, restarts = mixture.restart(state.log_started, state.restarts, state.ratios, starting)
    gains = np.log(state.ratios)[:, None] * happened
    costs = (state.ratios - 1.0)[:, None] * (limits * totals)
    if powers.shape not in ((), (state.ratios.size, 1), gains.shape):
        raise ValueError(f"exponents must fit {gains.shape}, got shape {powers.shape}")
    return HistoryState(
        ratios=state.ratios,
        log_started=mixture.bounded(begun, begun + powers * (gains - costs), most_log_factor),
        restarts=restarts,
    )


def log_e_value(state: HistoryState) -> Floats:
    """Return the log e-value of each stream now, shape ``(streams,)``, in nats."""
    return mixture.log_value(state.log_started, state.restarts)


def weekly_exponents(
    events: npt.ArrayLike,
    totals: npt.ArrayLike,
    *,
    ratios: Sequence[float] = mixture.RATIOS_UP,
) -> Floats:
    """
    Return the power of each alternative that makes no evidence of how weeks differ, shape ``(grid,)``.

    Each hour of each week plays today: its limit is the rate of the other weeks in the same hour. The
    power is the largest in [0, 1] at which the hours' likelihood ratios, and that of one more hour off
    by `PRIOR_RATIO`, are at most 1 on average. It's as right as the coming week is like those; a holiday
    isn't, and hours of one week aren't independent of each other. That is why the test is weak.

    Args:
        events: Events of the service, shape ``(weeks, hours)``, at least `FEWEST_WEEKS` weeks; the
            hours that are to be judged, or all hours of the week.
        totals: Its requests, same shape.
        ratios: The alternatives of the test, as in `new`.

    Raises:
        ValueError: there are too few weeks or hours, or no requests; a count is negative, NaN or above
            its total; *ratios* isn't one-sided.
    """
    grid = _one_sided(ratios)
    happened, served = arrays.counts("events", events), arrays.counts("totals", totals)
    if happened.ndim != 2 or happened.shape != served.shape or not happened.size:
        raise ValueError(
            f"events and totals must be weeks by hours, got {happened.shape} and {served.shape}"
        )
    if len(happened) < FEWEST_WEEKS:
        raise ValueError(f"there must be at least {FEWEST_WEEKS} weeks, got {len(happened)}")
    arrays.not_above("events", happened, "totals", served)
    other_events = happened.sum(axis=0) - happened
    other_totals = served.sum(axis=0) - served
    known = (served > 0.0) & (other_totals > 0.0)
    if not known.any():
        raise ValueError("totals must hold requests of more than one week, got none")
    expected = served[known] * other_events[known] / other_totals[known]
    off = PRIOR_RATIO if grid[0] > 1.0 else 1.0 / PRIOR_RATIO
    seen = np.append(happened[known], off * expected.mean())
    expected = np.append(expected, expected.mean())
    log_trials = np.log(grid)[:, None] * seen - (grid - 1.0)[:, None] * expected

    def fits(powers: Floats) -> npt.NDArray[np.bool_]:
        trials = mixture.log_sum(list((powers[:, None] * log_trials).T))
        result: npt.NDArray[np.bool_] = trials <= np.log(seen.size)
        return result

    low, high = np.zeros(grid.size), np.ones(grid.size)
    low[fits(high)] = 1.0
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        fitting = fits(middle)
        low, high = np.where(fitting, middle, low), np.where(fitting, high, middle)
    return low


def _one_sided(ratios: Sequence[float]) -> Floats:
    grid = arrays.positive("ratios", ratios)
    if grid.ndim != 1 or not grid.size or not ((grid > 1.0).all() or (grid < 1.0).all()):
        raise ValueError(f"ratios must all be above 1 or all below 1, got {list(ratios)}")
    return grid
