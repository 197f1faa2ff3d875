"""The others' rules, against examples that can be followed by hand."""

import numpy as np
import pytest
from detecting import peers
from detecting.streams import TICKS_PER_HOUR, Tick

ALPHAS = (0.05,)


def a_tick(index: int, candidate: tuple[float, float], baseline: tuple[float, float]) -> Tick:
    """Return a tick of one run from (bad, total) of each arm."""
    nothing = np.zeros(1)
    return Tick(
        index=index,
        starting=False,
        share=0.05,
        baseline_rate=nothing,
        baseline_expected=nothing,
        candidate_bad=np.array([candidate[0]]),
        candidate_total=np.array([candidate[1]]),
        baseline_bad=np.array([baseline[0]]),
        baseline_total=np.array([baseline[1]]),
        candidate_users=np.array([candidate[0]]),
        baseline_users=np.array([baseline[0]]),
        shard_bad=None,
        shard_total=None,
        information=nothing,
    )


def first_halt(rule: peers.Rule[Tick], ticks: list[Tick]) -> int | None:
    """Return the index of the first tick at which *rule* halts."""
    return next((tick.index for tick in ticks if rule.look(tick)[0, 0]), None)


def test_flagger_rolls_back_at_its_fifth_failed_minute() -> None:
    """Minutes of 98 % fail the check of 99 %: with threshold 5 the fifth ends it, at tick 29."""
    ticks = [a_tick(index, (2.0, 100.0), (0.0, 1900.0)) for index in range(60)]

    assert first_halt(peers.flagger(1, ALPHAS), ticks) == 29


def test_flagger_accepts_just_99_per_cent() -> None:
    """The range's minimum is still inside it."""
    ticks = [a_tick(index, (1.0, 100.0), (0.0, 1900.0)) for index in range(360)]

    assert first_halt(peers.flagger(1, ALPHAS), ticks) is None


def test_argo_fails_at_its_fourth_failed_measurement_in_all() -> None:
    """With failureLimit 3 the fourth failure ends it, good measurements in between or not."""
    bad_in_these = {0, 2, 3, 7}
    ticks = [
        a_tick(index, (10.0 if index // 30 in bad_in_these else 0.0, 100.0), (0.0, 1900.0))
        for index in range(300)
    ]

    assert first_halt(peers.argo_rollouts(1, ALPHAS), ticks) == 7 * 30 + 29


def test_a_time_without_requests_passes_a_threshold() -> None:
    """As in their documentation's `isNaN(result) ||`: no data is no failure."""
    ticks = [a_tick(index, (0.0, 0.0), (0.0, 1900.0)) for index in range(360)]

    assert first_halt(peers.flagger(1, ALPHAS), ticks) is None


def test_kayenta_judges_a_clear_shift_as_high_and_none_as_pass() -> None:
    """A series that lies wholly above the other is high; the same series, and a lower one, are not."""
    random = np.random.default_rng(1)
    control = random.uniform(0.1, 0.2, (1, 60))

    assert peers.Kayenta.is_high(control + 0.1, control).all()
    assert not peers.Kayenta.is_high(control, control).any()
    assert not peers.Kayenta.is_high(control - 0.1, control).any()


def test_kayenta_takes_the_interval_that_r_would() -> None:
    """For 60 points each without ties the lower end is the 1,357th of the 3,600 differences."""
    # sd = sqrt(60 * 60 * 121 / 12) = 190.53; 1800 - 2.3263 * 190.53 - 0.5 = 1356.3
    control = np.arange(60.0)[None, :]
    spread = np.sort((control.T - control).ravel())
    at_the_limit = -spread[1356]

    # The estimate is the shift, so that the interval must end above a quarter of it.
    low, high = 4.0 / 3.0 * at_the_limit - 0.3, 4.0 / 3.0 * at_the_limit + 1.5
    assert not peers.Kayenta.is_high(control + low, control).any()
    assert peers.Kayenta.is_high(control + high, control).all()


def test_kayenta_judges_when_the_hour_is_over_and_not_before() -> None:
    """A candidate that fails ten times as often is found at the last tick of the first hour."""
    random = np.random.default_rng(2)
    ticks = [
        a_tick(
            index,
            (float(random.binomial(100, 0.1)), 100.0),
            (float(random.binomial(1900, 0.01)), 1900.0),
        )
        for index in range(TICKS_PER_HOUR + 1)
    ]

    assert first_halt(peers.Kayenta(1, ALPHAS), ticks) == TICKS_PER_HOUR - 1


def test_the_z_test_agrees_with_a_calculation_by_hand() -> None:
    """16 of 1,000 against 8 of 1,000: z is 1.643, short of 1.960; 20 against 8: 2.283, beyond."""
    short = a_tick(0, (16.0, 1000.0), (8.0, 1000.0))
    beyond = a_tick(0, (20.0, 1000.0), (8.0, 1000.0))

    assert first_halt(peers.RepeatedZ(1, ALPHAS), [short]) is None
    assert first_halt(peers.RepeatedZ(1, ALPHAS), [beyond]) == 0
    assert first_halt(peers.RepeatedZ(1, (0.01,)), [beyond]) is None


def test_the_z_test_waits_until_it_may_be_used() -> None:
    """With fewer than 5 events to expect in an arm the textbook forbids it."""
    ticks = [a_tick(0, (4.0, 50.0), (10.0, 950.0))]

    assert first_halt(peers.RepeatedZ(1, ALPHAS), ticks) is None


@pytest.mark.parametrize(
    ("row", "term"), [([1, 2, 3], 0), ([1, 1, 2], 6), ([1, 1, 1], 24), ([1, 1, 2, 2, 2, 2], 66)]
)
def test_ties_are_counted_as_the_test_of_ranks_does(row: list[float], term: float) -> None:
    """The sum of t^3 - t over groups of t equal values."""
    assert peers.tie_term(np.array([row], dtype=float)) == pytest.approx([term])
