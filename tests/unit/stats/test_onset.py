"""Noticing late onsets: by hand, how seldom it is wrong, how soon it is right."""

import math

import numpy as np
import pytest

from tidegate.stats import mixture, onset


def test_a_quiet_past_is_no_burden() -> None:
    """After a million good requests a bad tick counts as on the first day: 50^5 e^-49 x limit x total."""
    state = onset.new(1)
    state = onset.update(state, [0], [1_000_000], limit=0.001)

    after = onset.update(state, [5], [10], limit=0.001)

    grid = np.asarray(mixture.RATIOS_UP)
    by_hand = np.log(
        np.sum(np.exp(mixture.log_weights(grid)) * grid**5 * np.exp(-(grid - 1) * 0.01))
    )
    assert onset.log_value(after)[0] == pytest.approx(by_hand)


def test_false_notices_are_as_seldom_as_promised() -> None:
    """At the limit itself, reaching log 300 takes 300 ticks on average or more."""
    reached = _ticks_to_reach(limit=0.01, rate=0.01)

    error = reached.std() / math.sqrt(reached.size)
    assert reached.mean() >= 300 - 2 * error


def test_a_limit_below_the_rate_is_found_out() -> None:
    """The same check fails when the limit is half of the rate: it has teeth."""
    reached = _ticks_to_reach(limit=0.005, rate=0.01)

    assert reached.mean() < 300


def test_numbers_that_mean_nothing_are_refused() -> None:
    """More bad events than requests can't be."""
    with pytest.raises(ValueError, match="bad must not be above total"):
        onset.update(onset.new(1), [2], [1], limit=0.5)


def _ticks_to_reach(*, limit: float, rate: float) -> np.ndarray:
    random = np.random.default_rng(7)
    streams = 400
    state = onset.new(streams)
    reached = np.full(streams, 3000.0)
    for tick in range(1, 3000):
        state = onset.update(state, random.binomial(200, rate, streams), 200, limit=limit)
        newly = (onset.log_value(state) >= math.log(300)) & (reached == 3000.0)
        reached[newly] = tick
    return reached
