"""Forecasts: the tables they must reproduce, and the simulations they must foresee."""

import math
from itertools import pairwise

import numpy as np
import pytest

from tidegate.stats import harm, mixture, power, proof


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
    forecast = [proof.events_to_certify(ratio, share, 0.05) for share in (0.01, 0.05, 0.25, 0.5)]

    assert forecast == pytest.approx(events, rel=0.03)


def test_a_loss_of_half_is_certified_after_few_events():
    """Good events against R = 1/2 at a tiny share: log(20) / (log 2 - 1/2)."""
    events = proof.events_to_certify(0.5, 1e-6, 0.05)

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


@pytest.mark.parametrize(
    ("ratio", "events", "share", "alpha", "margin"),
    [
        (2.0, 30.0, 0.05, 0.05, 1.0),
        (1.5, 150.0, 0.25, 0.05, 1.0),
        (3.0, 14.0, 0.01, 0.01, 1.0),
        (1.3, 700.0, 0.5, 0.01, 1.0),
        (2.0, 55.0, 0.1, 0.0025, 1.1),
        (10.0, 3.0, 0.05, 0.0025, 1.1),
        (0.5, 90.0, 0.1, 0.01, 0.9),
    ],
)
def test_power_foresees_the_simulation(runs, ratio, events, share, alpha, margin):
    """Within 3 points and two standard errors of what's simulated, all along where it's above 55 %."""
    random = np.random.default_rng(21)
    ticks, looks = 300, 60
    grid = mixture.RATIOS_UP if ratio > 1.0 else mixture.RATIOS_DOWN
    state = harm.new(runs, ratios=grid, null_ratio=margin)
    halted = np.zeros(runs, dtype=bool)
    for tick in range(1, ticks + 1):
        bad = random.poisson(ratio * events / ticks, runs)
        baseline_bad = random.poisson(events / ticks * (1.0 - share) / share, runs)
        state = harm.update(state, bad, bad + baseline_bad, share)
        halted |= harm.log_e_value(state) >= -math.log(alpha)
        if tick % looks:
            continue
        nats = power.information(events * tick / ticks, share, ratio, null_ratio=margin)

        forecast = power.power(
            nats, ratio=ratio, alpha=alpha, candidate_share=share, null_ratio=margin
        )

        slack = 0.03 + 2.0 * (forecast * (1.0 - forecast) / runs) ** 0.5
        assert forecast <= 0.55 or forecast == pytest.approx(halted.mean(), abs=slack)
    assert forecast > 0.55


def test_a_forecast_that_knows_the_ratio_for_nothing_is_refuted(runs):
    """Without the price of the mixture the forecast would be off by more than what's allowed."""
    random = np.random.default_rng(24)
    halted = np.zeros(runs, dtype=bool)
    state = harm.new(runs)
    for _ in range(200):
        bad = random.poisson(2.0 * 20.0 / 200, runs)
        baseline_bad = random.poisson(20.0 / 200 * 19.0, runs)
        state = harm.update(state, bad, bad + baseline_bad, 0.05)
        halted |= harm.log_e_value(state) >= math.log(20)

    nats = power.information(20.0, 0.05, 2.0)
    free = power.power(nats, ratio=2.0, alpha=0.05 * 2.0 * math.exp(power.grid_price(2.0)))

    assert free > 0.55
    assert free != pytest.approx(halted.mean(), abs=0.03 + 0.04)


@pytest.mark.parametrize("wanted", [0.6, 0.9, 0.99])
def test_the_nats_for_a_power_are_its_inverse(wanted):
    """A bake of just so much information has the power that was wanted."""
    nats = power.nats_for_power(wanted, ratio=1.5, alpha=0.005, candidate_share=0.2)

    found = power.power(nats, ratio=1.5, alpha=0.005, candidate_share=0.2)

    assert found == pytest.approx(wanted, abs=1e-6)


