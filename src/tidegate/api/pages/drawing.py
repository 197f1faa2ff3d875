"""
Small drawings of evidence, as numbers for a template: scales and courses. Nothing is judged here.

A drawing never stands alone: the words beside it say the same, and a table has every number.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.api.shapes.evidence import Evidence, PointSignal, Signal

WIDTH: Final = 120.0
HEIGHT: Final = 24.0
MARGIN: Final = 1.5

SCALE_TOLERANCES: Final = 2.0
"""A scale of harm reaches to twice what is tolerated, so that its middle is the tolerance."""

MOST_POINTS: Final = 120
"""More points than units of width can't be told apart."""


_Row = tuple[float, float | None, float | None]
"""A moment in seconds, with what is drawn of candidate and baseline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """
    A scale of harm from nothing to twice what is tolerated, in units of width.

    Harm up to `possible` isn't ruled out yet; `is_open` is whether that goes on beyond the scale.
    """

    possible: float
    tolerated: float
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """
    How both arms went: one path each, in a box of `WIDTH` by `HEIGHT`; empty where nothing is known.

    The box reaches from 0 to `top`, in `unit`: a share of 1, or a number. `beside` names the second path.
    """

    candidate: str
    baseline: str
    top: float
    unit: str
    beside: str


def harm_scale(signal: Signal) -> Scale | None:
    """Return how much harm is still possible, of what is tolerated; None where nothing is compared."""
    if signal.kind == "limit" or signal.tolerated <= 0.0:
        return None
    most = SCALE_TOLERANCES * signal.tolerated
    excluded = signal.ruled_out
    if signal.shown == "PROVEN":
        # Bounds are read off a grid; what is proven is that nothing above the tolerance is left.
        excluded = min(signal.tolerated, most if excluded is None else excluded)
    if excluded is None or excluded >= most:
        return Scale(possible=WIDTH, tolerated=WIDTH / SCALE_TOLERANCES, is_open=True)
    return Scale(
        possible=round(max(0.0, excluded) / most * WIDTH, 1),
        tolerated=WIDTH / SCALE_TOLERANCES,
        is_open=False,
    )


def courses(evidence: Evidence) -> dict[str, Course]:
    """Return the course of each signal in the phase that *evidence* is of, from its points, by name."""
    kinds = {one.name: one.kind for one in evidence.signals}
    found: dict[str, list[_Row]] = {}
    for point in evidence.points:
        if (point.attempt, point.phase) != (evidence.attempt, evidence.phase):
            continue
        for signal in point.signals:
            if signal.name in kinds:
                both = arms_of(signal, kinds[signal.name], planned_share(evidence))
                found.setdefault(signal.name, []).append((point.at.timestamp(), *both))
    return {name: _course(_thinned(rows), kinds[name]) for name, rows in found.items()}


def arms_of(
    signal: PointSignal, kind: str, planned: float | None
) -> tuple[float | None, float | None]:
    """
    Return what is drawn of candidate and baseline at one moment; None for unknown.

    That is the share of bad events of each arm. Of what has no bad events, it is the candidate's part of
    all of them beside the part that was *planned*; of a limit its value, beside nothing.
    """
    match kind:
        case "limit":
            return signal.value, None
        case "usage" | "traffic":
            total = signal.candidate[0] + signal.baseline[0]
            return (signal.candidate[0] / total if total else None), planned
        case "saturation":
            return _share(signal.candidate), None
        case _:
            return _share(signal.candidate), _share(signal.baseline)


def planned_share(evidence: Evidence) -> float | None:
    """Return the share that the candidate should get of everything, None where that isn't known."""
    return None if evidence.data is None else evidence.data.planned_share


def _share(counts: Sequence[int]) -> float | None:
    total, bad = counts
    return bad / total if total else None


def _thinned(rows: Sequence[_Row]) -> Sequence[_Row]:
    step = math.ceil(len(rows) / MOST_POINTS) if rows else 1
    # The last one is what holds now: it is never left out.
    return [*rows[:-1:step], *rows[-1:]]


def _course(rows: Sequence[_Row], kind: str) -> Course:
    values = [value for _, *both in rows for value in both if value is not None]
    unit = "number" if kind == "limit" else "share"
    beside = "planned" if kind in ("usage", "traffic") else "baseline"
    if len(rows) < 2 or not values:
        return Course(candidate="", baseline="", top=0.0, unit=unit, beside=beside)
    first, last = rows[0][0], rows[-1][0]
    top = max(*values, 0.0) or 1.0

    def path(index: int) -> str:
        parts: list[str] = []
        is_drawing = False
        for row in rows:
            value = row[index]
            if value is None:
                is_drawing = False
                continue
            x = MARGIN + (row[0] - first) / ((last - first) or 1.0) * (WIDTH - 2 * MARGIN)
            y = HEIGHT - MARGIN - max(0.0, value) / top * (HEIGHT - 2 * MARGIN)
            # A line to where it begins makes a dot of a point that stands alone.
            parts.append(f"L{x:.1f} {y:.1f}" if is_drawing else f"M{x:.1f} {y:.1f}h0")
            is_drawing = True
        return "".join(parts)

    return Course(candidate=path(1), baseline=path(2), top=top, unit=unit, beside=beside)
