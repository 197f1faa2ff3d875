"""Forecasts: the tables they must reproduce, and the simulations they must foresee."""

import math

import numpy as np
import pytest

from tidegate.stats import harm, power


@pytest.mark.parametrize(
    ("baseline", "candidate", "requests"),
    [
        (0.0001, 0.001, [2197, 2445, 3887, 7006]),
        (0.001, 0.003, [2344, 2495, 3465, 5714]),
        (0.01, 0.02, [775, 817, 1092, 1737]),
    ],
)
def test_the_wald_bound_is_the_known_one(baseline, candidate, requests):
    """Candidate requests at alpha 5 % and shares 1, 5, 25 and 50 %, computed independently."""
    bounds = [
        power.wald_bound_requests(baseline, candidate, share, 0.05)
        for share in (0.01, 0.05, 0.25, 0.5)
    ]

    assert bounds == pytest.approx(requests, rel=0.001)


@pytest.mark.parametrize(
    ("ratio", "events"),
    [(1.25, [113, 118, 155, 241]), (2.0, [9.9, 10.6, 15, 25]), (5.0, [1.3, 1.5, 2.6, 5.1])],
)
def test_events_to_certify_are_the_known_ones(ratio, events):
    """Candidate events at beta 5 % and shares 1, 5, 25 and 50 %, computed independently."""
    forecast = [power.events_to_certify(ratio, share, 0.05) for share in (0.01, 0.05, 0.25, 0.5)]

    assert forecast == pytest.approx(events, rel=0.03)


def test_a_loss_of_half_is_certified_after_few_events():
    """Good events against R = 1/2 at a tiny share: log(20) / (log 2 - 1/2)."""
    events = power.events_to_certify(0.5, 1e-6, 0.05)

    assert events == pytest.approx(math.log(20) / (math.log(2) - 0.5), rel=1e-4)


def test_information_adds_up_over_ticks():
    """Two ticks at different shares are the sum of each, and no harm carries no information."""
    together = power.information([3.0, 5.0], [0.05, 0.25], 2.0)

    apart = power.information(3.0, 0.05, 2.0) + power.information(5.0, 0.25, 2.0)
    assert together == pytest.approx(apart)
    assert power.information(3.0, 0.05, 1.0) == 0.0


def test_the_grid_price_is_the_known_one():
    """About 1.05, 1.25 and 1.47 nats at 1.5, 2 and 3."""
    prices = [power.grid_price(ratio) for ratio in (1.5, 2.0, 3.0)]

    assert prices == pytest.approx([1.05, 1.25, 1.47], abs=0.01)


@pytest.mark.parametrize(("ratio", "events", "share"), [(2.0, 30.0, 0.05), (1.5, 150.0, 0.25)])
def test_power_foresees_the_simulation(runs, ratio, events, share):
    """Within 4 points of what's simulated (3 and the sampling error), where power is above 55 %."""
    random = np.random.default_rng(21)
    ticks = 500
    state = harm.new(runs)
    halted = np.zeros(runs, dtype=bool)
    for _ in range(ticks):
        bad = random.poisson(ratio * events / ticks, runs)
        baseline_bad = random.poisson(events / ticks * (1.0 - share) / share, runs)
        state = harm.update(state, bad, bad + baseline_bad, share)
        halted |= harm.log_e_value(state) >= math.log(20)

    forecast = power.power(power.information(events, share, ratio), ratio=ratio, alpha=0.05)

    assert forecast > 0.55
    assert forecast == pytest.approx(halted.mean(), abs=0.04)


def test_dispersion_costs_information():
    """Counts that vary three times as much need three times the bake."""
    noisy = power.power(30.0, ratio=2.0, alpha=0.05, dispersion=3.0)

    assert noisy == pytest.approx(power.power(10.0, ratio=2.0, alpha=0.05))


def test_power_goes_from_nothing_to_certainty():
    """No information has no power, a lot has all of it, and nothing overflows."""
    assert power.power(0.0, ratio=2.0, alpha=0.05) == 0.0
    assert power.power(1e6, ratio=2.0, alpha=1e-9) == pytest.approx(1.0)
    assert 0.0 <= power.power(1e-9, ratio=2.0, alpha=1e-300) <= 1e-9


