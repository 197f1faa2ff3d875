"""The two numbers that a histogram gives to the tests of safety."""

import math

import pytest

from tidegate.stats import latency


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
