"""The exact test in percentage points."""

import math

import numpy as np
import pytest

from tidegate.stats import difference, proof

RAMP = (0.01, 0.05, 0.25, 0.5)


def certified_after(world, tolerance):
    """Return after how many of its requests each candidate is certified, infinite if never."""
    state = difference.new(world.runs, tolerance=tolerance)
    requests = np.zeros(world.runs)
    after = np.full(world.runs, np.inf)
    for tick in world:
        state = difference.update(
            state,
            tick.candidate_bad,
            tick.candidate_total,
            tick.baseline_bad,
            tick.baseline_total,
        )
        requests += tick.candidate_total
        passed = difference.log_e_value(state) >= math.log(20)
        after = np.where(passed & np.isinf(after), requests, after)
    return after


def test_the_first_tick_is_right_by_hand():
    """At equal exposure and an assumed rate of 1/2 the bet A solves .1 A^2 - 1.2 A + 1 = 0."""
    state = difference.new(1, tolerance=0.1)

    state = difference.update(state, [1], [10], [2], [10])

    keep = (1.2 - math.sqrt(1.2**2 - 0.4)) / 0.2
    fitted = keep * (2.0 - keep) ** 2 * math.exp(1.0 - keep)
    rare = 0.001 * 1.999**2 * math.exp(0.999)
    assert difference.log_e_value(state)[0] == pytest.approx(math.log(fitted * 2 / 3 + rare / 3))


def test_the_best_bet_beats_its_neighbours():
    """The closed form is the maximum of the expected growth."""
    tolerance, rate, odds = 0.003, 0.002, 0.4

    keep = float(difference.best_keep(np.array(tolerance), np.array(rate), np.array(odds)))

    def growth(kept):
        won = rate / odds * math.log1p(odds * (1.0 - kept))
        return rate * math.log(kept) + won + tolerance * (1.0 - kept)

    assert growth(keep) > growth(0.99 * keep)
    assert growth(keep) > growth(1.01 * keep)


@pytest.mark.parametrize("tolerance", [0.0005, 0.001, 0.05])
def test_an_error_free_candidate_certifies_on_time(tolerance):
    """With no errors in either arm it takes log(2 / beta) / delta requests, within 3 %."""
    state = difference.new(1, tolerance=tolerance)
    requests = math.ceil(1.03 * math.log(2.0 / 0.05) / tolerance / 50)

    for _ in range(50):
        state = difference.update(state, [0], [requests], [0], [19 * requests])

    assert difference.log_e_value(state)[0] >= math.log(20)


def test_a_tick_without_requests_changes_nothing_to_the_bit():
    """No traffic is no evidence."""
    state = difference.update(difference.new(1, tolerance=0.01), [0], [50], [3], [900])

    after = difference.update(state, [0], [0], [0], [0])

    assert after.to_lists() == state.to_lists()


@pytest.mark.parametrize("weights", [(0.05,), RAMP], ids=["constant", "ramp"])
@pytest.mark.parametrize("baseline_rate", [0.0002, 0.002, 0.02])
def test_a_candidate_worse_by_the_tolerance_passes_at_most_as_often_as_promised(
    a_world, stays_below, baseline_rate, weights
):
    """From nearly no errors to many, under drift and a ramp: beta holds."""
    world = a_world(
        ticks=400,
        baseline_rate=baseline_rate,
        weights=weights,
        candidate_rate=lambda rate: rate + 0.002,
    )

    after = certified_after(world, 0.002)

    assert stays_below(np.isfinite(after), 0.05)


def test_the_check_rejects_a_test_of_twice_the_tolerance(a_world, stays_below):
    """Who tests 0.4 points and is sold as testing 0.2 passes the 0.2 too often."""
    world = a_world(ticks=400, baseline_rate=0.002, candidate_rate=lambda rate: rate + 0.002)

    after = certified_after(world, 0.004)

    assert not stays_below(np.isfinite(after), 0.05)


@pytest.mark.parametrize("weight", [0.05, 0.5])
def test_a_healthy_candidate_certifies_when_the_forecast_says(a_world, weight):
    """Half of the bakes need at most 1.25 times the forecast's requests, even under drift."""
    world = a_world(ticks=600, baseline_rate=0.001, weights=(weight,), seed=5)

    after = certified_after(world, 0.001)

    forecast = proof.requests_to_certify(0.001, 0.0011, weight, 0.05)
    assert 0.7 * forecast < np.median(after) < 1.25 * forecast


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (([2], [1], [0], [1]), "candidate_bad must not be above candidate_total, got 2 of 1"),
        (([0], [1], [2], [1]), "baseline_bad must not be above baseline_total, got 2 of 1"),
        (([0], [-1], [0], [1]), "candidate_total must not be negative, got -1 at [0]"),
        (([0], [1], [np.nan], [1]), "baseline_bad must be finite, got nan at [0]"),
        (([0, 0], [1, 1], [0], [1]), "candidate_bad must have shape (1,), got (2,)"),
    ],
)
def test_says_which_count_is_wrong(counts, message):
    """A proof never rests on a number that means nothing."""
    with pytest.raises(ValueError) as caught:
        difference.update(difference.new(1, tolerance=0.01), *counts)

    assert message in str(caught.value)


def test_says_that_the_tolerance_is_wrong():
    """0 points can't be ruled out, and 100 need no test."""
    with pytest.raises(ValueError) as caught:
        difference.new(2, tolerance=[0.1, 0.0])

    assert str(caught.value) == "tolerance must be inside (0, 1), got 0 at [1]"
