"""What's ruled out: at every look at once, the truth is on the right side of the bound."""

import math

import numpy as np
import pytest

from tidegate.stats import bounds

RAMP = (0.01, 0.05, 0.25, 0.5)


def ratio_bounds_ever(world, alpha, *, every=10):
    """Return each run's lowest upper and highest lower ratio bound over all looks."""
    state = bounds.new_ratio(world.runs)
    upper, lower = np.full(world.runs, np.inf), np.zeros(world.runs)
    for index, tick in enumerate(world):
        state = bounds.update_ratio(state, tick.candidate_bad, tick.total_bad, tick.share)
        if index % every == 0:
            upper = np.minimum(upper, bounds.highest_ratio(state, alpha))
            lower = np.maximum(lower, bounds.lowest_ratio(state, alpha))
    return upper, lower


def lowest_excess_ever(world, alpha, *, every=10):
    state = bounds.new_excess(world.runs)
    lowest = np.ones(world.runs)
    for index, tick in enumerate(world):
        state = bounds.update_excess(
            state,
            tick.candidate_bad,
            tick.candidate_total,
            tick.baseline_bad,
            tick.baseline_total,
        )
        if index % every == 0:
            lowest = np.minimum(lowest, bounds.highest_excess(state, alpha))
    return lowest


def test_the_ratio_bound_is_right_by_hand():
    """No event of 5 at 50 %: against 3 the bet on equal arms wins 2^5 = 32, against 2 only 7.6."""
    state = bounds.new_ratio(1, ratios=[1.0, 2.0, 3.0])

    state = bounds.update_ratio(state, [0], [5], 0.5)

    # The test of 3 bets half on 1 (32) and half on 2 (32 / 7.6 = 4.2): 18.1.
    assert bounds.highest_ratio(state, 1.0 / 18.0)[0] == 3.0
    assert math.isinf(bounds.highest_ratio(state, 1.0 / 18.2)[0])


def test_nothing_is_ruled_out_before_there_is_data():
    """Without data any ratio and any excess is possible."""
    assert math.isinf(bounds.highest_ratio(bounds.new_ratio(1), 0.05)[0])
    assert bounds.lowest_ratio(bounds.new_ratio(1), 0.05)[0] == 0.0
    assert bounds.highest_excess(bounds.new_excess(1), 0.05)[0] == pytest.approx(1.0)


def test_the_excess_bound_without_errors_is_right_by_hand():
    """None of 4,000 requests fails: log(2 / alpha) / 4,000 more is ruled out, about."""
    state = bounds.update_excess(bounds.new_excess(1), [0], [4000], [0], [76_000])

    bound = bounds.highest_excess(state, 0.05)[0]

    assert bound == pytest.approx(math.log(40) / 4000, rel=0.1)
    assert bound <= math.log(40) / 3995


def test_the_excess_bound_is_where_its_test_begins_to_reject():
    """At it the mixture of bets has 20 to 1, a hair below it hasn't: for all sorts of streams."""
    random = np.random.default_rng(6)
    streams = 400
    state = bounds.new_excess(streams)
    rate = 10 ** random.uniform(-5, -0.5, streams)
    requests = (10 ** random.uniform(1, 5, streams)).astype(int)
    for _ in range(20):
        state = bounds.update_excess(
            state,
            random.binomial(requests, rate),
            requests,
            random.binomial(9 * requests, rate),
            9 * requests,
        )

    found = bounds.highest_excess(state, 0.05)

    inside = (found > 0.0) & (found < 1.0)
    assert inside.mean() > 0.8
    at, below = log_excess(state, found), log_excess(state, found * (1.0 - 1e-6))
    assert (at[inside] >= math.log(20) - 1e-6).all()
    assert (below[inside] < math.log(20)).all()


def log_excess(state, excess):
    """Return the log e-value against an excess, written out once more."""
    weights = [0.5] + [0.5 / (state.keeps.size - 1)] * (state.keeps.size - 1)
    rows = [
        math.log(weight)
        + excess * (1.0 - keep) * state.candidate_total
        + math.log(keep) * state.candidate_bad
        + won
        for weight, keep, won in zip(weights, state.keeps, state.log_baseline, strict=True)
    ]
    return np.logaddexp.reduce(rows)


@pytest.mark.parametrize("true_ratio", [1.0, 1.5])
def test_the_ratio_bounds_hold_at_all_looks_as_promised(a_world, stays_below, true_ratio):
    """The true ratio is ever outside a bound in at most alpha of the bakes, on each side."""
    world = a_world(weights=RAMP, candidate_rate=lambda rate: true_ratio * rate, seed=6)

    upper, lower = ratio_bounds_ever(world, 0.05)

    assert stays_below(upper <= true_ratio, 0.05)
    assert stays_below(lower >= true_ratio, 0.05)


def test_the_ratio_bounds_close_in(a_world):
    """After a day 1.5 times the errors are ruled out for most, and so is a loss of half."""
    world = a_world(weights=RAMP)

    upper, lower = ratio_bounds_ever(world, 0.05)

    assert np.median(upper) <= 1.5
    assert np.median(lower) >= 0.5


def test_the_excess_bound_holds_at_all_looks_as_promised(a_world, stays_below):
    """The true excess is ever above the bound in at most alpha of the bakes."""
    world = a_world(
        ticks=400,
        baseline_rate=0.003,
        weights=(0.05, 0.25),
        candidate_rate=lambda rate: rate + 0.002,
    )

    assert stays_below(lowest_excess_ever(world, 0.05) <= 0.002, 0.05)


def test_the_check_rejects_bounds_of_another_confidence(a_world, stays_below):
    """60 % bounds sold as 95 % are seen through."""
    world = a_world(ticks=400, candidate_rate=lambda rate: 1.5 * rate, weights=(0.25,))

    upper, _ = ratio_bounds_ever(world, 0.4)

    assert not stays_below(upper <= 1.5, 0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bounds.new_ratio(1, ratios=[2.0, 3.0]), "ratios must ascend and hold 1"),
        (lambda: bounds.new_ratio(1, ratios=[2.0, 1.0]), "ratios must ascend and hold 1"),
        (lambda: bounds.new_excess(1, keeps=[0.5]), "keeps must be at least two bets"),
        (lambda: bounds.new_excess(1, keeps=[0.5, 1.0]), "keeps must be inside (0, 1), got 1"),
        (
            lambda: bounds.highest_ratio(bounds.new_ratio(1), 0.0),
            "alpha must be inside (0, 1), got 0",
        ),
        (
            lambda: bounds.update_excess(bounds.new_excess(1), [2], [1], [0], [1]),
            "candidate_bad must not be above candidate_total",
        ),
        (
            lambda: bounds.update_ratio(bounds.new_ratio(1), [0], [1], 1.5),
            "candidate_share must be inside (0, 1), got 1.5",
        ),
    ],
)
def test_says_which_argument_is_wrong(call, message):
    """A bound never rests on a number that means nothing."""
    with pytest.raises(ValueError) as caught:
        call()

    assert message in str(caught.value)
