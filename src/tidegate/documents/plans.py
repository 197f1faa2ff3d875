"""
From a plan as people write it to the phases that are carried out one by one.

A written phase names a ring, a list of shares and how many targets at a time; each combination becomes
one phase with its own bake. The default plans are written in the same terms, so that a plan by name
and the same plan in full give the same phases.

Rule: only order and exposure are made here. Whether a plan is allowed is up to `domain.plan.rules`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal

from tidegate.documents.problems import KeyPath
from tidegate.documents.written import Tolerances
from tidegate.domain.calendar.windows import Window
from tidegate.domain.plan.model import Move, ServiceSpec, TargetSpec
from tidegate.domain.quantities import (
    FULL_WEIGHT_BPS,
    NO_EXPOSURE,
    ComponentName,
    Exposure,
    Placement,
    ServiceName,
    format_bps,
)

MIXED_RING: Final = "all"
"""The ring of a phase that moves targets of several rings at once."""
EARLY_RINGS: Final = ("internal", "staging")
"""Rings that the default plans take before all others, wherever they stand in the list."""

BAKE_MAX_FACTOR: Final = 3
"""How often its bake an undecided phase may bake before a person is asked."""

Share = int | Literal["internal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """
    One written phase, with names resolved; `at_once` is how many targets move together.

    `window` is None where the phase says nothing of one.
    """

    name: str
    targets: tuple[TargetSpec, ...]
    components: tuple[ComponentName, ...]
    shares: tuple[Share, ...]
    bake: timedelta
    at_once: int
    path: KeyPath
    bake_max: timedelta | None = None
    tolerances: Tolerances | None = None
    approvals: int = 0
    approvers: str = ""
    approval_life: timedelta | None = None
    window: Window | Literal["none"] | None = None
    covers_working_day: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpandedPhase:
    """One phase to carry out and the step it comes from."""

    name: str
    ring: str
    moves: tuple[Move, ...]
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a plan moves: components in `after` order, which of them know internal users, targets."""

    service: ServiceName
    components: tuple[ComponentName, ...]
    internal: frozenset[ComponentName]
    targets: tuple[TargetSpec, ...]

    def rings(self) -> tuple[str, ...]:
        """Return the rings in order of first appearance."""
        return tuple(dict.fromkeys(target.ring for target in self.targets))

    def of_ring(self, ring: str) -> tuple[TargetSpec, ...]:
        """Return the targets of *ring*, in their order."""
        return tuple(target for target in self.targets if target.ring == ring)


@dataclass(slots=True)
class _Exposures:
    """What has been reached so far, so that nothing is moved to where it is already."""

    reached: dict[Placement, Exposure] = field(default_factory=dict)

    def moves(
        self, ground: Ground, step: Step, targets: Sequence[TargetSpec], share: Share
    ) -> Iterator[Move]:
        for component in step.components:
            exposure = _exposure(share, knows_internal=component in ground.internal)
            for target in targets:
                placement = Placement(
                    service=ground.service, component=component, target=target.name
                )
                if self.reached.get(placement, NO_EXPOSURE) != exposure:
                    self.reached[placement] = exposure
                    yield Move(placement=placement, exposure=exposure)


def expand(steps: Sequence[Step], ground: Ground) -> list[ExpandedPhase]:
    """
    Return the phases that *steps* stand for, in order.

    Targets that move one after the other go through all shares of their step before the next begins.
    A phase that would move nothing, since a step before did, is left out.
    """
    exposures = _Exposures()
    phases: list[ExpandedPhase] = []
    for step in steps:
        expanded: list[tuple[tuple[TargetSpec, ...], Share, tuple[Move, ...]]] = []
        for begin in range(0, len(step.targets), step.at_once):
            batch = step.targets[begin : begin + step.at_once]
            for share in step.shares:
                moves = tuple(exposures.moves(ground, step, batch, share))
                if moves:
                    expanded.append((batch, share, moves))
        several_batches = len({batch[0].name for batch, _, _ in expanded}) > 1
        several_shares = len({share for _, share, _ in expanded}) > 1
        for batch, share, moves in expanded:
            name = step.name
            if several_batches:
                name += f"-{_batch_name(step, batch)}"
            if several_shares:
                name += f"-{_share_name(share)}"
            phases.append(ExpandedPhase(name=name, ring=_ring(batch), moves=moves, step=step))
    return phases


def in_after_order(
    after: dict[ComponentName, tuple[ComponentName, ...]],
) -> tuple[ComponentName, ...] | None:
    """Return the components so that each comes after what it needs, or None when that's a circle."""
    ordered: list[ComponentName] = []
    waiting = dict(after)
    while waiting:
        ready = [
            name
            for name, needed in waiting.items()
            if not any(other in waiting for other in needed)
        ]
        if not ready:
            return None
        ordered.extend(ready)
        for name in ready:
            del waiting[name]
    return tuple(ordered)


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultPlan:
    """
    A plan by name. `first` are the shares of the first ring with their bakes.

    `early` is the bake of internal users and of each ring for them; `rest` that of the ring after the
    first, whose targets move one at a time. Each further ring bakes longer by `growth`. `bake_max` is
    the least that an undecided bake is given, where three times its bake would be too short.
    """

    name: str
    early: timedelta
    first: tuple[tuple[int, timedelta], ...]
    rest: timedelta
    growth: timedelta
    bake_max: timedelta = timedelta(0)


