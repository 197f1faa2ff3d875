"""
One decision from many signals.

The global halt averages the e-values of all signals with weights that sum to 1, and halts at
``1 / alpha``: valid however the signals depend on each other, and never later than testing each at
its own threshold. Rule: average what the e-values are *now*. The running maxima of e-values aren't
e-values, and averaging them loses the guarantee (Tavyrikov, Goeman, de Heide 2025).
"""

import numpy as np
import numpy.typing as npt

from tidegate.stats import arrays, mixture
from tidegate.stats.arrays import Floats


def global_log_e_value(log_e_values: npt.ArrayLike, weights: npt.ArrayLike) -> Floats:
    """
    Return the log of the weighted average of the signals' current e-values, in nats.

    Args:
        log_e_values: Shape ``(signals,)`` or ``(signals, streams)``.
        weights: Weight per signal, shape ``(signals,)``, not negative, sum 1.

    Returns:
        Shape ``()`` or ``(streams,)``.

    Raises:
        ValueError: there is no signal; a value is NaN or infinite; the weights don't fit or don't
            sum to 1.
    """
    values = arrays.numbers("log_e_values", log_e_values)
    shares = _weights(weights)
    if values.ndim not in (1, 2) or values.shape[0] != shares.size:
        raise ValueError(
            f"log_e_values must have {shares.size} signals as their rows, got shape {values.shape}"
        )
    # A signal of weight 0 has no say, and log 0 no place among finite numbers.
    heard = shares > 0.0
    rows = [
        np.ascontiguousarray(row + np.log(share))
        for row, share in zip(values[heard], shares[heard], strict=True)
    ]
    return mixture.log_sum(rows).reshape(values.shape[1:])


def _weights(weights: npt.ArrayLike) -> Floats:
    shares = arrays.counts("weights", weights)
    if shares.ndim != 1 or not shares.size:
        raise ValueError(f"weights must be a row, got shape {shares.shape}")
    if abs(float(shares.sum()) - 1.0) > 1e-9:
        raise ValueError(f"weights must sum to 1, got {shares.sum():g}")
    return shares
