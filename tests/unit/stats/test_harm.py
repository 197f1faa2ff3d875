"""The halting test: right by hand, right as often as promised, and unforgiving to bad input."""

import math

import numpy as np
import pytest

from tidegate.stats import harm, mixture

RAMP = (0.01, 0.05, 0.25, 0.5)


def highest_over(world, *, true_share=True, best_only=False):
    """Return each run's highest log e-value, of the test or of a wrong variant of it."""
    state = harm.new(world.runs)
    highest = np.full(world.runs, -np.inf)
    for tick in world:
        share = tick.share if true_share else world.weights[0]
        state = harm.update(
            state, tick.candidate_bad, tick.total_bad, share, starting=tick.starting
        )
        value = harm.log_e_value(state)
        if best_only:
            weights = mixture.log_weights(state.ratios) + math.log(mixture.START_STAKE)
            value = (state.log_started - weights[:, None]).max(axis=0)
        highest = np.maximum(highest, value)
    return highest


def test_one_alternative_is_the_likelihood_ratio_worked_by_hand():
    """2 of 3 events at a 25 % share, bet on twice as bad: 2^2 / 1.25^3 = 2.048, 7/10 staked."""
    state = harm.new(1, ratios=[2.0])

    state = harm.update(state, [2], [3], [0.25])

    assert harm.log_e_value(state)[0] == pytest.approx(math.log(0.7 * 2.048 + 0.3))


def test_a_margin_moves_the_share_as_worked_by_hand():
    """At a null ratio of 3 a 25 % share acts like 3 * .25 / (.75 + .75) = 50 %."""
    state = harm.new(1, ratios=[2.0], null_ratio=3.0)

    state = harm.update(state, [2], [3], [0.25])

    assert harm.log_e_value(state)[0] == pytest.approx(math.log(0.7 * 4.0 / 1.5**3 + 0.3))


def test_a_margin_of_a_tick_holds_for_that_tick_alone():
    """While caches are cold only gross harm counts; before and after the test is what it was."""
    strict, gross = harm.new(1, ratios=[2.0]), harm.new(1, ratios=[2.0], null_ratio=3.0)

    cold = harm.update(strict, [2], [3], [0.25], margin=3.0)
    warm = harm.update(cold, [2], [3], [0.25])

    assert np.array_equal(cold.log_started, harm.update(gross, [2], [3], 0.25).log_started)
    factor = harm.update(strict, [2], [3], 0.25).log_started - strict.log_started
    assert warm.log_started - cold.log_started == pytest.approx(factor)
    assert cold.null_ratio[0] == 1.0


def test_a_harmless_warm_up_is_halted_at_most_as_often_as_promised(a_world, stays_below):
    """Twice as bad while cold is tolerated with a margin of 2 for those ticks, and only with it."""
    cold = a_world(ticks=150, candidate_rate=lambda rate: 2.0 * rate)
    warm = a_world(ticks=150, seed=2)
    tolerant, strict = harm.new(cold.runs), harm.new(cold.runs)
    highest, highest_strict = np.zeros(cold.runs), np.zeros(cold.runs)

    for world, margin in ((cold, 2.0), (warm, 1.0)):
        for tick in world:
            counts = (tick.candidate_bad, tick.total_bad, tick.share)
            tolerant = harm.update(tolerant, *counts, margin=margin)
            strict = harm.update(strict, *counts)
            highest = np.maximum(highest, harm.log_e_value(tolerant))
            highest_strict = np.maximum(highest_strict, harm.log_e_value(strict))

    assert stays_below(highest >= math.log(20), 0.05)
    assert not stays_below(highest_strict >= math.log(20), 0.05)


def test_a_restart_begins_a_further_part_of_the_stake():
    """The first restart stakes 3/20: 7/10 LR1 LR2 + 3/20 LR2 + 3/20 in cash."""
    state = harm.new(1, ratios=[2.0])
    state = harm.update(state, [1], [1], [0.5])

    state = harm.update(state, [1], [2], [0.5], starting=True)

    first, second = 2.0 / 1.5, 2.0 / 1.5**2
    expected = 0.7 * first * second + 0.15 * second + 0.15
    assert harm.log_e_value(state)[0] == pytest.approx(math.log(expected))


