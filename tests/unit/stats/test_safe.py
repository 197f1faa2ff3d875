"""The tests that let advance: a candidate that's too bad passes as rarely as promised."""

import math

import numpy as np
import pytest

from tidegate.stats import safe

RAMP = (0.01, 0.05, 0.25, 0.5)


def passes_ratio(world, ratio):
    state = safe.new_ratio(world.runs)
    highest = np.full(world.runs, -np.inf)
    for tick in world:
        state = safe.update_ratio(
            state, tick.candidate_bad, tick.total_bad, tick.share, ratio=ratio
        )
        highest = np.maximum(highest, state.log_e)
    return highest >= math.log(20)


def passes_average(world, tolerance, *, estimate=safe.tested_ratio):
    """Return which runs certify by ratio and absolute test, half and half."""
    ratios, absolute = safe.new_ratio(world.runs), safe.new_absolute(world.runs)
    past_bad, past_total = np.zeros(world.runs), np.zeros(world.runs)
    highest = np.full(world.runs, -np.inf)
    for tick in world:
        tested = estimate(tolerance, past_bad, past_total)
        ratios = safe.update_ratio(
            ratios, tick.candidate_bad, tick.total_bad, tick.share, ratio=tested
        )
        absolute = safe.update_absolute(absolute, tick.candidate_bad, tick.candidate_total)
        value = safe.average(ratios.log_e, safe.log_absolute(absolute, tolerance))
        highest = np.maximum(highest, value)
        past_bad, past_total = past_bad + tick.baseline_bad, past_total + tick.baseline_total
    return highest >= math.log(20)


def test_the_ratio_test_is_the_likelihood_ratio_worked_by_hand():
    """1 of 6 events at a 50 % share against R = 3: 2^6 / 3."""
    state = safe.update_ratio(safe.new_ratio(1), [1], [6], 0.5, ratio=3.0)

    assert state.log_e[0] == pytest.approx(math.log(64.0 / 3.0))


def test_a_ratio_of_one_proves_nothing():
    """R = 1 would be a healthy candidate: no evidence can speak against it."""
    state = safe.update_ratio(safe.new_ratio(1), [0], [100], 0.5, ratio=1.0)

    assert state.log_e[0] == 0.0


def test_the_absolute_test_is_right_by_hand():
    """1 bad of 100 at delta 4 %: a mean of e^(4 (1 - a)) a over the four parts a."""
    state = safe.update_absolute(safe.new_absolute(1), [1], [100])

    value = safe.log_absolute(state, 0.04)

    expected = 0.85 * math.exp(4 * 0.999) * 0.001 + 0.05 * sum(
        math.exp(4 * (1 - part)) * part for part in (0.125, 0.25, 0.5)
    )
    assert value[0] == pytest.approx(math.log(expected))


@pytest.mark.parametrize("tolerance", [0.0005, 0.001, 0.05])
@pytest.mark.parametrize("beta", [0.05, 0.01])
def test_an_error_free_candidate_certifies_on_time(tolerance, beta):
    """With no errors anywhere it takes log(2 / beta) / delta requests, within 3 %."""
    promised = math.log(2.0 / beta) / tolerance
    state = safe.update_absolute(safe.new_absolute(1), [0], [math.ceil(1.03 * promised)])

    value = safe.average([0.0], safe.log_absolute(state, tolerance))

    assert value[0] >= -math.log(beta)


@pytest.mark.parametrize("weights", [(0.05,), RAMP], ids=["constant", "ramp"])
@pytest.mark.parametrize("ratio", [1.5, 3.0])
def test_a_candidate_at_the_ratio_passes_at_most_as_often_as_promised(
    a_world, stays_below, weights, ratio
):
    """Under drift and a ramp, R times the errors pass in at most beta of the bakes."""
    world = a_world(ticks=500, weights=weights, candidate_rate=lambda rate: ratio * rate)

    assert stays_below(passes_ratio(world, ratio), 0.05)


def test_a_candidate_that_loses_half_of_its_orders_passes_at_most_as_often_as_promised(
    a_world, stays_below
):
    """R below 1 tests good events, with the same guarantee."""
    world = a_world(ticks=500, weights=RAMP, candidate_rate=lambda rate: 0.5 * rate)

    assert stays_below(passes_ratio(world, 0.5), 0.05)


def test_the_check_rejects_a_test_of_too_high_a_ratio(a_world, stays_below):
    """Who tests 2 and is sold as testing 1.5 passes the 1.5 too often, and the check sees it."""
    world = a_world(ticks=500, candidate_rate=lambda rate: 1.5 * rate)

    assert not stays_below(passes_ratio(world, 2.0), 0.05)