def test_half_a_point_more_is_halted_in_the_forecast_time(runs):
    """+0.5 points over 0.1 % at 10 candidate requests/s: mean time within 25 %."""
    random = np.random.default_rng(22)
    state = harm.new(runs)
    halted_at = np.full(runs, np.inf)
    for second in range(1, 2001):
        bad = random.binomial(10, 0.006, runs)
        baseline_bad = random.binomial(190, 0.001, runs)
        state = harm.update(state, bad, bad + baseline_bad, 0.05)
        reached = harm.log_e_value(state) >= math.log(100)
        halted_at = np.where(reached & np.isinf(halted_at), second, halted_at)

    forecast = power.seconds_to_halt(0.001, 0.005, 0.05, 0.01, candidate_requests_per_second=10.0)

    assert forecast == pytest.approx(np.mean(halted_at), rel=0.25)


def test_a_candidate_that_is_not_worse_is_never_forecast_to_halt():
    """Equal or better rates take forever."""
    assert math.isinf(power.requests_to_halt(0.01, 0.01, 0.05, 0.01))
    assert math.isinf(power.requests_to_halt(0.01, 0.001, 0.05, 0.01))
    assert math.isinf(power.wald_bound_requests(0.01, 0.01, 0.05, 0.01))


def test_an_error_free_bake_is_forecast_as_promised():
    """3,689 requests for 0.1 points and 74 for 5, at beta 5 %."""
    requests = [power.requests_to_certify(points, 0.0, 0.05, 0.05) for points in (0.001, 0.05)]

    assert requests == pytest.approx([3689, 73.8], rel=0.002)


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.02])
def test_the_smallest_tolerance_is_the_inverse_of_the_requests(rate):
    """The bake that rules out 0.3 points rules out 0.3 points."""
    requests = power.requests_to_certify(0.003, rate, 0.1, 0.05)

    smallest = power.smallest_tolerance_ruled_out(requests, rate, 0.1, 0.05)

    assert smallest == pytest.approx(0.003, rel=1e-6)


def test_no_bake_rules_out_nothing():
    """Without requests the answer is 100 points, which no test has to rule out."""
    assert power.smallest_tolerance_ruled_out(0, 0.001, 0.05, 0.05) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: power.information(-1.0, 0.1, 2.0), "baseline_events must not be negative"),
        (lambda: power.information(1.0, 0.0, 2.0), "candidate_share must be inside (0, 1), got 0"),
        (lambda: power.information(1.0, 0.1, 0.0), "ratio must be above 0, got 0"),
        (lambda: power.grid_price(1.0), "ratio must not be 1, which is no harm"),
        (lambda: power.power(1.0, ratio=2.0, alpha=0.0), "alpha must be inside (0, 1), got 0"),
        (
            lambda: power.power(1.0, ratio=2.0, alpha=0.1, dispersion=0.0),
            "dispersion must be above 0, got 0",
        ),
        (lambda: power.wald_bound_requests(1.0, 0.1, 0.1, 0.1), "baseline_rate must be below 1"),
        (lambda: power.requests_to_halt(0.1, -0.1, 0.1, 0.1), "candidate_rate must not be neg"),
        (lambda: power.events_to_certify(1.0, 0.1, 0.1), "ratio must not be 1"),
        (lambda: power.requests_to_certify(0.0, 0.1, 0.1, 0.1), "tolerance must be inside (0, 1)"),
        (
            lambda: power.smallest_tolerance_ruled_out(-1, 0.1, 0.1, 0.1),
            "requests must not be negative, got -1",
        ),
        (
            lambda: power.seconds_to_halt(0.1, 0.1, 0.1, 0.1, candidate_requests_per_second=0.0),
            "candidate_requests_per_second must be above 0, got 0",
        ),
    ],
)
def test_says_which_argument_is_wrong(call, message):
    """A plan isn't forecast from numbers that mean nothing."""
    with pytest.raises(ValueError) as caught:
        call()

    assert message in str(caught.value)