def _hours(number: int) -> timedelta:
    return timedelta(hours=number)


def _seconds(number: int) -> timedelta:
    return timedelta(seconds=number)


DEFAULT_PLANS: Final = {
    plan.name: plan
    for plan in (
        DefaultPlan(
            name="standard",
            early=_hours(1),
            first=((100, _hours(4)), (1_000, _hours(8)), (2_500, _hours(8)), (10_000, _hours(24))),
            rest=_hours(36),
            growth=_hours(12),
        ),
        DefaultPlan(
            name="quick",
            early=_hours(1),
            first=((500, _hours(1)), (2_500, _hours(2)), (10_000, _hours(4))),
            rest=_hours(6),
            growth=_hours(2),
        ),
        DefaultPlan(
            name="lab",
            early=_seconds(5),
            first=(
                (500, _seconds(8)),
                (2_500, _seconds(10)),
                (5_000, _seconds(12)),
                (10_000, _seconds(15)),
            ),
            rest=_seconds(18),
            growth=_seconds(3),
            # Seconds of a small share prove little when luck is bad; a person would wait a minute.
            bake_max=_seconds(60),
        ),
    )
}


def is_of_library(spec: ServiceSpec) -> bool:
    """Return whether the phases of *spec* are those of the plan of the library that it names."""
    plan = DEFAULT_PLANS.get(spec.plan.name)
    if plan is None:
        return False
    moves = [move for phase in spec.plan.phases for move in phase.moves]
    ground = Ground(
        service=spec.name,
        components=tuple(component.name for component in spec.components),
        internal=frozenset(move.placement.component for move in moves if move.exposure.internal),
        targets=spec.targets,
    )
    named = expand(default_steps(plan, ground, ()), ground)
    return [(one.name, one.moves, one.step.bake, one.step.bake_max) for one in named] == [
        (phase.name, phase.moves, phase.bake, phase.bake_max) for phase in spec.plan.phases
    ]


def default_steps(plan: DefaultPlan, ground: Ground, path: KeyPath) -> list[Step]:
    """Return *plan* for the rings of *ground*; *path* is where it is named, or would be."""
    early = [ring for ring in ground.rings() if ring in EARLY_RINGS]
    others = [ring for ring in ground.rings() if ring not in EARLY_RINGS]
    steps: list[Step] = []

    def add(
        name: str, ring: str, share: Share, bake: timedelta, *, one_by_one: bool = False
    ) -> None:
        targets = ground.of_ring(ring)
        components = ground.components
        if share == "internal":
            components = tuple(name for name in components if name in ground.internal)
        steps.append(
            Step(
                name=name,
                targets=targets,
                components=components,
                shares=(share,),
                bake=bake,
                bake_max=max(BAKE_MAX_FACTOR * bake, plan.bake_max),
                at_once=1 if one_by_one else len(targets),
                path=path,
            )
        )

    bake = timedelta(0)
    for ring in early:
        bake += plan.early
        add(ring, ring, FULL_WEIGHT_BPS, bake)
    for index, ring in enumerate(others):
        if index == 0:
            if ground.internal:
                bake += plan.early
                add("internal-users", ring, "internal", bake)
            for weight_bps, planned in plan.first:
                # An early ring may have baked as long already; bakes grow from ring to ring.
                grown = bake + plan.early if steps and steps[-1].targets[0].ring != ring else bake
                bake = max(planned, grown)
                add(f"{ring}-{format_bps(weight_bps)}", ring, weight_bps, bake)
        else:
            bake = max(plan.rest + (index - 1) * plan.growth, bake + plan.growth)
            add(ring, ring, FULL_WEIGHT_BPS, bake, one_by_one=True)
    return steps


def _exposure(share: Share, *, knows_internal: bool) -> Exposure:
    if share == "internal":
        return Exposure(internal=True, weight_bps=0)
    # Internal users come first, so they have the candidate as soon as anyone has.
    return Exposure(internal=knows_internal, weight_bps=share)


def _ring(targets: Sequence[TargetSpec]) -> str:
    rings = {target.ring for target in targets}
    return rings.pop() if len(rings) == 1 else MIXED_RING


def _batch_name(step: Step, batch: Sequence[TargetSpec]) -> str:
    if step.at_once == 1:
        return str(batch[0].name)
    return str(step.targets.index(batch[0]) // step.at_once + 1)


def _share_name(share: Share) -> str:
    return share if share == "internal" else format_bps(share)
