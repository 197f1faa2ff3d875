"""
The test that halts: does the candidate do worse than the baseline, at any look, whatever the drift?

Given the events of both arms in a tick, the candidate's part of them depends only on its share of
the exposure and on the ratio of the two rates. Time of day, brown-outs and weight changes hit both
arms and cancel; a new weight only means another share from the next tick on.

Why it's a supermartingale. Let ``s = r_m q / (1 - q + r_m q)`` for share ``q`` and null ratio
``r_m``, and ``D = 1 + s (r - 1)``. The tick's likelihood ratio ``r^k / D^n`` gives each of the
candidate's events the factor ``r / D`` and each of the baseline's ``1 / D``. With ``1 + x <=
exp(x)`` for every single request, its expectation is at most ``exp(m_c p_c (r/D - 1) + m_b p_b
(1/D - 1)) = exp(m_c (r - 1) (1 - s) (p_c - r_m p_b) / D)``, and that's at most 1 when the null
holds: for ``r > 1`` the candidate's rate is at most ``r_m`` times the baseline's, for ``r < 1`` at
least. So it holds for Bernoulli and Poisson events, any rates common to both arms and any number
of requests per tick.

What must not be in here: late or double ticks (the caller's), thresholds (`combine`).
Source: an exposure-conditional mixture likelihood ratio in the manner of Robbins; restarts as in
Shin, Ramdas and Rinaldo (2023), but mixed over starts so that the false halt stays below alpha.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays, mixture
from tidegate.stats.arrays import Floats
from tidegate.stats.states import StreamState


@dataclass(frozen=True, slots=True, eq=False)
class HarmState(StreamState):
    """Evidence of harm in a batch of streams; make it with `new`."""

    shared: ClassVar[frozenset[str]] = frozenset({"ratios"})

    ratios: Floats
    """Alternatives as multiples of the null ratio, shape ``(grid,)``, all above 1 or all below."""
    null_ratio: Floats
    """The rate ratio that's still no harm, shape ``(streams,)``; 1 = no margin."""
    log_started: Floats
    """Log of stake x likelihood ratio per alternative, shape ``(grid, streams)``, in nats."""
    restarts: Floats
    """How often a part of the stake was started anew, shape ``(streams,)``."""


def new(
    streams: int,
    *,
    ratios: Sequence[float] = mixture.RATIOS_UP,
    null_ratio: npt.ArrayLike = 1.0,
) -> HarmState:
    """
    Return the state of *streams* that have seen nothing: log e-value 0.

    Args:
        streams: Number of streams, at least 0.
        ratios: `mixture.RATIOS_UP` for bad events, `mixture.RATIOS_DOWN` for good ones.
        null_ratio: Margin: the rate ratio that's still no harm, one or per stream.

    Raises:
        ValueError: *ratios* is empty, on both sides of 1 or at 1; *null_ratio* isn't positive.
    """
    grid = arrays.positive("ratios", ratios)
    if grid.ndim != 1 or not grid.size or not ((grid > 1.0).all() or (grid < 1.0).all()):
        raise ValueError(f"ratios must all be above 1 or all below 1, got {list(ratios)}")
    margins = arrays.per_stream("null_ratio", arrays.positive("null_ratio", null_ratio), streams)
    return HarmState(
        ratios=grid,
        null_ratio=margins.copy(),
        log_started=mixture.first_stakes(grid, streams),
        restarts=np.zeros(streams),
    )


