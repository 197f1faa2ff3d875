"""
What goes into the tests is checked here, so that no test can be fed a number that means nothing.

Rule: missing, NaN, infinite, negative or impossible values raise `ValueError` with the argument's
name, the value and where it is. Nothing is clipped or filled in: unknown is never green.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]


class ArmCounts(NamedTuple):
    """The four counts of one tick, each of shape ``(streams,)``."""

    candidate_bad: Floats
    candidate_total: Floats
    baseline_bad: Floats
    baseline_total: Floats


def numbers(name: str, values: npt.ArrayLike) -> Floats:
    """
    Return *values* as float64.

    Raises:
        ValueError: something in *values* isn't a finite number.
    """
    try:
        floats = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers, got {values!r}") from None
    refuse(name, "be finite", floats, ~np.isfinite(floats))
    return floats


def counts(name: str, values: npt.ArrayLike) -> Floats:
    """
    Return *values* as float64 counts.

    Raises:
        ValueError: a count is negative or not finite.
    """
    floats = numbers(name, values)
    refuse(name, "not be negative", floats, floats < 0.0)
    return floats


def positive(name: str, values: npt.ArrayLike) -> Floats:
    """
    Return *values* as float64 above zero.

    Raises:
        ValueError: a value is zero, negative or not finite.
    """
    floats = numbers(name, values)
    refuse(name, "be above 0", floats, floats <= 0.0)
    return floats


def open_shares(name: str, values: npt.ArrayLike) -> Floats:
    """
    Return *values* as float64 strictly between 0 and 1.

    Raises:
        ValueError: a value is outside, on the border or NaN.
    """
    floats = numbers(name, values)
    refuse(name, "be inside (0, 1)", floats, (floats <= 0.0) | (floats >= 1.0))
    return floats


def probability(name: str, value: float) -> float:
    """
    Return one error probability strictly between 0 and 1, such as alpha or beta.

    Raises:
        ValueError: *value* is outside, on the border or NaN.
    """
    return float(open_shares(name, value))


def not_above(name: str, parts: Floats, whole_name: str, wholes: Floats) -> None:
    """
    Refuse parts that are larger than what they are parts of.

    Raises:
        ValueError: some part is above its whole.
    """
    parts, wholes = np.broadcast_arrays(parts, wholes)
    wrong = parts > wholes
    if wrong.any():
        place = _first(wrong)
        raise ValueError(
            f"{name} must not be above {whole_name}, "
            f"got {parts[place]:g} of {wholes[place]:g}{_at(place)}"
        )


def per_stream(name: str, values: Floats, streams: int) -> Floats:
    """
    Return *values* with shape ``(streams,)``; one number stands for all streams.

    Raises:
        ValueError: *values* has another shape.
    """
    if values.shape not in ((), (streams,)):
        raise ValueError(f"{name} must have shape ({streams},), got {values.shape}")
    return np.broadcast_to(values, (streams,))


def per_stratum(name: str, values: Floats, streams: int) -> Floats:
    """
    Return *values* with shape ``(strata, streams)``; one row or one number is one stratum.

    Raises:
        ValueError: *values* has another shape.
    """
    if values.ndim == 2 and values.shape[1] == streams:
        return values
    if values.shape not in ((), (streams,)):
        raise ValueError(
            f"{name} must have shape ({streams},) or (strata, {streams}), got {values.shape}"
        )
    return np.broadcast_to(values, (1, streams))


def arm_counts(
    streams: int,
    candidate_bad: npt.ArrayLike,
    candidate_total: npt.ArrayLike,
    baseline_bad: npt.ArrayLike,
    baseline_total: npt.ArrayLike,
    *,
    event: str = "bad",
) -> ArmCounts:
    """
    Return the four counts of a tick as float64 of shape ``(streams,)``, checked.

    Args:
        streams: Number of streams.
        candidate_bad: Events of the candidate.
        candidate_total: Requests of the candidate.
        baseline_bad: Events of the baseline.
        baseline_total: Requests of the baseline.
        event: What the caller calls an event, for the messages.

    Raises:
        ValueError: a count is negative, NaN, above its total or of another shape.
    """
    arms = {
        "candidate": (candidate_bad, candidate_total),
        "baseline": (baseline_bad, baseline_total),
    }
    checked: list[Floats] = []
    for arm, (bad, total) in arms.items():
        names = (f"{arm}_{event}", f"{arm}_total")
        events, requests = (
            per_stream(name, counts(name, values), streams)
            for name, values in zip(names, (bad, total), strict=True)
        )
        not_above(names[0], events, names[1], requests)
        checked += [events, requests]
    return ArmCounts(*checked)


def refuse(name: str, must: str, values: Floats, wrong: npt.NDArray[np.bool_]) -> None:
    """
    Refuse *values* where *wrong* is true, naming the first of them.

    Raises:
        ValueError: *wrong* is true anywhere.
    """
    if wrong.any():
        place = _first(wrong)
        raise ValueError(f"{name} must {must}, got {values[place]:g}{_at(place)}")


def _first(wrong: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(axis[0]) for axis in np.nonzero(wrong)) if wrong.ndim else ()


def _at(place: tuple[int, ...]) -> str:
    return f" at {list(place)}" if place else ""
