"""
Histograms whose buckets grow by a constant factor: Prometheus' native and OpenTelemetry's exponential ones.

Only buckets that hold something are shown, so the buckets differ from reading to reading and from
process to process. What is compared must not: each histogram is counted into a grid that depends on its
resolution alone. The grid is 2^(1/4) apart, from 0.1 ms to 10 minutes. A histogram of that resolution or
a finer one (schema or scale 2 and up) has all its borders, so nothing is interpolated; a coarser one
keeps the borders of the grid that it has itself.

Follows "Native Histograms" (https://prometheus.io/docs/specs/native_histograms/) as the HTTP API v1 shows
them, and the exponential histogram of the OpenTelemetry metrics data model 1.x.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tidegate.drivers.signals.histograms import CumulativeBuckets

GRID_STEP: Final = 0.25
SHORTEST_MS: Final = 0.1
LONGEST_MS: Final = 600_000.0

_FINEST_SCALE: Final = 20
_COARSEST_SCALE: Final = -10
_NEARLY: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentialHistogram:
    """
    One histogram: `counts[k]` observations lie in (2^((k-1)*step), 2^(k*step)], in its own unit.

    `low` is how many are at or below zero or too near to tell; these are within `low_bound`. `total`
    counts every observation, also those that are no number and in no bucket.
    """

    step: float
    counts: Mapping[int, float]
    low: float
    low_bound: float
    total: float


def of_prometheus(document: Mapping[str, Any]) -> ExponentialHistogram | None:
    """
    Return the native histogram that the HTTP API shows as *document*.

    None when it isn't one, or its buckets don't grow by a power of two (custom bounds).
    """
    try:
        total = float(document["count"])
        buckets = [
            (float(left), float(right), float(count))
            for _, left, right, count in document.get("buckets") or ()
        ]
    except (KeyError, TypeError, ValueError):
        return None
    low = low_bound = 0.0
    positive: list[tuple[float, float, float]] = []
    for left, right, count in buckets:
        if left > 0:
            positive.append((left, right, count))
        else:
            # The bucket around zero, or one below it.
            low, low_bound = low + count, max(low_bound, right)
    step = _step(positive)
    if step is None:
        return None
    counts: dict[int, float] = {}
    for _, right, count in positive:
        place = math.log2(right) / step
        index = round(place)
        if abs(place - index) > _NEARLY * max(1.0, abs(place)):
            return None
        counts[index] = counts.get(index, 0.0) + count
    return ExponentialHistogram(step=step, counts=counts, low=low, low_bound=low_bound, total=total)


def of_otlp(
    *, scale: int, offset: int, counts: Sequence[float], low: float, low_bound: float, total: float
) -> ExponentialHistogram:
    """
    Return the exponential histogram of an OTLP data point; `counts` begin at index *offset*.

    Raises:
        ValueError: the scale isn't one that OpenTelemetry knows.
    """
    if not _COARSEST_SCALE <= scale <= _FINEST_SCALE:
        raise ValueError(f"the scale must be {_COARSEST_SCALE}..{_FINEST_SCALE}, got {scale}")
    return ExponentialHistogram(
        step=2.0**-scale,
        # Index i of OTLP is the bucket above base^i; ours is named by its upper border.
        counts={offset + place + 1: count for place, count in enumerate(counts) if count != 0},
        low=low,
        low_bound=low_bound,
        total=total,
    )


def in_grid(histogram: ExponentialHistogram, unit_ms: float) -> CumulativeBuckets:
    """Return *histogram* counted at or below each bound of its grid, in milliseconds."""
    step = max(histogram.step, GRID_STEP)
    first = math.ceil(round(math.log2(SHORTEST_MS / unit_ms) / step, 9))
    last = math.floor(round(math.log2(LONGEST_MS / unit_ms) / step, 9))
    at_or_below = dict.fromkeys(range(first, last + 1), 0.0)
    for index, count in histogram.counts.items():
        # Rounded, so that a border of both isn't pushed over by the last digit of a float.
        place = max(first, math.ceil(round(index * histogram.step / step, 9)))
        if place <= last:
            at_or_below[place] += count
    cumulative: dict[float, float] = {}
    count = histogram.low
    for place, more in at_or_below.items():
        count += more
        bound = 2.0 ** (place * step)
        # Inside the bucket around zero nothing can be told apart.
        if bound >= histogram.low_bound:
            cumulative[round(bound * unit_ms, 6)] = count
    cumulative[math.inf] = histogram.total
    return cumulative


def _step(buckets: Sequence[tuple[float, float, float]]) -> float | None:
    """Return the one distance between borders, in powers of two; that of the grid without buckets."""
    found: float | None = None
    for left, right, _ in buckets:
        if not (left < right < math.inf):
            return None
        step = math.log2(right / left)
        if not 0.0 < step < math.inf:
            return None
        scale = round(-math.log2(step))
        if not _COARSEST_SCALE <= scale <= _FINEST_SCALE or abs(step * 2.0**scale - 1) > 1e-3:
            return None
        if found is not None and found != 2.0**-scale:
            return None
        found = 2.0**-scale
    return GRID_STEP if found is None else found
