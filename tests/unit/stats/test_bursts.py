"""
Slow requests come in bursts: what a bound on each tick's factor does to the tests that count them.

Ticks are of a second with 200 requests. The bounds are what `usecases.estimators.latency` gives them.
"""

import math

import numpy as np
import pytest

from tidegate.stats import harm, history, mixture

A_SECOND = math.log(10.0) / 10.0
REQUESTS = 200.0
CALM, IN_A_BURST = 0.05, 0.6
LIMIT = 0.07
"""Above the rate in the long run, bursts and all: 0.05 + 0.55 * 3 / 123 = 0.063."""


def slow_requests(runs, *, seconds, seed):
    """Draw seconds of runs that are mostly calm; every two minutes or so three of them are slow."""
    random = np.random.default_rng(seed)
    left = np.zeros(runs)
    for _ in range(seconds):
        begins = (left == 0) & (random.random(runs) < 1 / 120)
        left = np.where(begins, 3, left)
        rate = np.where(left > 0, IN_A_BURST, CALM)
        left = np.maximum(left - 1, 0)
        yield random.binomial(int(REQUESTS), rate).astype(float)


class Past:
    """The test against the past: a limit that the bursts keep to in the long run."""

    def new(self, streams):
        return history.new(streams)

    def update(self, state, slow, most):
        total = np.full(state.streams, REQUESTS)
        return history.update(state, slow, total, limit=LIMIT, most_log_factor=most)

    def value(self, state):
        return history.log_e_value(state)


class PastOfFewer(Past):
    """The same with a power that makes 200 requests as many witnesses as ten."""

    def update(self, state, slow, most):
        total = np.full(state.streams, 10.0)
        return history.update(
            state, slow * 10.0 / REQUESTS, total, limit=LIMIT, most_log_factor=most
        )


class Siblings:
    """The test against other targets' baselines, which have no bursts: as many requests, as calm."""

    def new(self, streams):
        return harm.new(streams, null_ratio=2.0)

    def update(self, state, slow, most):
        total = slow + CALM * REQUESTS
        return harm.update(state, slow, total, 0.5, most_log_factor=most)

    def value(self, state):
        return harm.log_e_value(state)


TESTS = [
    pytest.param(Past(), id="past"),
    pytest.param(PastOfFewer(), id="past-of-fewer"),
    pytest.param(Siblings(), id="siblings"),
]


def highest_over(test, runs, *, most, seconds=600):
    state, highest = test.new(runs), np.full(runs, -np.inf)
    for slow in slow_requests(runs, seconds=seconds, seed=5):
        state = test.update(state, slow, most)
        highest = np.maximum(highest, test.value(state))
    return highest


@pytest.mark.parametrize("test", TESTS)
def test_bursts_of_a_harmless_candidate_seldom_halt(test, runs, stays_below):
    """Ten minutes with five bursts: unbounded a seventh to a half of them halt, bounded none should."""
    bounded = highest_over(test, runs, most=A_SECOND)
    unbounded = highest_over(test, runs, most=None)

    assert stays_below(bounded >= math.log(20), 0.05)
    assert stays_below(bounded >= math.log(200), 0.005)
    assert not stays_below(unbounded >= math.log(200), 0.1)


@pytest.mark.parametrize("test", TESTS)
def test_a_second_gains_what_it_is_bounded_to(test):
    """All are slow: every bet wins more than it may, and so all of what was staked grows by that."""
    after = test.update(test.new(1), np.array([REQUESTS]), A_SECOND)

    gain = math.exp(A_SECOND)
    assert test.value(after)[0] == pytest.approx(math.log(0.7 * gain + 0.3))


@pytest.mark.parametrize("test", TESTS)
def test_losses_are_not_bounded(test):
    """A second without slow requests costs all that it costs, to the bit."""
    none = np.array([0.0])

    bounded = test.update(test.new(1), none, A_SECOND)

    unbounded = test.update(test.new(1), none, None)
    assert bounded.to_lists() == unbounded.to_lists()
    assert test.value(bounded)[0] < -0.4


def test_the_bound_is_for_all_strata_together():
    """A tick that is split by zone proves no more than one that isn't."""
    state = harm.new(1)

    after = harm.update(state, [[120.0], [120.0]], [[130.0], [130.0]], 0.5, most_log_factor=[0.5])

    assert after.log_started - state.log_started == pytest.approx(np.full((12, 1), 0.5))


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize(
    ("most", "message"),
    [
        (-0.1, "most_log_factor must not be negative, got -0.1"),
        (math.inf, "most_log_factor must be finite, got inf"),
        ([0.1, 0.1], "most_log_factor must have shape (1,), got (2,)"),
    ],
)
def test_says_which_bound_is_wrong(test, most, message):
    """A bound that means nothing would silently bound nothing, or make evidence vanish."""
    with pytest.raises(ValueError) as caught:
        test.update(test.new(1), np.array([1.0]), most)

    assert message in str(caught.value)


def test_bets_within_their_bound_keep_their_bits():
    """Only what would gain more is changed, stream by stream."""
    before = np.array([[-1.0, -1.0], [-2.0, -2.0]])
    after = np.array([[0.1, 0.1], [-3.0, -1.9]])

    bounded = mixture.bounded(before, after, [0.3, 2.0])

    assert bounded == pytest.approx(np.array([[-0.7, 0.1], [-3.0, -1.9]]))
    assert bounded[:, 1].tolist() == after[:, 1].tolist()
