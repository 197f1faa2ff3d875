"""
The pictures of a postmortem as numbers for a template: what was exposed, and how strong the evidence was.

Both share one axis of time, so that what happened at the same moment stands one below the other. The
timeline beside them says the same in words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tidegate.api.shapes.postmortem import Postmortem

WIDTH: Final = 600.0
HEIGHT: Final = 90.0
MARGIN: Final = 2.0
WHOLE_BPS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """
    Paths in a box of `WIDTH` by `HEIGHT`; empty where there is nothing to draw.

    `exposure` is a step line, `harm` one line per signal by its name. `proof_y` is where harm is proven,
    `stopped_x` when it was stopped; None where that isn't in the picture. `since` and `until` bound it.
    """

    exposure: str
    harm: dict[str, str]
    proof_y: float
    stopped_x: float | None
    since: datetime | None
    until: datetime | None


def pictures(draft: Postmortem) -> Pictures:
    """Return the pictures of *draft*."""
    moments = [one.at for one in draft.exposure] + [one.at for one in draft.harm]
    if not moments:
        return Pictures(
            exposure="", harm={}, proof_y=MARGIN, stopped_x=None, since=None, until=None
        )
    axis = _Axis(since=min(moments), until=max(moments))
    # Proof is at two thirds of the height, so that what goes beyond it can be seen to.
    top = draft.harm_threshold * 1.5
    names = {name for point in draft.harm for name in point.log_e_harm}
    stopped = draft.stopped_at
    return Pictures(
        exposure=_steps(axis, [(one.at, one.exposure_bps) for one in draft.exposure]),
        harm={
            name: path
            for name in sorted(names)
            if (path := _line(axis, _course(draft, name), top=top))
        },
        proof_y=_y(draft.harm_threshold / top),
        stopped_x=None
        if stopped is None or not axis.since <= stopped <= axis.until
        else axis.x(stopped),
        since=axis.since,
        until=axis.until,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    since: datetime
    until: datetime

    def x(self, at: datetime) -> float:
        whole = (self.until - self.since) or timedelta(seconds=1)
        return round(MARGIN + (at - self.since) / whole * (WIDTH - 2 * MARGIN), 1)


def _y(share: float) -> float:
    return round(HEIGHT - MARGIN - min(1.0, max(0.0, share)) * (HEIGHT - 2 * MARGIN), 1)


def _steps(axis: _Axis, seen: Sequence[tuple[datetime, int]]) -> str:
    """Return a line that stays level until the next moment: exposure is set, it doesn't drift."""
    parts: list[str] = []
    for at, bps in seen:
        x, y = axis.x(at), _y(bps / WHOLE_BPS)
        parts.append(f"H{x}V{y}" if parts else f"M{x} {y}")
    return "".join(parts) if len(parts) > 1 else ""


def _course(draft: Postmortem, name: str) -> Iterable[tuple[datetime, float]]:
    for point in draft.harm:
        value = point.log_e_harm.get(name)
        if value is not None:
            yield point.at, value


def _line(axis: _Axis, course: Iterable[tuple[datetime, float]], *, top: float) -> str:
    points = [f"{axis.x(at)} {_y(value / top)}" for at, value in course]
    return f"M{'L'.join(points)}" if len(points) > 1 else ""
