"""
The plans that simulated worlds draw from: few enough to be made once, different enough to matter.

One or several targets, at once or one ahead of the others; one phase or several, internal users first
or not; with and without approvals, exercises and several signals. Bakes are short, since a world's
time is counted in ticks.
"""

from dataclasses import replace
from datetime import timedelta
from functools import cache
from random import Random
from typing import Final

from tidegate.domain.plan.model import (
    CoverageSpec,
    Effect,
    ExerciseSpec,
    Limit,
    Phase,
    Plan,
    Recovery,
    SignalKind,
    SignalSpec,
    Tolerance,
    ToleranceUnit,
)
from tidegate.testing.builders import a_phase, a_placement, a_signal
from tidegate.testing.simulation.bench import SOURCE
from tidegate.testing.simulation.situations import a_quick_plan

PURE_PLANS: Final = 48
WORLD_PLANS: Final = 24
"""How many different plans there are of each sort."""


COVERAGE: Final = CoverageSpec(
    by=("client",),
    smallest_cell=0.001,
    smallest_failure=0.01,
    share=0.99,
    unseen=0.01,
    busy_hours=0,
    timezone_label=None,
    source="memory",
)


@cache
def pure_plan(number: int) -> Plan:
    """Return one of the plans that worlds of the policy alone draw from."""
    draw = Random(number)  # noqa: S311 - worlds are repeated, not guessed
    targets = [a_placement(target=name) for name in ("eu", "us", "ap")[: draw.randint(1, 3)]]
    signals = tuple(
        a_signal(name, gate=gate)
        for name, gate in (("errors", True), ("usage", True), ("latency", False))[
            : draw.randint(1, 3)
        ]
    )
    weights = sorted(draw.sample((100, 500, 1_000, 2_500, 5_000), draw.randint(1, 3)))
    plan = a_quick_plan(
        weights_bps=(*weights, 10_000),
        placements=targets,
        signals=signals,
        approvals=draw.choice((0, 0, 0, 1, 2)),
        approvers="team",
        bake=timedelta(seconds=30),
        bake_max=timedelta(seconds=90),
        exercises=(ExerciseSpec(name="path", minimum_count=5, source="memory"),)
        if draw.random() < 0.3
        else (),
        coverage=COVERAGE if draw.random() < 0.3 else None,
    )
    phases = plan.phases
    if draw.random() < 0.3:
        phases = (a_phase("internal", weight_bps=0, placements=targets[:1]), *phases)
    if len(targets) > 1 and draw.random() < 0.5:
        phases = _one_ahead(phases, move_count=1)
    return replace(
        plan,
        phases=phases,
        recovery=draw.choice((Recovery.ROLLBACK, Recovery.ROLLBACK, Recovery.HOLD)),
        quarantine=timedelta(minutes=5),
    )


@cache
def world_plan(number: int) -> Plan:
    """Return one of the plans that whole worlds draw from."""
    draw = Random(number)  # noqa: S311 - worlds are repeated, not guessed
    targets = ("eu", "us")[: draw.randint(1, 2)]
    components = ("code", "flag")[: 2 if draw.random() < 0.25 else 1]
    placements = [a_placement(target=t, component=c) for t in targets for c in components]
    signals = [a_signal(source=SOURCE)]
    if draw.random() < 0.5:
        loss = Tolerance(value=0.5, unit=ToleranceUnit.RELATIVE)
        signals.append(a_signal("usage", kind=SignalKind.USAGE, source=SOURCE, tolerance=loss))
    if draw.random() < 0.3:
        signals += _other_signals()
    weights = sorted(draw.sample((1_000, 2_500, 5_000), draw.randint(1, 2)))
    plan = a_quick_plan(
        weights_bps=(*weights, 10_000),
        placements=placements,
        signals=tuple(signals),
        bake=timedelta(seconds=draw.choice((30, 60))),
        bake_max=timedelta(minutes=3),
        minimum_requests=draw.choice((0, 500)),
        approvals=draw.choice((0, 0, 0, 1)),
        approvers="team",
    )
    phases = plan.phases
    if len(targets) > 1 and draw.random() < 0.5:
        phases = _one_ahead(phases, move_count=len(components))
    return replace(
        plan,
        phases=phases,
        recovery=draw.choice((Recovery.ROLLBACK, Recovery.ROLLBACK, Recovery.HOLD)),
        quarantine=timedelta(minutes=2),
    )


def _other_signals() -> list[SignalSpec]:
    """Return one signal of each kind that proves nothing but may hold or halt, and one that may neither."""
    part = Tolerance(value=0.5, unit=ToleranceUnit.RELATIVE)
    limit = Limit(value=1.0, above=True, effect=Effect.HALT)
    return [
        a_signal(name, kind=kind, gate=False, source=SOURCE, tolerance=part, **changes)
        for name, kind, changes in (
            ("latency", SignalKind.LATENCY, {}),
            ("share", SignalKind.TRAFFIC, {}),
            ("memory", SignalKind.SATURATION, {}),
            ("queue", SignalKind.LIMIT, {"limit": limit}),
            ("crashes", SignalKind.ERRORS, {"shadow": True}),
        )
    ]


def _one_ahead(phases: tuple[Phase, ...], *, move_count: int) -> tuple[Phase, ...]:
    """Return *phases* for the first *move_count* placements alone, and then one for all the others."""
    ahead = tuple(
        replace(phase, name=f"first {phase.name}", moves=phase.moves[:move_count])
        for phase in phases
    )
    return (*ahead, replace(phases[-1], name="the rest"))
