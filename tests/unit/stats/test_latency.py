"""The latency test, and the two numbers a histogram gives it."""

import math

import numpy as np
import pytest

from tidegate.stats import latency, mixture

RAMP = (0.01, 0.05, 0.25, 0.5)


def highest_over(world, *, null_ratio=1.0, best_only=False):
    state = latency.new(world.runs, expected_rate=world.baseline_rate, null_ratio=null_ratio)
    highest = np.full(world.runs, -np.inf)
    for tick in world:
        state = latency.update(
            state,
            tick.candidate_bad,
            tick.candidate_total,
            tick.baseline_bad,
            tick.baseline_total,
            starting=tick.starting,
        )
        value = latency.log_e_value(state)
        if best_only:
            weights = mixture.log_weights(state.odds_ratios) + math.log(mixture.START_STAKE)
            value = (state.log_started - weights[:, None]).max(axis=0)
        highest = np.maximum(highest, value)
    return highest


def test_the_first_tick_is_right_by_hand():
    """A bet of 1/2 against 1/5, one request per arm: the null's nearest rate is their mean .35."""
    state = latency.new(1, expected_rate=0.2, odds_ratios=[4.0])

    state = latency.update(state, [1], [1], [0], [1])

    factor = (0.5 / 0.35) * (0.8 / 0.65)
    assert latency.log_e_value(state)[0] == pytest.approx(math.log(0.5 * factor + 0.5))


@pytest.mark.parametrize("null_ratio", [1.0, 1.3])
@pytest.mark.parametrize(("candidate", "baseline"), [(1, 1), (2, 3), (1, 4)])
def test_the_expected_value_on_the_border_of_the_null_is_at_most_one(
    null_ratio, candidate, baseline
):
    """Summed over every outcome of a small tick, at any common rate: exactly what's claimed."""
    for rate in (0.05, 0.3, 0.7):
        outcomes = [(k, c) for k in range(candidate + 1) for c in range(baseline + 1)]
        state = latency.new(len(outcomes), expected_rate=0.2, null_ratio=null_ratio)
        worse = null_ratio * rate
        chances = [
            math.comb(candidate, k)
            * worse**k
            * (1.0 - worse) ** (candidate - k)
            * math.comb(baseline, c)
            * rate**c
            * (1.0 - rate) ** (baseline - c)
            for k, c in outcomes
        ]

        state = latency.update(
            state,
            [k for k, _ in outcomes],
            candidate,
            [c for _, c in outcomes],
            baseline,
        )

        mean = float(np.dot(chances, np.exp(latency.log_e_value(state))))
        assert mean <= 1.0 + 1e-12


def test_a_tick_without_requests_changes_nothing_to_the_bit():
    """No traffic is no evidence, and no reason to forget the baseline."""
    state = latency.update(latency.new(1), [3], [50], [40], [900])

    after = latency.update(state, [0], [0], [0], [0])

    assert after.to_lists() == state.to_lists()


@pytest.mark.parametrize("weights", [(0.05,), RAMP], ids=["constant", "ramp"])
@pytest.mark.parametrize("rate", [0.05, 0.4])
def test_a_harmless_candidate_is_halted_at_most_as_often_as_promised(
    a_world, stays_below, weights, rate
):
    """At a p95 edge and near the median, under drift and a ramp."""
    world = a_world(ticks=500, baseline_rate=rate, weights=weights)

    highest = highest_over(world)

    assert stays_below(highest >= math.log(20), 0.05)


def test_a_candidate_within_the_margin_is_halted_at_most_as_often_as_promised(a_world, stays_below):
    """A margin of 1.3 tolerates 1.3; without it the same candidate is found out."""
    world = a_world(
        ticks=200, baseline_rate=0.05, weights=(0.25,), candidate_rate=lambda rate: 1.3 * rate
    )

    assert stays_below(highest_over(world, null_ratio=1.3) >= math.log(20), 0.05)
    assert not stays_below(highest_over(world) >= math.log(20), 0.05)