@pytest.mark.parametrize("restarts", [0, 1, 7, 1000])
def test_stakes_sum_to_one_whatever_the_number_of_restarts(restarts):
    """With no events the value is exactly the stake: nobody can start more than there is."""
    state = harm.new(1)

    for _ in range(restarts):
        state = harm.update(state, [0], [0], [0.1], starting=True)

    assert harm.log_e_value(state)[0] == pytest.approx(0.0, abs=1e-9)


def test_a_tick_without_events_changes_nothing_to_the_bit():
    """Silence is neither for nor against the candidate in this test."""
    state = harm.update(harm.new(3), [1, 0, 4], [5, 2, 4], [0.1, 0.2, 0.3])

    after = harm.update(state, 0, 0, 0.37)

    assert np.array_equal(after.log_started, state.log_started)
    assert np.array_equal(after.restarts, state.restarts)


def test_strata_multiply():
    """Two zones in one tick are worth what they are worth one after the other."""
    state = harm.new(2)
    split = ([[1, 2], [3, 0]], [[4, 4], [9, 5]], [[0.1, 0.2], [0.3, 0.4]])

    together = harm.update(state, *split, starting=True)

    apart = harm.update(state, split[0][0], split[1][0], split[2][0], starting=True)
    apart = harm.update(apart, split[0][1], split[1][1], split[2][1])
    assert np.array_equal(together.log_started, apart.log_started)


def test_a_loss_of_good_events_is_harm_on_the_grid_down():
    """Orders at half the baseline's rate halt; orders at the baseline's rate don't."""
    state = harm.new(2, ratios=mixture.RATIOS_DOWN)

    for _ in range(30):
        state = harm.update(state, [5, 10], [195, 200], 0.05)

    lost, healthy = harm.log_e_value(state)
    assert lost > math.log(100)
    assert healthy < 0.0


def test_a_million_events_a_tick_stay_finite():
    """Log space holds at any traffic, for a healthy candidate and for one that fails wholly."""
    state = harm.new(2)

    for _ in range(100):
        state = harm.update(state, [1e4, 1e6], [1e6, 1e6], 0.01)

    values = harm.log_e_value(state)
    assert np.isfinite(state.log_started).all()
    assert values[0] < 0.0
    assert values[1] > 1e6


@pytest.mark.parametrize("weights", [(0.05,), RAMP], ids=["constant", "ramp"])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_a_harmless_candidate_is_halted_at_most_as_often_as_promised(
    a_world, stays_below, weights, alpha
):
    """Drift common to both arms and growing weights make no false halts, looking at each tick."""
    world = a_world(weights=weights)

    highest = highest_over(world)

    assert stays_below(highest >= -math.log(alpha), alpha)


def test_a_harmless_loss_of_good_events_is_halted_at_most_as_often_as_promised(
    a_world, stays_below
):
    """The grid down keeps the same promise."""
    world = a_world(baseline_rate=0.02, weights=RAMP)
    state = harm.new(world.runs, ratios=mixture.RATIOS_DOWN)
    highest = np.zeros(world.runs)

    for tick in world:
        state = harm.update(state, tick.candidate_bad, tick.total_bad, tick.share)
        highest = np.maximum(highest, harm.log_e_value(state))

    assert stays_below(highest >= math.log(20), 0.05)


def test_a_candidate_within_the_margin_is_halted_at_most_as_often_as_promised(a_world, stays_below):
    """A margin of 1.2 tolerates 1.2; without the margin the same candidate is found out."""
    world = a_world(ticks=600, weights=(0.25,), candidate_rate=lambda rate: 1.2 * rate)
    tolerant = harm.new(world.runs, null_ratio=1.2)
    strict = harm.new(world.runs)
    highest, highest_strict = np.zeros(world.runs), np.zeros(world.runs)

    for tick in world:
        tolerant = harm.update(tolerant, tick.candidate_bad, tick.total_bad, tick.share)
        strict = harm.update(strict, tick.candidate_bad, tick.total_bad, tick.share)
        highest = np.maximum(highest, harm.log_e_value(tolerant))
        highest_strict = np.maximum(highest_strict, harm.log_e_value(strict))

    assert stays_below(highest >= math.log(20), 0.05)
    assert not stays_below(highest_strict >= math.log(20), 0.05)


