"""Whether the candidate gets the share of requests it was assigned."""

import math

import numpy as np
import pytest

from tidegate.stats import harm, traffic


def highest_over(runs, *, share=0.1, true_ratio=1.0, margin=1.0, bursts=1.0, exponent=1.0):
    """Return each run's highest log e-value over a day of requests that come in bursts."""
    random = np.random.default_rng(9)
    state = traffic.new(runs, margin=margin)
    highest = np.full(runs, -np.inf)

    def requests(expected):
        users = random.poisson(expected / bursts, runs)
        return users + random.poisson(random.standard_gamma(users) * (bursts - 1.0))

    for index in range(400):
        day = 1.0 + 0.8 * math.sin(index / 60.0)
        weight = share if index < 200 else 3.0 * share
        ours = requests(200.0 * day * weight * true_ratio).astype(float)
        total = ours + requests(200.0 * day * (1.0 - weight))
        state = traffic.update(
            state, ours, total, weight, exponent=exponent, starting=index % 50 == 49
        )
        highest = np.maximum(highest, traffic.log_e_value(state))
    return highest


def test_a_tick_is_right_by_hand():
    """3 of 4 requests at a share of 1/2: bets on 2 and on 1/2 multiply by 2^3/1.5^4 and 1/2^3/.75^4."""
    state = traffic.new(1, margin=1.0)

    after = traffic.update(state, [3], [4], 0.5)

    change = np.exp(after.log_started - state.log_started)[:, 0]
    assert change[state.ratios == 2.0] == pytest.approx(8.0 / 1.5**4)
    assert change[state.ratios == 0.5] == pytest.approx(0.125 / 0.75**4)


@pytest.mark.parametrize(("ours", "grid"), [(90.0, slice(0, 12)), (30.0, slice(12, 24))])
def test_each_side_is_the_test_of_harm_with_its_margin(ours, grid):
    """The margin is a ratio above 1 on one side and its reciprocal on the other."""
    state = traffic.new(1, margin=1.25)
    side = 1.25 if grid.start == 0 else 0.8
    plain = harm.new(1, ratios=state.ratios[grid], null_ratio=side)

    after = traffic.update(state, [ours], [200.0], 0.3)

    expected = harm.update(plain, [ours], [200.0], 0.3).log_started - plain.log_started
    assert (after.log_started - state.log_started)[grid] == pytest.approx(expected)


def test_as_assigned_is_reported_at_most_as_often_as_promised(runs, stays_below):
    """Over a day's rhythm and a change of the weight."""
    highest = highest_over(runs)

    assert stays_below(highest >= math.log(20), 0.05)
    assert stays_below(highest >= math.log(100), 0.01)


@pytest.mark.parametrize("true_ratio", [1.2, 1.0 / 1.2])
def test_a_share_within_the_margin_is_tolerated(runs, stays_below, true_ratio):
    """A sixth too many or too few of sticky users' requests is no harm, and is found without it."""
    tolerant = highest_over(runs, true_ratio=true_ratio, margin=1.2)
    strict = highest_over(runs, true_ratio=true_ratio)

    assert stays_below(tolerant >= math.log(20), 0.05)
    assert not stays_below(strict >= math.log(20), 0.05)


def test_the_check_rejects_bursts_taken_as_single_requests(runs, stays_below):
    """Bursts of 3 scatter 5 times as much; an exponent well below a fifth is what that needs."""
    plain = highest_over(runs, bursts=3.0)
    weighed = highest_over(runs, bursts=3.0, exponent=0.15)

    assert not stays_below(plain >= math.log(20), 0.05)
    assert stays_below(weighed >= math.log(20), 0.05)


@pytest.mark.parametrize("true_ratio", [0.5, 2.0])
def test_a_wrong_share_is_found_on_both_sides(runs, true_ratio):
    """Half of the assigned requests, and twice as many."""
    highest = highest_over(runs, true_ratio=true_ratio, margin=traffic.MARGIN)

    assert (highest >= math.log(100)).all()


def test_a_tick_without_requests_changes_nothing_to_the_bit():
    """No traffic at all is neither too few nor too many; that's for the quality of data."""
    state = traffic.update(traffic.new(1), [30], [100], 0.3)

    after = traffic.update(state, [0], [0], 0.3)

    assert after.to_lists() == state.to_lists()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: traffic.new(1, margin=0.9), "margin must be at least 1, got 0.9"),
        (
            lambda: traffic.update(traffic.new(1), [2], [1], 0.5),
            "candidate_events must not be above total_events, got 2 of 1",
        ),
        (
            lambda: traffic.update(traffic.new(1), [1], [2], 1.0),
            "candidate_share must be inside (0, 1), got 1",
        ),
        (
            lambda: traffic.update(traffic.new(1), [1], [2], 0.5, exponent=1.5),
            "exponent must not be above 1, got 1.5",
        ),
        (
            lambda: traffic.update(traffic.new(1), [1], [2], 0.5, exponent=0.0),
            "exponent must be above 0, got 0",
        ),
    ],
)
def test_says_which_argument_is_wrong(call, message):
    """Nothing that means nothing gets into the evidence."""
    with pytest.raises(ValueError) as caught:
        call()

    assert message in str(caught.value)
