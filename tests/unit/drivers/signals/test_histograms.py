"""Histograms of several processes brought to the same buckets."""

import math

import pytest

from tidegate.domain.health.readings import SeriesCounts
from tidegate.domain.quantities import Arm
from tidegate.drivers.signals.histograms import bound_ms, in_common_buckets


def test_counts_per_bucket_come_from_counts_at_or_below() -> None:
    """The worked example: 3 at or below 5 ms, 10 at or below 10 ms, 12 in all."""
    bounds, arms = in_common_buckets({Arm.CANDIDATE: {"a": {5.0: 3, 10.0: 10, math.inf: 12}}})

    assert bounds == (5.0, 10.0)
    assert arms == {Arm.CANDIDATE: {"a": SeriesCounts(total=12, buckets=(3, 7, 2))}}


def test_only_shared_bounds_remain() -> None:
    """Leaving a bound out adds two buckets together exactly."""
    bounds, arms = in_common_buckets(
        {
            Arm.CANDIDATE: {"a": {5.0: 3, 10.0: 10, math.inf: 12}},
            Arm.BASELINE: {"b": {7.0: 4, 10.0: 6, math.inf: 6}},
        }
    )

    assert bounds == (10.0,)
    assert arms[Arm.CANDIDATE]["a"].buckets == (10, 2)
    assert arms[Arm.BASELINE]["b"].buckets == (6, 0)


def test_a_histogram_that_falls_stays_visible() -> None:
    """Counts that can't be (fewer at or below a higher bound) are passed on as negative buckets."""
    _, arms = in_common_buckets({Arm.BASELINE: {"b": {5.0: 9, 10.0: 6, math.inf: 9}}})

    assert arms[Arm.BASELINE]["b"].buckets == (9, -3, 3)


@pytest.mark.parametrize("arms", [{}, {Arm.CANDIDATE: {}}])
def test_nothing_has_no_bounds(arms: dict[Arm, dict[str, dict[float, float]]]) -> None:
    """Without series there is nothing to compare."""
    bounds, counted = in_common_buckets(arms)

    assert bounds == ()
    assert counted == {}


@pytest.mark.parametrize(
    ("text", "unit_ms", "milliseconds"),
    [("0.07", 1_000.0, 70.0), ("+Inf", 1_000.0, math.inf), ("250", 1.0, 250.0)],
)
def test_bounds_are_exact_milliseconds(text: str, unit_ms: float, milliseconds: float) -> None:
    """Two services that write the same bound differently still share it."""
    assert bound_ms(text, unit_ms) == milliseconds


@pytest.mark.parametrize("text", ["", "NaN", "fast"])
def test_a_bound_is_a_number(text: str) -> None:
    """A bucket without a readable bound isn't a bucket."""
    with pytest.raises(ValueError, match=r".+"):
        bound_ms(text, 1.0)
