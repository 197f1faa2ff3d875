"""The test that learns from shards of the baseline how much its events scatter."""

import math

import numpy as np
import pytest

from tidegate.stats import difference, harm, mixture, placebo, safe

SHARDS = 8


def play(*, runs, ticks, ratio=1.0, excess=0.0, bursts=2.0, share=0.1, seed=8):
    """Yield candidate events, shard events and exposures of ticks whose events come in bursts."""
    random = np.random.default_rng(seed)
    level = np.zeros(runs)
    for _ in range(ticks):
        level = 0.98 * level + 0.1 * random.standard_normal(runs)
        rate = 0.01 * np.exp(level)

        def events(requests, rate):
            users = random.poisson(requests * rate / bursts)
            return users + random.poisson(random.standard_gamma(users) * (bursts - 1.0))

        candidate = events(1000.0 * share, rate * ratio + excess)
        each = 1000.0 * (1.0 - share) / SHARDS
        shards = np.array([events(each, rate) for _ in range(SHARDS)])
        yield candidate.astype(float), shards.astype(float), np.full((SHARDS, runs), each)


def highest_over(runs, ticks, *, share=0.1, tempered=True, null_ratio=1.0):
    plain, state = harm.new(runs, null_ratio=null_ratio), placebo.new(runs, null_ratio=null_ratio)
    highest = np.full(runs, -np.inf)
    for candidate, shards, exposures in ticks:
        counts = (candidate, candidate + shards.sum(axis=0), share)
        if tempered:
            state = placebo.update(state, *counts, shards, exposures)
            value = placebo.log_e_value(state)
        else:
            plain = harm.update(plain, *counts)
            value = harm.log_e_value(plain)
        highest = np.maximum(highest, value)
    return highest


def test_a_tick_multiplies_by_the_likelihood_ratio_to_a_power_known_before():
    """2 of 3 events at a 25 % share, bet on twice as bad: 2.048 to the power the prior allows."""
    state = placebo.new(1, ratios=[2.0])
    power = placebo.exponent(state, 2.0)[0]

    after = placebo.update(state, [2], [3], 0.25, np.full(SHARDS, 9.0), np.full(SHARDS, 100.0))

    assert 0.1 < power < 0.15
    expected = math.log(0.7 * 2.048**power + 0.3)
    assert placebo.log_e_value(after)[0] == pytest.approx(expected)


def test_a_trial_is_what_a_shard_makes_as_candidate_worked_by_hand():
    """One of 8 equal shards has the only two events: r^2 / D^2 for it and 1 / D^2 for seven others."""
    state = placebo.new(1)
    events = np.zeros(SHARDS)
    events[3] = 2.0

    after = placebo.update(state, 0, 0, 0.5, events, np.full(SHARDS, 10.0))

    place = placebo.CALIBRATED_RATIOS.index(4.0) * placebo.EXPONENT_STEPS
    full, half = place + placebo.EXPONENT_STEPS - 1, place + placebo.EXPONENT_STEPS // 2 - 1
    cost = 1.0 + (4.0 - 1.0) / SHARDS
    gained = (after.sums - state.sums)[:, 0]
    assert after.trials[0] - state.trials[0] == SHARDS
    assert gained[full] == pytest.approx((4.0 / cost) ** 2 + 7.0 / cost**2)
    assert gained[half] == pytest.approx(4.0 / cost + 7.0 / cost)


def test_a_small_candidate_is_played_at_its_own_share():
    """At 1 % the others' events count as those of an arm 99 times as large."""
    state = placebo.new(1)
    events = np.zeros(SHARDS)
    events[0] = 1.0

    after = placebo.update(state, 0, 0, 0.01, events, np.full(SHARDS, 10.0))

    full = (placebo.CALIBRATED_RATIOS.index(2.0) + 1) * placebo.EXPONENT_STEPS - 1
    cost = 1.01
    expected = 2.0 / cost + 7.0 * cost ** -(99.0 / 7.0)
    assert (after.sums - state.sums)[full, 0] == pytest.approx(expected)


def test_independent_events_are_soon_trusted_and_bursts_are_not():
    """The power nears 1 for single events, and one over the dispersion for bursts."""
    powers = {}
    for bursts in (1.0, 2.0):
        state = placebo.new(20)
        for candidate, shards, exposures in play(runs=20, ticks=300, bursts=bursts):
            total = candidate + shards.sum(axis=0)
            state = placebo.update(state, candidate, total, 0.1, shards, exposures)
        powers[bursts] = placebo.exponent(state, [1.3] * 20).mean()

    assert powers[1.0] > 0.8
    assert 0.25 < powers[2.0] < 0.36


@pytest.mark.parametrize("bursts", [2.0, 5.0])
def test_a_harmless_candidate_is_halted_at_most_as_often_as_promised(runs, stays_below, bursts):
    """With bursts of 2 and of 5 events on average, from the first tick on."""
    highest = highest_over(runs, play(runs=runs, ticks=250, bursts=bursts))

    assert stays_below(highest >= math.log(20), 0.05)
    assert stays_below(highest >= math.log(100), 0.01)
    # Where the first powers are too bold it shows here: few runs, and those without any bound.
    assert stays_below(highest >= math.log(1000), 0.001)


