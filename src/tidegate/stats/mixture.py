"""
One bet from many: a mixture over alternatives and over the moments at which harm may begin.

An e-process for one alternative and one starting moment is a likelihood ratio. Nobody knows the
alternative or the moment, so the stake of 1 is spread: over a grid of alternatives, and over
starts. Seven tenths start with the stream; restart ``j = 1, 2, ...`` (a phase start, a full hour)
starts ``3/10 * 1/(j (j + 1))``, which sums to 3/10, and what has not started yet is kept as cash. So
the value is ``sum of started stakes x their likelihood ratios + cash``, a mixture of
supermartingales that began at 1, whatever the number of restarts.

Why this series: halving what is left would price a regression that begins at hour 24 at 24 log 2 =
17 nats; here it is log(10/3 * 24 * 25) = 7.6 nats, and 1.9 at the first restart.

Rule: everything is in log space and stays finite. Rows (alternatives) are summed one after the
other and never by a numpy reduction, whose order of additions depends on the shape of the batch: a
stream's numbers must not depend on its neighbours.
"""

import math

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays
from tidegate.stats.arrays import Floats

CHUNK_STREAMS = 2048
"""Streams worked on at once: 12 x 2,048 doubles are 197 kB, so that temporaries stay in L2."""

START_STAKE = 0.7
"""The part of the stake that bets on harm from the first tick on: most harm is there from the start."""

RATIOS_UP = (1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0, 20.0, 50.0)
"""Alternatives for bad events: from as little as can be found in a day to everything fails."""

RATIOS_DOWN = tuple(1.0 / ratio for ratio in RATIOS_UP)
"""Alternatives for good events: the reciprocals, so that doubling and halving are treated alike."""


def log_weights(ratios: Floats) -> Floats:
    """
    Return the log weights of the grid *ratios*, proportional to ``1 / (1 + |log ratio|)``.

    Small effects need the most evidence and get the most stake. Shape ``(grid,)``; weights sum to
    1.
    """
    weights = 1.0 / (1.0 + np.abs(np.log(ratios)))
    logs: Floats = np.log(weights / weights.sum())
    return logs


def first_stakes(ratios: Floats, streams: int) -> Floats:
    """Return the log stakes that start with the streams, shape ``(grid, streams)``."""
    stakes = log_weights(ratios) + math.log(START_STAKE)
    return np.repeat(stakes[:, None], streams, axis=1)


def restart(
    log_started: Floats, restarts: Floats, ratios: Floats, starting: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """
    Start the next part of the stake in the streams where *starting* is true, spread over *ratios*.

    Returns and raises as `restart_weighted`.
    """
    return restart_weighted(log_started, restarts, log_weights(ratios), starting)


def restart_weighted(
    log_started: Floats, restarts: Floats, weights: Floats, starting: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """
    Start the next part of the stake in the streams where *starting* is true.

    Args:
        log_started: Log of stake x likelihood ratio, shape ``(bets, streams)``, in nats.
        restarts: How often a part was started anew, shape ``(streams,)``.
        weights: Log weight of each bet, shape ``(bets,)``; their exponentials sum to 1.
        starting: One flag or one per stream.

    Returns:
        New ``(log_started, restarts)``; other streams keep their numbers to the bit.

    Raises:
        ValueError: *starting* is neither one flag nor one per stream.
    """
    flags = np.asarray(starting)
    if flags.dtype != np.bool_ or flags.shape not in ((), restarts.shape):
        raise ValueError(
            f"starting must be true or false, one or per stream, got {flags.dtype} {flags.shape}"
        )
    columns = np.flatnonzero(np.broadcast_to(flags, restarts.shape))
    if not columns.size:
        return log_started, restarts
    number = restarts[columns] + 1.0
    stakes = math.log(1.0 - START_STAKE) - np.log(number) - np.log(number + 1.0)
    begun = log_started.copy()
    begun[:, columns] = np.logaddexp(
        np.ascontiguousarray(log_started[:, columns]), weights[:, None] + stakes
    )
    counted = restarts.copy()
    counted[columns] = number
    return begun, counted


def bounded(before: Floats, after: Floats, most_log_factor: npt.ArrayLike | None) -> Floats:
    """
    Return *after* with no bet grown by more than a factor since *before*; losses stand.

    A bet that pays ``min(F, c)`` where it would have paid ``F`` never has more than it would have had,
    whatever ``c`` was and whenever it was chosen: what was an e-process stays one.

    Args:
        before: Log of stake x likelihood ratio before a tick, shape ``(bets, streams)``, in nats.
        after: The same after it.
        most_log_factor: Log of the largest factor, in nats, one or per stream; None: no bound.

    Returns:
        Bets that keep to the bound are those of *after*, to the bit.

    Raises:
        ValueError: *most_log_factor* is negative, not finite or of another shape.
    """
    if most_log_factor is None:
        return after
    most = arrays.counts("most_log_factor", most_log_factor)
    result: Floats = np.minimum(
        after, before + arrays.per_stream("most_log_factor", most, after.shape[1])
    )
    return result


def log_value(log_started: Floats, restarts: Floats) -> Floats:
    """Return the log of started stakes plus cash, shape ``(streams,)``, in nats."""
    streams = restarts.shape[0]
    value = np.empty(streams)
    for begin in range(0, streams, CHUNK_STREAMS):
        part = slice(begin, begin + CHUNK_STREAMS)
        value[part] = log_sum([*log_started[:, part], log_cash(restarts[part])])
    return value


def log_cash(restarts: Floats) -> Floats:
    """Return the log of what hasn't started yet, shape ``(streams,)``."""
    # After j restarts 1/2 * (1 - 1/(j + 1)) of the second half is out: 1/2 / (j + 1) is left.
    cash: Floats = math.log(1.0 - START_STAKE) - np.log(restarts + 1.0)
    return cash


def log_sum(rows: list[Floats]) -> Floats:
    """Return ``log(sum(exp(row)))`` element by element, adding the rows in their order."""
    highest = rows[0]
    for row in rows[1:]:
        highest = np.maximum(highest, row)
    total = np.zeros_like(highest)
    for row in rows:
        total += np.exp(row - highest)
    result: Floats = highest + np.log(total)
    return result