def test_the_check_rejects_a_test_that_keeps_the_first_share(a_world, stays_below):
    """Pooling over a ramp (Simpson's paradox) halts nearly everything, and the check sees it."""
    world = a_world(weights=RAMP)

    highest = highest_over(world, true_share=False)

    assert not stays_below(highest >= math.log(20), 0.05)


def test_the_check_rejects_a_test_that_picks_the_best_alternative(a_world, stays_below):
    """A maximum over the grid isn't a mixture; the check sees that too."""
    world = a_world()

    highest = highest_over(world, best_only=True)

    assert not stays_below(highest >= math.log(20), 0.05)


def test_finds_harm_within_the_information_limit(a_world):
    """A doubling is halted at 1.8 times the least that any valid test needs, or sooner."""
    world = a_world(ticks=800, candidate_rate=lambda rate: 2.0 * rate, seed=4)
    state = harm.new(world.runs)
    halted = np.zeros(world.runs, dtype=bool)
    spent = np.zeros(world.runs)

    for tick in world:
        # The mean of what two arms with this many events together tell of a doubling.
        doubled = tick.share * 2.0 * math.log(2.0) - (1.0 + tick.share) * np.log1p(tick.share)
        spent += np.where(halted, 0.0, tick.total_bad * doubled / (1.0 + tick.share))
        state = harm.update(state, tick.candidate_bad, tick.total_bad, tick.share)
        halted |= harm.log_e_value(state) >= math.log(20)

    assert halted.mean() > 0.99
    assert spent.mean() <= 1.8 * math.log(20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([-1.0], [2.0], [0.1]), "candidate_events must not be negative, got -1 at [0]"),
        (([3.0], [2.0], [0.1]), "candidate_events must not be above total_events, got 3 of 2"),
        (([np.nan], [2.0], [0.1]), "candidate_events must be finite, got nan at [0]"),
        (([1.0], [np.inf], [0.1]), "total_events must be finite, got inf at [0]"),
        (([1.0], [2.0], [1.0]), "candidate_share must be inside (0, 1), got 1 at [0]"),
        (([1.0], [2.0], 0.0), "candidate_share must be inside (0, 1), got 0"),
        (([1.0], [2.0], [np.nan]), "candidate_share must be finite, got nan at [0]"),
        (([1.0, 1.0], [2.0, 2.0], 0.1), "must have shape (1,) or (strata, 1), got (2,)"),
        ((["x"], [2.0], [0.1]), "candidate_events must be numbers"),
    ],
)
def test_says_which_argument_is_wrong(arguments, message):
    """Nothing that means nothing gets into the evidence."""
    state = harm.new(1)

    with pytest.raises(ValueError) as caught:
        harm.update(state, *arguments)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ratios": [0.5, 2.0]}, "ratios must all be above 1 or all below 1"),
        ({"ratios": []}, "ratios must all be above 1 or all below 1"),
        ({"ratios": [1.0]}, "ratios must all be above 1 or all below 1"),
        ({"null_ratio": 0.0}, "null_ratio must be above 0, got 0"),
        ({"null_ratio": [1.0, 1.0]}, "null_ratio must have shape (1,), got (2,)"),
    ],
)
def test_refuses_to_start_with_a_senseless_grid(arguments, message):
    """A grid on both sides of 1 would be no one-sided test."""
    with pytest.raises(ValueError) as caught:
        harm.new(1, **arguments)

    assert message in str(caught.value)


def test_refuses_a_mass_where_a_flag_is_meant():
    """How much starts is the series' business and not the caller's."""
    with pytest.raises(ValueError) as caught:
        harm.update(harm.new(1), [0], [0], 0.1, starting=[0.25])

    assert "starting must be true or false" in str(caught.value)