def test_the_check_rejects_a_test_that_picks_the_best_alternative(a_world, stays_below):
    """A maximum over the grid isn't a mixture, and the check sees it."""
    world = a_world(ticks=500, baseline_rate=0.05)

    highest = highest_over(world, best_only=True)

    assert not stays_below(highest >= math.log(20), 0.05)


def test_a_slow_candidate_is_found(a_world):
    """Twice as many slow requests halt in nearly every run."""
    world = a_world(ticks=100, baseline_rate=0.05, candidate_rate=lambda rate: 2.0 * rate)

    assert (highest_over(world) >= math.log(20)).mean() > 0.99


def test_a_million_requests_a_tick_stay_finite():
    """Log space holds for a candidate in which everything is slow and one in which nothing is."""
    state = latency.new(2)

    for _ in range(20):
        state = latency.update(state, [1e6, 0.0], 1e6, 0.0, 1e6)

    assert np.isfinite(latency.log_e_value(state)).all()


def test_quantile_edge_takes_the_edge_nearest_to_the_quantile():
    """Of 20 %, 6 %, 1 % and 0 % above the edges, 6 % is nearest to the 5 % of a p95."""
    edge = latency.quantile_edge([0.1, 0.25, 0.5, 1.0, math.inf], [800, 140, 50, 10, 0], 0.95)

    assert edge == 0.25


def test_quantile_edge_never_takes_an_edge_that_most_exceed():
    """All in one bucket: its upper bound is used, which any slowdown crosses."""
    edge = latency.quantile_edge([0.1, 0.25, math.inf], [0, 1000, 0], 0.95)

    assert edge == 0.25


def test_stretch_ratio_is_right_by_hand():
    """From 0.25 back to 0.2 is half of the bucket's 100: (100 + 50) / (100 + 1)."""
    ratio = latency.stretch_ratio([0.15, 0.25, math.inf], [800, 100, 100], 0.25, 1.25)

    assert ratio == pytest.approx(150.0 / 101.0)


def test_stretch_ratio_without_slow_requests_near_the_edge_is_one():
    """No requests between: a slowdown wouldn't show at this edge, so nothing can be proven."""
    ratio = latency.stretch_ratio([0.1, 0.25, math.inf], [900, 0, 100], 0.25, 1.1)

    assert ratio == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: latency.new(1, odds_ratios=[0.5]), "odds_ratios must all be above 1"),
        (lambda: latency.new(1, null_ratio=0.9), "null_ratio must be at least 1, got 0.9"),
        (lambda: latency.new(1, expected_rate=1.0), "expected_rate must be inside (0, 1), got 1"),
        (
            lambda: latency.update(latency.new(1), [2], [1], [0], [1]),
            "candidate_exceeding must not be above candidate_total, got 2 of 1",
        ),
        (lambda: latency.quantile_edge([1.0], [1], 0.4), "quantile must be in [0.5, 1), got 0.4"),
        (
            lambda: latency.quantile_edge([1.0, math.inf], [1, 9], 0.95),
            "bucket_upper_bounds end at 1.0, which more than half of the requests exceed",
        ),
        (lambda: latency.quantile_edge([1.0], [0], 0.9), "counts must hold at least one request"),
        (lambda: latency.quantile_edge([2.0, 1.0], [1, 1], 0.9), "must ascend from above 0"),
        (lambda: latency.quantile_edge([1.0], [1, 2], 0.9), "must be equally long rows"),
        (lambda: latency.quantile_edge([math.nan], [1], 0.9), "must ascend from above 0"),
        (
            lambda: latency.stretch_ratio([1.0], [1], 0.5, 1.1),
            "edge must be a finite bucket bound, got 0.5",
        ),
        (lambda: latency.stretch_ratio([1.0], [1], 1.0, 1.0), "stretch must be above 1, got 1"),
    ],
)
def test_says_which_argument_is_wrong(call, message):
    """A histogram that means nothing makes no edge."""
    with pytest.raises(ValueError) as caught:
        call()

    assert message in str(caught.value)
