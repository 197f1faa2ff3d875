"""
What slow requests may prove beside a baseline, where a pause of one side makes requests slow together.

A collection of garbage, a turn of the processor that others got, a lock: for up to a second they slow
what comes to one side and spare the other. Tests that take each request for a witness of its own halt
harmless candidates for one of them. So a pause is one witness: what a tick gains is bounded. A bet that
pays the lesser of its factor and a bound is never above the one that pays the factor, so what was an
e-process stays one.

A pause hits either side alike, as a coin falls: were its stake doubled, a bet on it would be fair however
many pauses there were. Tripled, it finds harm in two thirds of the time, and candidates that pause as
often as their baseline are still halted about as seldom as promised (`tests/unit/stats/test_pauses.py`:
two pauses a minute on either side).

In calm a bet loses nearly all of its stake soon, and could win it back no faster than that. So `STAKE_EVERY`
says how often a further part of it begins.

What must not be in here: what a histogram proves, and thresholds. Rule: sums are running sums, a stream's
numbers must not depend on its neighbours.
"""

import math
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays
from tidegate.stats.arrays import Floats

PAUSE = timedelta(seconds=1)
"""What slows one side alone is over by then, as a rule; what lasts longer comes to both."""

MOST_PER_PAUSE = math.log(3.0)
"""What a bet may gain by one pause, in nats."""

GAP = timedelta(minutes=1)
"""A tick that lasted longer is a gap that ended: too much may have happened in it to tell when."""

WITNESSES = 100.0
"""As how many independent requests those of the smaller side in a pause's time count at most. With many
more, harm that comes and goes in seconds would lose more when it's gone than it may gain when it's there."""

STAKE_EVERY = timedelta(minutes=5)
"""How often a further part of the stake begins. Harm that begins late is found about as fast as harm that
was there from the start; more often, each part would be too small."""


def most_log_factor(slower: npt.ArrayLike, faster: npt.ArrayLike, lasted: timedelta) -> Floats:
    """
    Return the most that a tick may gain for one side's being slower, in nats, shape ``(streams,)``.

    As many pauses are granted as it takes to explain it, and at least one. A pause slows what comes in a
    second: if all requests of ten seconds were slow there were ten, if one of twenty was, one. A tick
    shorter than a pause is granted its part of one.

    Args:
        slower: Requests in each bucket (not cumulative) of the side that may be slower, shape
            ``(buckets, streams)``: the candidate's where harm is tested, the baseline's where safety is.
        faster: The same of the other side.
        lasted: How long the tick was.

    Raises:
        ValueError: the shapes differ or a count is negative.
    """
    explained = least_slowed(slower, faster) * (min(lasted, GAP) / PAUSE)
    most: Floats = MOST_PER_PAUSE * np.maximum(min(lasted / PAUSE, 1.0), explained)
    return most


def power(
    candidate_total: npt.ArrayLike, baseline_total: npt.ArrayLike, lasted: timedelta
) -> Floats:
    """
    Return what the factors of a tick are raised to, so that it counts for no more than `WITNESSES` would.

    By how many requests there were and not by how slow they were, so that what is at most 1 on average
    stays so (Jensen's inequality).

    Args:
        candidate_total: The candidate's requests in the tick, shape ``(streams,)``.
        baseline_total: The baseline's.
        lasted: How long the tick was.

    Raises:
        ValueError: a count is negative or not finite.
    """
    smaller = np.minimum(
        arrays.counts("candidate_total", candidate_total),
        arrays.counts("baseline_total", baseline_total),
    )
    granted = WITNESSES * (lasted / PAUSE)
    return np.minimum(1.0, granted / np.maximum(smaller, 1.0))


def least_slowed(slower: npt.ArrayLike, faster: npt.ArrayLike) -> Floats:
    """
    Return the least share of requests that must have become slower for *faster* to become *slower*.

    It is the largest distance by which the one distribution lies below the other: the one-sided statistic
    of Kolmogorov and Smirnov. 0 where *slower* isn't slower at any bound, or a side has no requests.

    Args:
        slower: Requests in each bucket (not cumulative), shape ``(buckets, streams)``.
        faster: The same of those it is compared with.

    Raises:
        ValueError: the shapes differ or a count is negative.
    """
    sides = [
        arrays.counts(name, counts) for name, counts in (("slower", slower), ("faster", faster))
    ]
    if sides[0].ndim != 2 or sides[0].shape != sides[1].shape:
        raise ValueError(
            "slower and faster must both have shape (buckets, streams), "
            f"got {sides[0].shape} and {sides[1].shape}"
        )
    ours, theirs = (np.cumsum(side, axis=0) for side in sides)
    compared = (ours[-1] > 0.0) & (theirs[-1] > 0.0)
    ours, theirs = (side / np.where(side[-1] > 0.0, side[-1], 1.0) for side in (ours, theirs))
    gap = np.maximum(0.0, (theirs - ours).max(axis=0))
    return np.where(compared, gap, 0.0)


def stake_begins(before: datetime, now: datetime) -> bool:
    """Return whether a further part of the stake begins between two moments: every five minutes."""
    every = STAKE_EVERY.total_seconds()
    return now.timestamp() // every > before.timestamp() // every
