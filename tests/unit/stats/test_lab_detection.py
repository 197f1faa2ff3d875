"""What the lab shows: its harmful fault is caught within seconds, at its own settings."""

import math

import numpy as np

from tidegate.stats import combine, harm, power

WEIGHTS = (0.25, 0.25, 0.25, 0.25)


def seconds_until_halt(runs, candidate_rate, *, seconds, seed):
    random = np.random.default_rng(seed)
    state = harm.new(runs)
    quiet = np.zeros((3, runs))
    halted_at = np.full(runs, np.inf)
    for second in range(1, seconds + 1):
        candidate = np.clip(random.binomial(200, 0.05, runs), 1, 199)
        bad = random.binomial(candidate, candidate_rate)
        baseline_bad = random.binomial(200 - candidate, 0.001)
        state = harm.update(state, bad, bad + baseline_bad, candidate / 200.0)
        evidence = combine.global_log_e_value(np.vstack([harm.log_e_value(state), quiet]), WEIGHTS)
        reached = evidence >= math.log(1.0 / 0.005)
        halted_at = np.where(reached & np.isinf(halted_at), second, halted_at)
    return halted_at


def test_ten_percent_errors_are_halted_within_fifteen_seconds(runs):
    """200 requests/s, 5 % candidate, 10 % errors over 0.1 %, one of four signals, first attempt."""
    halted_at = seconds_until_halt(runs, 0.1, seconds=90, seed=11)

    forecast = power.seconds_to_halt(
        0.001, 0.099, 0.05, 0.005 * 0.25, candidate_requests_per_second=10.0
    )
    assert np.mean(halted_at <= 15) >= 0.98
    assert 3.0 <= np.median(halted_at) <= 5.0
    assert abs(np.mean(halted_at) - forecast) < 2.0


def test_a_healthy_lab_candidate_is_left_alone(runs):
    """Five minutes of the lab without a fault: false halts stay below the attempt's alpha."""
    halted_at = seconds_until_halt(runs, 0.001, seconds=300, seed=12)

    assert np.mean(np.isfinite(halted_at)) <= 0.005 + 2.0 * math.sqrt(0.005 / runs)
