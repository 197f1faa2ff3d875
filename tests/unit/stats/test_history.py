"""The weak test: a rate against a limit that was fixed before."""

import math

import numpy as np
import pytest

from tidegate.stats import history, mixture


def highest_over(runs, *, rate, limit, ratios, ticks=300, exponents=1.0, weeks=None):
    random = np.random.default_rng(11)
    state = history.new(runs, ratios=ratios)
    highest = np.full(runs, -np.inf)
    for index in range(ticks):
        total = random.integers(0, 400, runs).astype(float)
        factor = 1.0 if weeks is None else weeks[:, index // (ticks // weeks.shape[1])]
        events = random.binomial(total.astype(int), np.minimum(1.0, rate * factor)).astype(float)
        state = history.update(
            state,
            events,
            total,
            limit=limit,
            starting=index % 60 == 59,
            exponents=exponents,
        )
        highest = np.maximum(highest, history.log_e_value(state))
    return highest


def test_a_tick_is_right_by_hand():
    """3 events of 100 at a limit of 1 %: twice the limit multiplies by 2^3 / e, half by e^(1/2) / 2^3."""
    above, below = history.new(1, ratios=[2.0]), history.new(1, ratios=[0.5])

    above = history.update(above, [3], [100], limit=0.01)
    below = history.update(below, [3], [100], limit=0.01)

    value = history.log_e_value
    assert value(above)[0] == pytest.approx(math.log(0.7 * 8.0 / math.e + 0.3))
    assert value(below)[0] == pytest.approx(math.log(0.7 * math.exp(0.5) / 8.0 + 0.3))


def test_a_power_is_taken_of_each_factor():
    """Half of the logarithm for the one, nothing for the other."""
    state = history.new(1, ratios=[2.0, 4.0])

    after = history.update(state, [3], [100], limit=0.01, exponents=[0.5, 0.0])

    change = (after.log_started - state.log_started)[:, 0]
    assert change == pytest.approx([0.5 * (3.0 * math.log(2.0) - 1.0), 0.0])


@pytest.mark.parametrize(
    ("ratios", "wrong_limit"), [(mixture.RATIOS_UP, 0.035), (mixture.RATIOS_DOWN, 0.07)]
)
def test_a_rate_at_its_limit_halts_at_most_as_often_as_promised(
    runs, stays_below, ratios, wrong_limit
):
    """On both sides; a limit that isn't kept is found, so the check can tell."""
    at_limit = highest_over(runs, rate=0.05, limit=0.05, ratios=ratios)
    beyond = highest_over(runs, rate=0.05, limit=wrong_limit, ratios=ratios)

    assert stays_below(at_limit >= math.log(20), 0.05)
    assert stays_below(at_limit >= math.log(100), 0.01)
    assert not stays_below(beyond >= math.log(20), 0.05)


def test_weeks_that_differ_by_chance_alone_need_little_tempering():
    """Where weeks only scatter as counts do, small alternatives keep most of their evidence."""
    random = np.random.default_rng(2)
    totals = np.full((8, 168), 1000.0)

    powers = history.weekly_exponents(random.binomial(1000, 0.02, totals.shape), totals)

    assert powers.shape == (12,)
    assert powers[0] > 0.6


def test_a_power_is_one_at_which_the_trials_are_one_on_average():
    """Three weeks of one hour: the mean of the tempered factors is 1 at the power, worked by hand."""
    events, totals = np.array([[10.0], [20.0], [60.0]]), np.full((3, 1), 1000.0)

    (power,) = history.weekly_exponents(events, totals, ratios=[2.0])

    expected = np.array([40.0, 35.0, 15.0])
    seen = np.array([10.0, 20.0, 60.0, 1.5 * 30.0])
    trials = seen * math.log(2.0) - np.array([*expected, 30.0])
    assert 0.0 < power < 1.0
    assert np.exp(power * trials).mean() == pytest.approx(1.0)


@pytest.mark.parametrize("ratios", [mixture.RATIOS_UP, mixture.RATIOS_DOWN], ids=["up", "down"])
def test_weeks_that_differ_halt_at_most_as_often_as_promised(runs, stays_below, ratios):
    """Hours off by a quarter from week to week: the powers hold the promise, the plain test doesn't."""
    random = np.random.default_rng(3)
    unlike = np.exp(0.25 * random.standard_normal((6, 24)))
    totals = np.full(unlike.shape, 5000.0)
    past = random.binomial(5000, 0.05 * unlike)
    powers = history.weekly_exponents(past, totals, ratios=ratios)
    weeks = np.exp(0.25 * random.standard_normal((runs, 24)))
    limit = float(past.sum() / totals.sum())

    def highest(exponents):
        return highest_over(
            runs,
            rate=0.05,
            limit=limit,
            ratios=ratios,
            ticks=600,
            exponents=exponents,
            weeks=weeks,
        )

    assert stays_below(highest(powers) >= math.log(20), 0.05)
    assert not stays_below(highest(1.0) >= math.log(20), 0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: history.new(1, ratios=[0.5, 2.0]), "ratios must all be above 1 or all below 1"),
        (
            lambda: history.update(history.new(1), [2], [1], limit=0.1),
            "events must not be above total, got 2 of 1",
        ),
        (
            lambda: history.update(history.new(1), [1], [2], limit=1.0),
            "limit must be inside (0, 1), got 1",
        ),
        (
            lambda: history.update(history.new(1), [1], [2], limit=0.1, exponents=1.5),
            "exponents must not be above 1, got 1.5",
        ),
        (
            lambda: history.update(history.new(1), [1], [2], limit=0.1, exponents=[1.0, 1.0]),
            "exponents must fit (12, 1), got shape (2, 1)",
        ),
        (
            lambda: history.weekly_exponents(np.ones((2, 5)), np.ones((2, 5))),
            "there must be at least 3 weeks, got 2",
        ),
        (
            lambda: history.weekly_exponents(np.ones(5), np.ones(5)),
            "events and totals must be weeks by hours, got (5,) and (5,)",
        ),
        (
            lambda: history.weekly_exponents(np.zeros((3, 2)), np.zeros((3, 2))),
            "totals must hold requests of more than one week, got none",
        ),
    ],
)
def test_says_which_argument_is_wrong(call, message):
    """Nothing that means nothing gets into the evidence."""
    with pytest.raises(ValueError) as caught:
        call()

    assert message in str(caught.value)
