"""
Charts of a rollout's evidence as data: the lines of each signal over all that its points tell.

Made on the server, so that a chart, its sentence and its table say the same as the API, from the same
points. How it looks is the browser's.
"""

from collections.abc import Sequence
from typing import Literal

from tidegate.api.pages.drawing import arms_of, planned_share
from tidegate.api.pages.rollout_words import signal_summary
from tidegate.api.shapes.base import Shape
from tidegate.api.shapes.evidence import Evidence, Point, PointSignal, Signal

Role = Literal["candidate", "baseline", "bound"]
Unit = Literal["share", "milliseconds", "number"]

BREAK_SECONDS = 0.001
"""So long before a phase begins its lines are broken: counts begin anew there."""


class Line(Shape):
    """One line; null where it is broken or nothing was known."""

    name: str
    role: Role
    values: list[float | None]


class Panel(Shape):
    """
    Lines that share a unit.

    `tolerated` is the edge of harm: what lies above it is more than is tolerated. Null where there is none.
    """

    label: str
    unit: Unit
    lines: list[Line]
    tolerated: list[float | None]


class Mark(Shape):
    """The moment at which a phase began to be watched, in seconds since 1970."""

    at: float
    label: str


class Chart(Shape):
    """One signal: its sentence, its moments in seconds since 1970, and its panels over them."""

    signal: str
    summary: str
    at: list[float]
    panels: list[Panel]
    marks: list[Mark]


class Charts(Shape):
    """The charts of a rollout, in the order of its signals."""

    rollout: str
    charts: list[Chart]


def charts_of(rollout_id: str, evidence: Evidence, phase_names: Sequence[str]) -> Charts:
    """Return the charts of *evidence*, from its points; `phase_names` are those of the plan, in order."""
    return Charts(
        rollout=rollout_id,
        charts=[_chart(signal, evidence, phase_names) for signal in evidence.signals],
    )


def points_of(evidence: Evidence, signal: str) -> list[tuple[Point, PointSignal]]:
    """Return the points that tell anything of *signal*, oldest first, each with what it tells."""
    return [
        (point, told) for point in evidence.points for told in point.signals if told.name == signal
    ]


def _chart(signal: Signal, evidence: Evidence, phase_names: Sequence[str]) -> Chart:
    rows: list[tuple[float, PointSignal | None]] = []
    marks: list[Mark] = []
    before: tuple[int, int] | None = None
    for point, told in points_of(evidence, signal.name):
        at = point.at.timestamp()
        where = (point.attempt, point.phase)
        if where != before:
            again = f", attempt {point.attempt}" if point.attempt > 1 else ""
            marks.append(Mark(at=at, label=f"{phase_names[point.phase - 1]}{again}"))
            if before is not None:
                rows.append((at - BREAK_SECONDS, None))
        rows.append((at, told))
        before = where
    return Chart(
        signal=signal.name,
        summary=signal_summary(signal),
        at=[at for at, _ in rows],
        panels=_panels(signal, [told for _, told in rows], planned_share(evidence)),
        marks=marks,
    )


def _panels(
    signal: Signal, told: Sequence[PointSignal | None], planned: float | None
) -> list[Panel]:
    both = [(None, None) if one is None else arms_of(one, signal.kind, planned) for one in told]
    candidate = Line(name="candidate", role="candidate", values=[one for one, _ in both])
    if signal.kind == "limit":
        edge = [None if one is None else signal.limit for one in told]
        value = candidate.model_copy(update={"name": "value"})
        upper = signal.limit_is_upper is True
        bound = Line(name="limit", role="bound", values=edge)
        lines = [value] if upper else [value, bound]
        return [_panel(signal.name, "number", lines, edge if upper else [None] * len(told))]
    name = "planned" if signal.kind in ("usage", "traffic") else "baseline"
    baseline = Line(name=name, role="baseline", values=[one for _, one in both])
    excluded = [None if one is None else one.ruled_out for one in told]
    if signal.unit == "rate" and signal.kind == "errors":
        # Both are in the same unit, so that what is ruled out and tolerated can lie over the baseline.
        bound = Line(name="ruled out above", role="bound", values=_sums(baseline.values, excluded))
        edge = _sums(baseline.values, [signal.tolerated] * len(told))
        return [_panel("share of bad ones", "share", [candidate, baseline, bound], edge)]
    what = "part of all uses" if name == "planned" else "share of bad ones"
    return [
        _panel(what, "share", [candidate, baseline], [None] * len(told)),
        _panel(
            "harm ruled out above",
            "milliseconds" if signal.unit == "duration" else "share",
            [Line(name="ruled out above", role="bound", values=excluded)],
            [None if one is None else signal.tolerated for one in told],
        ),
    ]


def _panel(label: str, unit: Unit, lines: list[Line], tolerated: list[float | None]) -> Panel:
    return Panel(label=label, unit=unit, lines=lines, tolerated=tolerated)


def _sums(left: Sequence[float | None], right: Sequence[float | None]) -> list[float | None]:
    return [
        None if one is None or other is None else one + other
        for one, other in zip(left, right, strict=True)
    ]
