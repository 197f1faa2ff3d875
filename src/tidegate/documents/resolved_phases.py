"""Phases in the resolved document: written whole, and read back to exactly what they were made from."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from tidegate.documents.components import Text, Written
from tidegate.documents.coverage import ResolvedCoverage, coverage_document, coverage_from
from tidegate.documents.notation import (
    Name,
    checked_by,
    format_share,
    parse_any_share,
    parse_long_duration,
)
from tidegate.documents.resolved_signals import ResolvedSignal, signal_document, signal_from
from tidegate.documents.resolved_windows import (
    ResolvedWindow,
    window_document,
    window_from,
    working_day_from,
)
from tidegate.domain.durations import format_duration
from tidegate.domain.plan.model import ExerciseSpec, Move, Phase
from tidegate.domain.quantities import ComponentName, Exposure, Placement, ServiceName, TargetName

_Duration = Annotated[timedelta, checked_by(parse_long_duration)]
_Share = Annotated[int, checked_by(parse_any_share)]


class ResolvedExercise(Written):
    """What must have happened often enough before a phase is passed."""

    name: Name
    min: Annotated[int, Field(ge=1)]
    source: Text
    settings: dict[str, str]


class ResolvedMove(Written):
    """What one phase exposes of one component on one target."""

    component: Name
    target: Name
    internal: bool
    weight: _Share


class ResolvedApproval(Written):
    """How many must approve, who, and how long their word holds."""

    count: Annotated[int, Field(ge=0)]
    of: str
    within: _Duration | None = None


class ResolvedPhase(Written):
    """One phase with everything filled in."""

    name: Text
    ring: Name
    moves: list[ResolvedMove]
    bake: _Duration
    bake_max: _Duration
    min_requests: Annotated[int, Field(ge=0)]
    approve: ResolvedApproval
    signals: list[ResolvedSignal]
    exercise: list[ResolvedExercise]
    coverage: ResolvedCoverage | None = None
    window: ResolvedWindow | None = None
    working_day: ResolvedWindow | None = None


def phase_from(phase: ResolvedPhase, service: ServiceName) -> Phase:
    """Return the phase that was written, of *service*."""
    return Phase(
        name=phase.name,
        ring=phase.ring,
        moves=tuple(
            Move(
                placement=Placement(
                    service=service,
                    component=ComponentName(move.component),
                    target=TargetName(move.target),
                ),
                exposure=Exposure(internal=move.internal, weight_bps=move.weight),
            )
            for move in phase.moves
        ),
        bake=phase.bake,
        bake_max=phase.bake_max,
        minimum_requests=phase.min_requests,
        approvals=phase.approve.count,
        approvers=phase.approve.of,
        approval_life=phase.approve.within,
        signals=tuple(signal_from(signal) for signal in phase.signals),
        exercises=tuple(
            ExerciseSpec(
                name=exercise.name,
                minimum_count=exercise.min,
                source=exercise.source,
                settings=tuple(sorted(exercise.settings.items())),
            )
            for exercise in phase.exercise
        ),
        coverage=coverage_from(phase.coverage),
        window=window_from(phase.window),
        working_day=working_day_from(phase.working_day),
    )


def phase_document(phase: Phase) -> dict[str, Any]:
    """Return *phase* as the plain values of the resolved document."""
    return {
        "name": phase.name,
        "ring": phase.ring,
        "moves": [
            {
                "component": move.placement.component,
                "target": move.placement.target,
                "internal": move.exposure.internal,
                "weight": format_share(move.exposure.weight_bps),
            }
            for move in phase.moves
        ],
        "bake": format_duration(phase.bake),
        "bake_max": format_duration(phase.bake_max),
        "min_requests": phase.minimum_requests,
        "approve": _approve_document(phase),
        "signals": [signal_document(signal) for signal in phase.signals],
        "exercise": [
            {
                "name": exercise.name,
                "min": exercise.minimum_count,
                "source": exercise.source,
                "settings": dict(exercise.settings),
            }
            for exercise in phase.exercises
        ],
        **coverage_document(phase.coverage),
        **window_document(phase.window),
        **window_document(phase.working_day, key="working_day"),
    }


def _approve_document(phase: Phase) -> dict[str, object]:
    asked: dict[str, object] = {"count": phase.approvals, "of": phase.approvers}
    if phase.approval_life is not None:
        asked["within"] = format_duration(phase.approval_life)
    return asked