def update(
    state: HarmState,
    candidate_events: npt.ArrayLike,
    total_events: npt.ArrayLike,
    candidate_share: npt.ArrayLike,
    *,
    starting: npt.ArrayLike = False,
    margin: npt.ArrayLike | None = None,
    most_log_factor: npt.ArrayLike | None = None,
) -> HarmState:
    """
    Return the state after one tick.

    A tick without events leaves a stream's numbers as they are, to the bit.

    Args:
        state: The state before the tick.
        candidate_events: Events of the candidate, shape ``(streams,)``, or ``(strata, streams)``
            when the tick is split by zone or client; the strata multiply.
        total_events: Events of both arms together, same shape.
        candidate_share: The candidate's share of the exposure (requests, users) in this tick,
            strictly between 0 and 1; one number or the same shape.
        starting: True where a phase or an hour begins with this tick: a further part of the stake
            starts betting. One flag or shape ``(streams,)``.
        margin: The null ratio of this tick, chosen before it, one or per stream; None: that of the
            state. While a phase warms up, for instance, 2: only gross harm counts. The alternatives
            are multiples of it. Each tick's factor is held to its own null, so what's tested over
            all is "in every tick within the margin of that tick".
        most_log_factor: The most that a bet may gain by this tick, all strata together, in nats, one or
            per stream; None: no bound. For events that come in bursts, which are fewer witnesses than
            they count; see `mixture.bounded`.

    Raises:
        ValueError: a count is negative, NaN or above its total; a share isn't inside (0, 1);
            *margin* isn't positive; *most_log_factor* is negative or not finite.

    Complexity: O(grid x streams x strata) time.
    """
    ticks = strata(candidate_events, total_events, candidate_share, state.streams)
    null_ratio = state.null_ratio
    if margin is not None:
        null_ratio = arrays.per_stream("margin", arrays.positive("margin", margin), state.streams)
    begun, restarts = mixture.restart(state.log_started, state.restarts, state.ratios, starting)
    return HarmState(
        ratios=state.ratios,
        null_ratio=state.null_ratio,
        log_started=mixture.bounded(
            begun, multiply(begun, state.ratios, null_ratio, ticks), most_log_factor
        ),
        restarts=restarts,
    )


def log_e_value(state: HarmState) -> Floats:
    """
    Return the log e-value of each stream now, shape ``(streams,)``, in nats.

    Halting when it reaches ``log(1 / alpha)`` halts a harmless candidate with probability at most
    alpha, at whatever moments one looks.
    """
    return mixture.log_value(state.log_started, state.restarts)


def strata(
    candidate_events: npt.ArrayLike,
    total_events: npt.ArrayLike,
    candidate_share: npt.ArrayLike,
    streams: int,
) -> list[tuple[Floats, Floats, Floats]]:
    """
    Return the checked ``(events, totals, shares)`` of each stratum of a tick, shape ``(streams,)``.

    Raises:
        ValueError: a count is negative, NaN or above its total; a share isn't inside (0, 1); a
            shape doesn't fit.
    """
    events = arrays.counts("candidate_events", candidate_events)
    totals = arrays.counts("total_events", total_events)
    shares = arrays.open_shares("candidate_share", candidate_share)
    arrays.not_above("candidate_events", events, "total_events", totals)
    rows = np.broadcast_arrays(
        arrays.per_stratum("candidate_events", events, streams),
        arrays.per_stratum("total_events", totals, streams),
        arrays.per_stratum("candidate_share", shares, streams),
    )
    return list(zip(*rows, strict=True))


def multiply(
    log_values: Floats,
    ratios: Floats,
    null_ratio: Floats,
    ticks: list[tuple[Floats, Floats, Floats]],
) -> Floats:
    """
    Return *log_values*, shape ``(grid, streams)``, plus the log likelihood ratios of one tick.

    Args:
        log_values: Per alternative and stream, in nats.
        ratios: The alternatives, shape ``(grid,)``, as multiples of *null_ratio*.
        null_ratio: Shape ``(streams,)``.
        ticks: From `strata`.
    """
    log_ratios = np.log(ratios)[:, None]
    gains = (ratios - 1.0)[:, None]
    result = np.empty_like(log_values)
    for begin in range(0, log_values.shape[1], mixture.CHUNK_STREAMS):
        part = slice(begin, begin + mixture.CHUNK_STREAMS)
        chunk = log_values[:, part]
        for events, totals, shares in ticks:
            scaled = null_ratio[part] * shares[part]
            shifted = scaled / (1.0 - shares[part] + scaled)
            # log1p and not log(1 + ...): at a 0.01 % share and 1e6 events the digits matter.
            cost = gains * shifted
            np.log1p(cost, out=cost)
            cost *= totals[part]
            change = log_ratios * events[part]
            change -= cost
            chunk = chunk + change
        result[:, part] = chunk
    return result