def test_harm_within_the_margin_is_never_seen():
    """A ratio that the test calls no harm carries no information, and no bake is long enough."""
    assert power.information(1e6, 0.1, 1.05, null_ratio=1.1) == 0.0
    assert power.information(1e6, 0.1, 0.95, null_ratio=0.9) == 0.0
    assert math.isinf(power.nats_for_power(0.9, ratio=1.05, alpha=0.01, null_ratio=1.1))
    assert power.power(1e6, ratio=1.05, alpha=0.01, null_ratio=1.1) == 0.0


@pytest.mark.parametrize("share", [0.01, 0.05, 0.25, 0.5])
@pytest.mark.parametrize("ratio", [1.2, 2.0, 8.0, 200.0, 0.8, 0.3])
def test_more_information_never_has_less_power(ratio, share):
    """Monotone along a bake, for harm inside the grid of alternatives and beyond it."""
    powers = [
        power.power(nats, ratio=ratio, alpha=0.01, candidate_share=share)
        for nats in np.geomspace(0.01, 1e5, 60)
    ]

    assert all(later >= earlier - 1e-12 for earlier, later in pairwise(powers))
    assert powers[-1] > 0.999 or ratio in (1.2, 0.8)


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
    """log(30) / tolerance: 3,401 requests for 0.1 points and 68 for 5, at beta 5 %."""
    requests = [proof.requests_to_certify(points, 0.0, 0.05, 0.05) for points in (0.001, 0.05)]

    assert requests == pytest.approx([3401, 68.0], rel=0.002)


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.02])
def test_the_smallest_tolerance_is_the_inverse_of_the_requests(rate):
    """The bake that rules out 0.3 points rules out 0.3 points."""
    requests = proof.requests_to_certify(0.003, rate, 0.1, 0.05)

    smallest = proof.smallest_tolerance_ruled_out(requests, rate, 0.1, 0.05)

    assert smallest == pytest.approx(0.003, rel=1e-6)


@pytest.mark.parametrize(("ratio", "fewer"), [(1.5, False), (4.0, False), (0.8, True)])
def test_the_smallest_ratio_is_the_inverse_of_the_events(ratio, fewer):
    """The bake that certifies against 1.5 times rules out 1.5 times."""
    events = proof.events_to_certify(ratio, 0.1, 0.05)

    assert proof.smallest_ratio_ruled_out(events, 0.1, 0.05, fewer=fewer) == pytest.approx(ratio)


def test_without_events_no_ratio_is_ruled_out():
    """Infinitely worse remains possible, and so does the loss of everything."""
    assert math.isinf(proof.smallest_ratio_ruled_out(0.0, 0.1, 0.05))
    assert proof.smallest_ratio_ruled_out(0.0, 0.1, 0.05, fewer=True) == 0.0


def test_growth_is_that_of_equal_arms_and_turns_with_harm():
    """Equal rates grow as the number of requests says; at the tolerance and above nothing grows."""
    equal = proof.certify_growth(0.002, 0.001, 0.001, 0.1)
    events = proof.events_to_certify(2.0, 0.1, 0.05)

    assert math.log(30) / equal == pytest.approx(proof.requests_to_certify(0.002, 0.001, 0.1, 0.05))
    assert proof.certify_growth(0.002, 0.001, 0.004, 0.1) < 0.0
    assert math.log(20) / proof.ratio_growth(2.0, 0.01, 0.01, 0.1) == pytest.approx(events / 0.01)
    assert proof.ratio_growth(2.0, 0.01, 0.03, 0.1) < 0.0


def test_no_bake_rules_out_nothing():
    """Without requests the answer is 100 points, which no test has to rule out."""
    assert proof.smallest_tolerance_ruled_out(0, 0.001, 0.05, 0.05) == 1.0


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
        (lambda: proof.events_to_certify(1.0, 0.1, 0.1), "ratio must not be 1"),
        (lambda: proof.requests_to_certify(0.0, 0.1, 0.1, 0.1), "tolerance must be inside (0, 1)"),
        (
            lambda: proof.smallest_tolerance_ruled_out(-1, 0.1, 0.1, 0.1),
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