def test_the_check_rejects_the_test_that_takes_events_as_independent(runs, stays_below):
    """The same ticks halt most harmless candidates without the powers."""
    highest = highest_over(runs, play(runs=runs, ticks=250), tempered=False)

    assert not stays_below(highest >= math.log(20), 0.05)


def test_the_margin_keeps_its_promise_in_bursts(runs, stays_below):
    """1.5 times as bad is tolerated with a margin of 1.5."""
    ticks = play(runs=runs, ticks=200, ratio=1.5, share=0.3)

    highest = highest_over(runs, ticks, share=0.3, null_ratio=1.5)

    assert stays_below(highest >= math.log(20), 0.05)


def test_a_harmful_candidate_is_found(runs):
    """Three times as many failures in bursts halt nearly every run within 200 events of it."""
    highest = highest_over(runs, play(runs=runs, ticks=80, ratio=3.0))

    assert (highest >= math.log(20)).mean() > 0.98


@pytest.mark.parametrize("tempered", [True, False])
def test_safety_is_proven_wrongly_at_most_as_often_as_promised(runs, stays_below, tempered):
    """Counts weighed with the power keep beta for both tests of safety; unweighed they don't."""
    state = placebo.new(runs)
    ratio, exact = safe.new_ratio(runs), difference.new(runs, tolerance=0.02)
    highest = np.zeros((2, runs))
    worse = zip(
        play(runs=runs, ticks=250, ratio=2.0),
        play(runs=runs, ticks=250, excess=0.02),
        strict=True,
    )

    for (twice, shards, exposures), (more, others, _) in worse:
        weights = [placebo.exponent(state, bet) for bet in (0.5, placebo.CAUTIOUS_RATIO)]
        if not tempered:
            weights = [np.ones(runs), np.ones(runs)]
        total = twice + shards.sum(axis=0)
        ratio = safe.update_ratio(ratio, weights[0] * twice, weights[0] * total, 0.1, ratio=2.0)
        arms = (more, np.full(runs, 100.0), others.sum(axis=0), np.full(runs, 900.0))
        exact = difference.update(exact, *(weights[1] * np.minimum(arm, 900.0) for arm in arms))
        state = placebo.update(state, twice, total, 0.1, shards, exposures)
        highest = np.maximum(highest, [ratio.log_e, difference.log_e_value(exact)])

    for each in highest:
        assert stays_below(each >= math.log(20), 0.05) is tempered


def test_shards_that_scatter_without_end_stop_the_bets():
    """Powers fall to nothing, and no evidence is made, when no power is small enough."""
    state = placebo.new(1)
    events = np.zeros(SHARDS)
    events[0] = 1e6

    state = placebo.update(state, 0, 0, 0.1, events, np.full(SHARDS, 1e7))
    after = placebo.update(state, [900.0], [1000.0], 0.1, events, np.full(SHARDS, 1e7))

    assert placebo.exponent(state, 2.0)[0] == 0.0
    assert placebo.log_e_value(after)[0] == pytest.approx(0.0)


def test_a_million_events_a_tick_stay_finite():
    """For a candidate that fails wholly and for one that never does."""
    state = placebo.new(2)

    for _ in range(20):
        state = placebo.update(
            state, [1e6, 0.0], [2e6, 1e6], 0.1, np.full(SHARDS, 1e6 / SHARDS), np.ones(SHARDS)
        )

    assert np.isfinite(placebo.log_e_value(state)).all()
    assert placebo.PlaceboState.from_lists(state.to_lists()).streams == 2


def test_good_events_are_judged_on_the_grid_down():
    """Orders lost are harm; the powers are those of the other side."""
    state = placebo.new(1, ratios=mixture.RATIOS_DOWN)

    for _ in range(60):
        state = placebo.update(
            state, [5.0], [195.0], 0.05, np.full(SHARDS, 190.0 / SHARDS), np.ones(SHARDS)
        )

    assert placebo.log_e_value(state)[0] > math.log(100)


@pytest.mark.parametrize(
    ("shards", "exposures", "message"),
    [
        (np.ones(7), np.ones(7), "there must be at least 8 shards, got 7"),
        (np.ones(8), np.ones(9), "must be of the same shards, got 8 and 9"),
        (np.full(8, -1.0), np.ones(8), "shard_events must not be negative, got -1 at [0]"),
        (np.ones(8), np.full(8, np.nan), "shard_exposures must be finite, got nan at [0]"),
        (np.ones((8, 2)), np.ones(8), "shard_events must have shape (shards,) or (shards, 1)"),
    ],
)
def test_says_which_argument_is_wrong(shards, exposures, message):
    """Too few shards calibrate nothing, and what means nothing is no shard."""
    with pytest.raises(ValueError) as caught:
        placebo.update(placebo.new(1), [0], [1], 0.1, shards, exposures)

    assert message in str(caught.value)


def test_a_stored_state_of_other_powers_is_refused():
    """Sums mean nothing without the powers they belong to."""
    stored = placebo.new(1).to_lists()
    stored["sums"] = stored["sums"][:-1]

    with pytest.raises(ValueError, match=r"PlaceboState\.sums must have shape"):
        placebo.PlaceboState.from_lists(stored)
