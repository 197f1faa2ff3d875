"""Many signals, one halt."""

import math

import numpy as np
import pytest

from tidegate.stats import combine, harm


def test_the_global_e_value_is_the_weighted_mean():
    """Half of 8 and a quarter each of 2 and 4 are 5.5, per stream."""
    values = np.log([[8.0, 1.0], [2.0, 1.0], [4.0, 1.0]])

    combined = combine.global_log_e_value(values, [0.5, 0.25, 0.25])

    assert np.exp(combined) == pytest.approx([5.5, 1.0])


def test_a_signal_without_weight_has_no_say():
    """Weight 0 takes a signal out, however loud it is."""
    combined = combine.global_log_e_value([5000.0, 0.0], [0.0, 1.0])

    assert combined == 0.0


def test_huge_evidence_stays_finite():
    """One signal at e^100,000 halts and doesn't overflow."""
    combined = combine.global_log_e_value([1e5, -1e5], [0.5, 0.5])

    assert combined == pytest.approx(1e5 - math.log(2.0))


def test_the_global_halt_is_never_later_than_the_signals_own():
    """A signal at its own threshold, 1 / (weight alpha), brings the average to 1 / alpha by itself."""
    weights = [0.5, 0.3, 0.2]

    for index, threshold in enumerate(-np.log(np.array(weights) * 0.05)):
        values = np.full(3, -1000.0)
        values[index] = threshold
        assert combine.global_log_e_value(values, weights) >= math.log(20) - 1e-12


def false_halts(world, combination):
    states = [harm.new(world.runs) for _ in range(2)]
    highest = np.full((2, world.runs), -np.inf)
    halted = np.zeros(world.runs, dtype=bool)
    for tick in world:
        # Two signals that depend on each other: the second sees the first's events twice a tick.
        states[0] = harm.update(states[0], tick.candidate_bad, tick.total_bad, tick.share)
        states[1] = harm.update(
            states[1], np.minimum(tick.candidate_bad, 1.0), np.minimum(tick.total_bad, 1.0), 0.9
        )
        now = np.vstack([harm.log_e_value(state) for state in states])
        highest = np.maximum(highest, now)
        halted |= combination(now, highest) >= math.log(20)
    return halted


def test_the_average_of_dependent_signals_halts_as_rarely_as_promised(a_world, stays_below):
    """Signals of the same requests depend on each other; the average doesn't care."""
    world = a_world(ticks=500, baseline_rate=0.005)

    halted = false_halts(world, lambda now, highest: combine.global_log_e_value(now, [0.5, 0.5]))

    assert stays_below(halted, 0.05)


def test_the_check_rejects_signals_that_each_get_the_whole_alpha(a_world, stays_below):
    """Ten signals, each halting at 1 / alpha, halt too often, and the check sees it."""
    seen = []
    for seed in range(10):
        world = a_world(ticks=300, seed=100 + seed)
        state = harm.new(world.runs)
        highest = np.full(world.runs, -np.inf)
        for tick in world:
            state = harm.update(state, tick.candidate_bad, tick.total_bad, tick.share)
            highest = np.maximum(highest, harm.log_e_value(state))
        seen.append(highest)

    assert not stays_below(np.max(seen, axis=0) >= math.log(20), 0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: combine.global_log_e_value([0.0], [0.5]), "weights must sum to 1, got 0.5"),
        (lambda: combine.global_log_e_value([], []), "weights must be a row"),
        (
            lambda: combine.global_log_e_value([0.0], [0.5, 0.5]),
            "log_e_values must have 2 signals as their rows, got shape (1,)",
        ),
        (
            lambda: combine.global_log_e_value([np.nan, 0.0], [0.5, 0.5]),
            "log_e_values must be finite, got nan at [0]",
        ),
        (
            lambda: combine.global_log_e_value([0.0, 0.0], [1.5, -0.5]),
            "weights must not be negative, got -0.5 at [1]",
        ),
    ],
)
def test_says_which_argument_is_wrong(call, message):
    """A missing signal is never averaged away."""
    with pytest.raises(ValueError) as caught:
        call()

    assert message in str(caught.value)
