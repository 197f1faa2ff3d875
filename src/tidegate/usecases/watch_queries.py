"""
What the watch asks of the sources for one rollout: its signals, exercises and coverage, per target.

Nothing is read here and nothing is decided: a query says what, where and of which arms.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tidegate.domain.plan.model import (
    Counting,
    CoverageSpec,
    ExerciseSpec,
    Phase,
    SignalKind,
    SignalSpec,
)
from tidegate.domain.quantities import Arm, Exposure, Placement
from tidegate.domain.rollout.model import Rollout
from tidegate.ports.component import ArmLabels
from tidegate.ports.signals import SignalQuery

EXERCISE: Final = "exercise:"
"""Marks queries for exercises, so that a signal of the same name keeps its own readings."""

COVERAGE: Final = "coverage:"
"""The name of the one query for coverage."""

Labels = Mapping[Placement, Mapping[Arm, ArmLabels]]
"""How the arms of each placement are told apart in what is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One query, and what it is for. `weight_bps` is the candidate's share there in this phase."""

    spec: SignalSpec | ExerciseSpec | CoverageSpec
    query: SignalQuery
    weight_bps: int


def exposed_placements(rollout: Rollout, phase: Phase) -> dict[Placement, Exposure]:
    """Return the placements where ordinary users meet the candidate while *phase* is in force."""
    within = rollout.plan.exposure_within(rollout.plan.phases.index(phase))
    return {place: exposure for place, exposure in within.items() if exposure.weight_bps > 0}


def queries(rollout: Rollout, phase: Phase, labels: Labels) -> tuple[Asked, ...]:
    """Return what to ask while *phase* of *rollout* is in force: nothing before users are exposed."""
    if not phase.exposes_users:
        return ()
    exposed = exposed_placements(rollout, phase)
    found: list[Asked] = []

    def ask(
        spec: SignalSpec | ExerciseSpec | CoverageSpec,
        name: str,
        kind: SignalKind,
        counting: Counting = Counting.EVENTS,
        group_by: tuple[str, ...] = (),
    ) -> None:
        for placement in one_per_target(exposed, labels, dict(spec.settings).get("component")):
            query = SignalQuery(
                placement=placement,
                signal=name,
                kind=kind,
                source=spec.source,
                settings=dict(spec.settings),
                arms=labels.get(placement, {}),
                component_settings_json=_component_settings(rollout, placement),
                target_settings_json=_target_settings(rollout, placement),
                counting=counting,
                group_by=group_by,
            )
            found.append(Asked(spec=spec, query=query, weight_bps=exposed[placement].weight_bps))

    for signal in phase.signals:
        ask(signal, signal.name, signal.kind, signal.counting)
    for exercise in phase.exercises:
        ask(exercise, f"{EXERCISE}{exercise.name}", SignalKind.USAGE)
    if phase.coverage is not None:
        # All requests of both arms, told apart by labels: what a traffic signal reads.
        ask(phase.coverage, COVERAGE, SignalKind.TRAFFIC, group_by=phase.coverage.by)
    return tuple(found)


def _component_settings(rollout: Rollout, placement: Placement) -> str:
    """Return the settings of the component at *placement*, as JSON."""
    return next(c for c in rollout.components if c.name == placement.component).settings_json


def _target_settings(rollout: Rollout, placement: Placement) -> str:
    """Return the settings of the target of *placement*, as JSON."""
    return next(t for t in rollout.targets if t.name == placement.target).settings_json


def one_per_target(
    placements: Iterable[Placement], labels: Labels, component: str | None
) -> list[Placement]:
    """
    Return one placement per target: the same requests must not count twice for a bundle.

    That of the named *component*, else the first whose arms can be told apart.
    """
    by_target: dict[str, Placement] = {}
    for placement in placements:
        if component is not None and placement.component != component:
            continue
        kept = by_target.get(placement.target)
        if kept is None or (not labels.get(kept) and labels.get(placement)):
            by_target[placement.target] = placement
    return list(by_target.values())
