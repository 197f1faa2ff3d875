"""Histograms with exponential buckets, counted into a grid that depends on their resolution alone."""

import math
from typing import Any

import pytest

from tidegate.drivers.signals.exponential import (
    ExponentialHistogram,
    in_grid,
    of_otlp,
    of_prometheus,
)

SECONDS_MS = 1_000.0

SHOWN: dict[str, Any] = {
    # As a Prometheus 2.42 answered for a histogram of schema 3.
    "count": "13",
    "sum": "0.711",
    "buckets": [
        [0, "0.0078125", "0.008519591661447326", "10"],
        [0, "0.028656376350145972", "0.03125", "1"],
        [0, "0.29730177875068026", "0.3242098886627524", "2"],
    ],
}


def grid_of(document: dict[str, Any], unit_ms: float = SECONDS_MS) -> dict[float, float]:
    histogram = of_prometheus(document)
    assert histogram is not None
    return dict(in_grid(histogram, unit_ms))


def exactly(total: float, *buckets: tuple[float, float, float]) -> dict[str, Any]:
    shown = [[0, repr(left), repr(right), repr(count)] for left, right, count in buckets]
    return {"count": repr(total), "sum": "1", "buckets": shown}


def test_a_finer_histogram_is_counted_exactly() -> None:
    """The worked example: each bucket lies within one of the grid's, so nothing is estimated."""
    grid = grid_of(SHOWN)

    bounds = sorted(bound for bound in grid if math.isfinite(bound))
    assert [grid[bound] for bound in bounds if bound < 7.8][-1] == 0
    assert grid[7.8125] == 0
    assert grid[round(1_000 * 2**-6.75, 6)] == 10
    assert grid[31.25] == 11
    assert grid[round(1_000 * 2**-1.75, 6)] == 11
    assert grid[round(1_000 * 2**-1.5, 6)] == 13
    assert grid[math.inf] == 13


def test_the_grid_reaches_from_a_tenth_of_a_millisecond_to_ten_minutes() -> None:
    """Its bounds rise by 2^(1/4), all of them inside that range."""
    bounds = sorted(bound for bound in grid_of(SHOWN) if math.isfinite(bound))

    assert 0.1 <= bounds[0] < 0.12
    assert 500_000 < bounds[-1] <= 600_000
    assert bounds[50] / bounds[49] == pytest.approx(2**0.25, rel=1e-6)


@pytest.mark.parametrize("schema", [2, 3, 5, 8])
def test_buckets_that_fill_up_later_change_no_bound(schema: int) -> None:
    """An empty histogram, one bucket or many: the bounds are the same, so differences can be made."""
    base = 2 ** (2**-schema)

    empty = grid_of(exactly(0.0))
    one = grid_of(exactly(3.0, (1 / base, 1.0, 3.0)))
    many = grid_of(exactly(5.0, (1 / base, 1.0, 3.0), (base**7, base**8, 2.0)))

    assert empty.keys() == one.keys() == many.keys()


def test_a_coarser_histogram_keeps_its_own_bounds() -> None:
    """Where a bucket crosses bounds of the grid, those aren't there: nothing is interpolated."""
    grid = grid_of(exactly(9.0, (0.25, 0.5, 4.0), (0.5, 1.0, 5.0)))

    assert grid[500.0] == 4
    assert grid[1_000.0] == 9
    assert not [bound for bound in grid if 500 < bound < 1_000]


def test_what_is_outside_the_grid_is_still_counted() -> None:
    """Microseconds are in the first bucket, hours above the last bound."""
    grid = grid_of(exactly(7.0, (2.0**-20.25, 2.0**-20, 3.0), (2.0**12.75, 2.0**13, 4.0)))

    finite = sorted(bound for bound in grid if math.isfinite(bound))
    assert grid[finite[0]] == 3
    assert grid[finite[-1]] == 3
    assert grid[math.inf] == 7