def test_a_healthy_candidate_passes(a_world):
    """Twice the errors are ruled out for nearly every healthy candidate within a day."""
    world = a_world()

    assert passes_ratio(world, 2.0).mean() > 0.99


@pytest.mark.parametrize("baseline_rate", [0.0002, 0.002])
def test_a_candidate_worse_by_the_tolerance_passes_at_most_as_often_as_promised(
    a_world, stays_below, baseline_rate
):
    """The average of ratio and absolute test holds beta for percentage points, under drift."""
    world = a_world(
        ticks=500,
        weights=(0.05, 0.25),
        baseline_rate=baseline_rate,
        candidate_rate=lambda rate: rate + 0.002,
    )

    assert stays_below(passes_average(world, 0.002), 0.05)


def test_the_check_rejects_a_ratio_from_half_of_the_baselines_rate(a_world, stays_below):
    """An estimate below the baseline's rate asks for too little, and the check sees it."""
    world = a_world(ticks=500, baseline_rate=0.01, candidate_rate=lambda rate: rate + 0.002)

    def too_low(tolerance, past_bad, past_total):
        return 1.0 + tolerance / (0.5 * (past_bad + 1.0) / (past_total + 2.0))

    assert not stays_below(passes_average(world, 0.002, estimate=too_low), 0.05)


def test_an_absolute_rate_at_the_tolerance_passes_at_most_as_often_as_promised(
    a_world, stays_below
):
    """The absolute test alone, at its border."""
    world = a_world(ticks=300, candidate_rate=lambda rate: np.full_like(rate, 0.002))
    state = safe.new_absolute(world.runs)
    highest = np.full(world.runs, -np.inf)

    for tick in world:
        state = safe.update_absolute(state, tick.candidate_bad, tick.candidate_total)
        highest = np.maximum(highest, safe.log_absolute(state, 0.002))

    assert stays_below(highest >= math.log(20), 0.05)


def test_tested_ratio_is_right_by_hand():
    """With 3 bad of 998 the bound is (4 + 2 * 2) / 1000 = 0.8 %, so 0.4 points are R = 1.5."""
    assert safe.tested_ratio(0.004, 3, 998) == pytest.approx(1.5)


def test_tested_ratio_without_a_past_is_the_most_careful():
    """Nothing known of the baseline: R = 1 + tolerance, next to nothing is proven by it."""
    assert safe.tested_ratio(0.05, 0, 0) == pytest.approx(1.05)


def test_average_is_the_mean():
    """The mean of 4 and 2 is 3."""
    value = safe.average([math.log(4.0)], [math.log(2.0)])

    assert value[0] == pytest.approx(math.log(3.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: safe.update_ratio(safe.new_ratio(1), [2], [1], 0.1, ratio=2.0),
            "candidate_events must not be above total_events, got 2 of 1",
        ),
        (
            lambda: safe.update_ratio(safe.new_ratio(1), [0], [1], 0.1, ratio=0.0),
            "ratio must be above 0, got 0",
        ),
        (
            lambda: safe.update_ratio(safe.new_ratio(1), [0], [1], 0.1, ratio=[np.nan]),
            "ratio must be finite, got nan at [0]",
        ),
        (
            lambda: safe.update_ratio(
                safe.new_ratio(1), [0], [1], 0.1, ratio=2.0, most_log_factor=-1.0
            ),
            "most_log_factor must not be negative, got -1",
        ),
        (
            lambda: safe.update_absolute(safe.new_absolute(1), [2], [1]),
            "candidate_bad must not be above candidate_total, got 2 of 1",
        ),
        (
            lambda: safe.log_absolute(safe.new_absolute(1), 1.0),
            "tolerance must be inside (0, 1), got 1",
        ),
        (lambda: safe.tested_ratio(0.0, 0, 1), "tolerance must be above 0, got 0"),
        (lambda: safe.tested_ratio(0.1, 2, 1), "past_bad must not be above past_total"),
        (lambda: safe.average([np.nan], [0.0]), "first_log_e must be finite, got nan"),
        (lambda: safe.average([0.0], [np.inf]), "second_log_e must be finite, got inf"),
    ],
)
def test_says_which_argument_is_wrong(call, message):
    """A proof never rests on a number that means nothing."""
    with pytest.raises(ValueError) as caught:
        call()

    assert message in str(caught.value)
