"""
What a histogram tells of the baseline: where its quantiles lie, and what a slowdown does at an edge.

Means and percentiles of latency have no bound, no variance or no estimate; how often an edge is exceeded
is a plain count. So a quantile becomes an edge and a tolerated slowdown a ratio of exceedances, which
`safe` then tests. Harm is tested on all of the histogram, in `latency_family`.
"""

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays
from tidegate.stats.arrays import Floats


def quantile_edge(
    bucket_upper_bounds: npt.ArrayLike, counts: npt.ArrayLike, quantile: float
) -> float:
    """
    Return the bucket edge at which to compare the arms for a quantile of the baseline.

    Counts are exact at edges only, so the edge whose share of slower requests is nearest to ``1 -
    quantile`` is taken, by ratio. Edges that more than half of the requests exceed are left out:
    they're blind to a slowdown.

    Args:
        bucket_upper_bounds: Ascending upper bounds, in any unit of time; the last may be infinite.
        counts: Baseline requests in each bucket (not cumulative), same length.
        quantile: The quantile, in [0.5, 1).

    Returns:
        One of the finite *bucket_upper_bounds*.

    Raises:
        ValueError: no requests; the histogram is malformed; *quantile* leaves its range; more than
            half of the requests are above the last finite edge.
    """
    bounds, in_bucket = _histogram(bucket_upper_bounds, counts)
    if not 0.5 <= quantile < 1.0:
        raise ValueError(f"quantile must be in [0.5, 1), got {quantile:g}")
    total = in_bucket.sum()
    slower = total - np.cumsum(in_bucket)
    usable = np.isfinite(bounds) & (slower <= 0.5 * total)
    if not usable.any():
        finite = bounds[np.isfinite(bounds)]
        raise ValueError(
            f"bucket_upper_bounds end at {finite[-1] if finite.size else 'nothing finite'}, "
            "which more than half of the requests exceed"
        )
    rates = (slower + 0.5) / (total + 1.0)
    distance = np.abs(np.log(rates / (1.0 - quantile)))
    return float(bounds[np.argmin(np.where(usable, distance, np.inf))])


def stretch_ratio(
    bucket_upper_bounds: npt.ArrayLike, counts: npt.ArrayLike, edge: float, stretch: float
) -> float:
    """
    Return how much more often *edge* is exceeded when all requests take *stretch* times as long.

    ``P(X > edge / stretch) / P(X > edge)`` for the baseline's latency X: the ratio R with which
    `safe.update_ratio` tests a tolerance of "10 % slower" (*stretch* 1.1). Inside a bucket requests
    are taken as evenly spread. One request is added above the edge, so that few data make R smaller
    and the proof harder; the result is never below 1, and 1 means that it can't be proven.

    Args:
        bucket_upper_bounds: Ascending upper bounds; the first bucket begins at 0.
        counts: Baseline requests in each bucket (not cumulative), same length.
        edge: One of the finite bounds, as from `quantile_edge`.
        stretch: Tolerated slowdown as a factor above 1.

    Raises:
        ValueError: no requests; the histogram is malformed; *edge* isn't a finite bound; *stretch*
            isn't above 1.
    """
    bounds, in_bucket = _histogram(bucket_upper_bounds, counts)
    if not (np.isfinite(edge) and edge in bounds):
        raise ValueError(f"edge must be a finite bucket bound, got {edge:g}")
    if not (np.isfinite(stretch) and stretch > 1.0):
        raise ValueError(f"stretch must be above 1, got {stretch:g}")
    finite = np.isfinite(bounds)
    # The open bucket lies above every edge, so it takes no part in the interpolation.
    faster = np.interp(
        edge / stretch,
        np.concatenate(([0.0], bounds[finite])),
        np.concatenate(([0.0], np.cumsum(in_bucket)[finite])),
    )
    total = float(in_bucket.sum())
    slower = total - float(np.cumsum(in_bucket)[np.searchsorted(bounds, edge)])
    return float(max(1.0, (total - faster) / (slower + 1.0)))


def _histogram(bucket_upper_bounds: npt.ArrayLike, counts: npt.ArrayLike) -> tuple[Floats, Floats]:
    bounds = np.asarray(bucket_upper_bounds, dtype=np.float64)
    in_bucket = arrays.counts("counts", counts)
    if bounds.ndim != 1 or not bounds.size or bounds.shape != in_bucket.shape:
        raise ValueError(
            f"bucket_upper_bounds and counts must be equally long rows, "
            f"got shapes {bounds.shape} and {in_bucket.shape}"
        )
    if np.isnan(bounds).any() or bounds[0] <= 0.0 or not (np.diff(bounds) > 0.0).all():
        raise ValueError(f"bucket_upper_bounds must ascend from above 0, got {bounds.tolist()}")
    if in_bucket.sum() <= 0.0:
        raise ValueError("counts must hold at least one request, got none")
    return bounds, in_bucket