def test_the_bucket_around_zero_hides_what_it_covers() -> None:
    """Bounds inside it can't be counted at, since it doesn't say what is below them."""
    grid = grid_of(
        {
            "count": "5",
            "buckets": [[3, "-0.001", "0.001", "2"], [0, "0.8408964152537145", "1", "3"]],
        }
    )

    assert min(grid) >= 1.0
    assert grid[min(grid)] == 2
    assert grid[1_000.0] == 5


def test_observations_that_are_no_number_look_slow() -> None:
    """They are in the count and in no bucket; the last bucket holds them, never a fast one."""
    grid = grid_of(exactly(5.0, (0.5, 0.5946035575013605, 4.0)))

    assert max(grid[bound] for bound in grid if math.isfinite(bound)) == 4
    assert grid[math.inf] == 5


def test_a_count_that_is_no_number_is_passed_on() -> None:
    """The source repairs nothing; the domain holds for it."""
    grid = grid_of({"count": "NaN", "buckets": [[0, "0.5", "1", "NaN"]]})

    assert math.isnan(grid[math.inf])
    assert math.isnan(grid[1_000.0])


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"count": "many"}, id="no number"),
        pytest.param({"count": "1", "buckets": [[0, "1"]]}, id="half a bucket"),
        pytest.param({"count": "1", "buckets": 7}, id="buckets that are none"),
        pytest.param(exactly(3.0, (1.0, 1.5, 3.0)), id="not a power of two"),
        pytest.param(exactly(3.0, (3.0, 6.0, 3.0)), id="borders beside the powers"),
        pytest.param(exactly(3.0, (0.5, 1.0, 1.0), (2.0, 2.0**1.5, 2.0)), id="two resolutions"),
        pytest.param(exactly(3.0, (1.0, math.inf, 3.0)), id="custom bounds"),
        pytest.param(exactly(3.0, (1.0, 0.5, 3.0)), id="borders that fall"),
        pytest.param(exactly(3.0, (1.0, math.nan, 3.0)), id="a border that is no number"),
    ],
)
def test_what_has_no_exponential_buckets_is_not_read(document: dict[str, Any]) -> None:
    """Custom bounds show only where something was counted; compared, they would change all the time."""
    assert of_prometheus(document) is None


def test_otlp_counts_by_index() -> None:
    """OpenTelemetry's index i is the bucket above base^i: index -1 at scale 2 ends at 1."""
    histogram = of_otlp(scale=2, offset=-1, counts=[5, 0, 2], low=1, low_bound=0, total=8)

    grid = in_grid(histogram, SECONDS_MS)

    assert histogram == ExponentialHistogram(
        step=0.25, counts={0: 5, 2: 2}, low=1, low_bound=0, total=8
    )
    assert grid[round(1_000 * 2**-0.25, 6)] == 1
    assert grid[1_000.0] == 6
    assert grid[round(1_000 * 2**0.5, 6)] == 8


def test_an_sdk_that_lowers_its_scale_changes_no_bound() -> None:
    """SDKs begin fine and get coarser as values spread; down to scale 2 the grid is the same."""
    fine = in_grid(of_otlp(scale=20, offset=7, counts=[1], low=0, low_bound=0, total=1), 1.0)
    coarse = in_grid(of_otlp(scale=3, offset=0, counts=[1], low=0, low_bound=0, total=1), 1.0)

    assert fine.keys() == coarse.keys()
    assert [fine[bound] for bound in sorted(fine)] == [coarse[bound] for bound in sorted(coarse)]


@pytest.mark.parametrize("scale", [-11, 21])
def test_a_scale_that_nobody_has_is_refused(scale: int) -> None:
    """OpenTelemetry knows scales from -10 to 20."""
    with pytest.raises(ValueError, match="scale must be"):
        of_otlp(scale=scale, offset=0, counts=[], low=0, low_bound=0, total=0)
