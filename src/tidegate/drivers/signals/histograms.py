"""
Histograms of several processes, brought to the same buckets.

A classic histogram counts, for each upper bound, everything at or below it. Therefore two that have
different bounds agree exactly at the bounds that both have, and nowhere else: leaving bounds out loses
resolution and no truth. Nothing is interpolated.
"""

import math
from collections.abc import Mapping
from itertools import pairwise

from tidegate.domain.health.readings import SeriesCounts
from tidegate.domain.quantities import Arm

CumulativeBuckets = Mapping[float, float]
"""From a bucket's upper bound in milliseconds (infinity included) to the count at or below it."""


def in_common_buckets(
    arms: Mapping[Arm, Mapping[str, CumulativeBuckets]],
    groups: Mapping[str, str] | None = None,
) -> tuple[tuple[float, ...], dict[Arm, dict[str, SeriesCounts]]]:
    """
    Return the finite bounds that all series have, in milliseconds, and each series counted in them.

    Each series needs the bucket of infinity, which is its total. The bounds are empty when the series
    share none; then nothing can be compared. *groups* are those of the series by name, if any.
    """
    every = [set(buckets) for series in arms.values() for buckets in series.values()]
    shared = set.intersection(*every) if every else set()
    bounds = tuple(sorted(bound for bound in shared if math.isfinite(bound)))
    counted = {
        arm: {
            name: _counts(buckets, bounds, (groups or {}).get(name, ""))
            for name, buckets in series.items()
        }
        for arm, series in arms.items()
        if series
    }
    return bounds, counted


def _counts(cumulative: CumulativeBuckets, bounds: tuple[float, ...], group: str) -> SeriesCounts:
    at_or_below = [0.0, *(cumulative[bound] for bound in bounds), cumulative[math.inf]]
    return SeriesCounts(
        total=cumulative[math.inf],
        buckets=tuple(above - below for below, above in pairwise(at_or_below)),
        group=group,
    )


def bound_ms(text: str, unit_ms: float) -> float:
    """
    Return the upper bound written as *text* in milliseconds, infinity for `+Inf`.

    Rounded to a nanosecond, so that 0.07 s is 70 ms exactly whoever wrote it.

    Raises:
        ValueError: *text* isn't a number.
    """
    bound = float(text)
    if math.isnan(bound):
        raise ValueError("a bucket's bound is NaN")
    return bound if math.isinf(bound) else round(bound * unit_ms, 6)
