"""Which rollout does the harm: by hand, by simulation, and a wrong variant that is found out."""

import math

import numpy as np
import pytest

from tidegate.stats import blame

HOSTS = 40
ROLLOUTS = 4
ALPHA = 0.05
EVENLY = np.full(ROLLOUTS, 1.0 / ROLLOUTS)


def test_two_ticks_agree_with_a_calculation_by_hand() -> None:
    """One bad event on the exposed unit of two gives 3/2; one on the other then takes 1.686 back."""
    state = blame.new(2, 1, ratios=[3.0], prior_shape=2.0)
    exposed = [[1.0, 0.0]]

    first = blame.update(state, [1, 0], exposed, [1, 1])
    second = blame.update(first, [0, 1], exposed, [1, 1])

    # Seven tenths of the stake bet from the start, the rest waits for a restart.
    assert np.exp(blame.log_e_values(first)) == pytest.approx([0.7 * 1.5 + 0.3])
    # Predictions: harmless 3/2.5 and 2/2.5; harmed 3 x 3/3.5 and 2/2.5.
    taken = (3 * 3 / 3.5 + 0.8) / (1.2 + 0.8)
    assert np.exp(blame.log_e_values(second)) == pytest.approx([0.7 * 1.5 / taken + 0.3])


def test_what_hits_all_units_alike_blames_nobody_more() -> None:
    """A tick in which every unit has bad events in proportion to its rate leaves the values as they are."""
    state = blame.new(2, 1, ratios=[2.0])

    after = blame.update(state, [0, 0], [[1.0, 0.0]], [100, 100])

    assert blame.log_e_values(after) == pytest.approx([0.0])


def test_equal_exposure_cannot_be_told_apart() -> None:
    """Two rollouts on the same units have the same value, to the bit, whatever happens there."""
    state = blame.new(3, 2)
    same = [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]]

    for bad in ([3, 0, 0], [1, 5, 0], [0, 0, 1]):
        state = blame.update(state, bad, same, [50, 50, 50])

    first, second = blame.log_e_values(state)
    assert first == second


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (([-1, 0], [[1, 0]], [1, 1]), "bad_events must not be negative"),
        (([1, 0], [[1, 0]], [0, 1]), "bad_events must be 0 without requests"),
        (([1, 0], [[2, 0]], [1, 1]), "exposures must not be above 1"),
        (([1, 0], [[1, 0, 0]], [1, 1]), "exposures must have shape"),
        (([1, math.nan], [[1, 0]], [1, 1]), "bad_events must be finite"),
    ],
)
def test_what_means_nothing_is_refused(
    arguments: tuple[list[float], list[list[float]], list[float]], what: str
) -> None:
    """No number that can't be true gets into the evidence."""
    state = blame.new(2, 1)

    with pytest.raises(ValueError, match=what):
        blame.update(state, *arguments)


def test_weights_above_one_in_all_are_refused() -> None:
    """Weights that promise more than the budget would break the guarantee."""
    state = blame.new(2, 2)

    with pytest.raises(ValueError, match="sum to more than 1"):
        blame.blamed(state, [0.7, 0.7], ALPHA)


def test_a_rollout_that_joins_finds_what_was_learned() -> None:
    """Rearranged with a new rollout, the next tick is as if it had been there, exposing nothing."""
    quiet = [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    both, alone = blame.new(3, 2), blame.new(3, 1)
    for bad in ([3, 1, 0], [1, 2, 0]):
        both = blame.update(both, bad, quiet, [50, 50, 50])
        alone = blame.update(alone, bad, quiet[:1], [50, 50, 50])

    joined = blame.rearranged(alone, [0, 1, 2], [0, None])

    after = blame.update(joined, [0, 4, 1], [[1, 0, 0], [0, 1, 0]], [50, 50, 50])
    expected = blame.update(both, [0, 4, 1], [[1, 0, 0], [0, 1, 0]], [50, 50, 50])
    assert np.array_equal(blame.log_e_values(after), blame.log_e_values(expected))


def test_the_culprit_is_named_first() -> None:
    """With four rollouts in random order over unlike hosts, the one that triples errors is named."""
    named = [_run(seed, culprit=1) for seed in range(60)]

    right = sum(first == 1 for first in named)
    assert right >= 58, f"{right} of 60"


def test_nobody_is_named_when_nothing_is_wrong() -> None:
    """Over 150 worlds without harm, with hosts that differ, naming stays within alpha and 2 errors."""
    blamed = sum(_run(seed, culprit=None) is not None for seed in range(150))

    assert blamed / 150 <= ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / 150)


def test_taking_all_hosts_for_alike_is_found_out() -> None:
    """The same worlds break the bound when hosts' own rates aren't learned: the check has teeth."""
    blamed = sum(_run(seed, culprit=None, prior_shape=1e6) is not None for seed in range(60))

    assert blamed / 60 > ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / 60)


def _run(seed: int, *, culprit: int | None, prior_shape: float = blame.PRIOR_SHAPE) -> int | None:
    """Roll four changes out over hosts in random order for five hours; return who is named first."""
    random = np.random.default_rng(seed)
    rates = 0.1 * np.exp(random.normal(0.0, 0.6, HOSTS))
    begins = random.uniform(0.0, 60.0, ROLLOUTS)
    orders = np.array([random.permutation(HOSTS) for _ in range(ROLLOUTS)])
    state = blame.new(HOSTS, ROLLOUTS, prior_shape=prior_shape)
    for minute in range(300):
        reached = np.clip((minute - begins) / 180.0, 0.0, 1.0) * HOSTS
        exposed = (orders < reached[:, None]).astype(np.float64)
        harm = 1.0 if culprit is None else 1.0 + 2.0 * exposed[culprit]
        time_of_day = 1.0 + 0.6 * math.sin(minute / 60.0)
        bad = random.poisson(rates * time_of_day * harm)
        state = blame.update(state, bad, exposed, np.ones(HOSTS), starting=minute % 60 == 59)
        named = blame.blamed(state, EVENLY, ALPHA)
        if named:
            return named[0]
    return None
