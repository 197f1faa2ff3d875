"""Rules about who meets a candidate, in which order, and how they get back."""

from collections.abc import Iterator
from typing import Final

from tidegate.domain.plan.findings import Flaw, Subject
from tidegate.domain.plan.model import ComponentSpec
from tidegate.domain.quantities import (
    FULL_WEIGHT_BPS,
    NO_EXPOSURE,
    Exposure,
    Placement,
    TargetName,
    format_bps,
)

GROUPS_BEFORE_EVERYONE: Final = 2
LARGEST_FIRST_GROUP_BPS: Final = 5_000


def exposure_never_shrinks(subject: Subject) -> Iterator[Flaw]:
    """Yield where a phase exposes a placement to fewer people than a phase before."""
    current: dict[Placement, Exposure] = {}
    for index, phase in enumerate(subject.spec.plan.phases):
        for move in phase.moves:
            before = current.get(move.placement, NO_EXPOSURE)
            if before.exceeds(move.exposure):
                yield Flaw(
                    message=f"phase {phase.name} takes {move.placement} from {before} back to "
                    f"{move.exposure}",
                    fix="order the phases by growing traffic, or leave out targets that are done",
                    path=("plan", "phases", index, "traffic"),
                )
            current[move.placement] = move.exposure


def every_target_reached(subject: Subject) -> Iterator[Flaw]:
    """Yield components that don't serve everyone on every target when the plan is done."""
    spec = subject.spec
    last = len(spec.plan.phases) - 1
    for component in spec.components:
        for target in spec.targets:
            place = Placement(service=spec.name, component=component.name, target=target.name)
            reached = spec.plan.exposure_of(place, last)
            if reached.weight_bps < FULL_WEIGHT_BPS:
                yield Flaw(
                    message=f"the plan ends with {place} at {reached}, not at 100%",
                    fix=f"add a phase that brings {component.name} to {target.name} in full",
                    path=("plan", "phases"),
                )


def two_groups_before_everyone(subject: Subject) -> Iterator[Flaw]:
    """Yield components that reach all production users after fewer than two smaller groups."""
    if not subject.production:
        return
    for component in subject.spec.components:
        for groups, (index, share_bps) in enumerate(_production_shares(subject, component)):
            if share_bps == FULL_WEIGHT_BPS and groups < GROUPS_BEFORE_EVERYONE:
                yield Flaw(
                    message=f"{component.name} reaches every production user after "
                    f"{groups} smaller {'group' if groups == 1 else 'groups'}, not "
                    f"{GROUPS_BEFORE_EVERYONE}",
                    fix="add phases with less traffic or with fewer targets before",
                    path=("plan", "phases", index, "traffic"),
                )


def first_group_is_small(subject: Subject) -> Iterator[Flaw]:
    """Yield components whose first production group is most of the users."""
    for component in subject.spec.components:
        for index, share_bps in _production_shares(subject, component):
            if share_bps > LARGEST_FIRST_GROUP_BPS:
                yield Flaw(
                    message=f"the first group of {component.name} is {format_bps(share_bps)} of "
                    "production",
                    fix="begin with a few percent, or with one of several targets",
                    path=("plan", "phases", index, "traffic"),
                )
            break


def needs_come_first(subject: Subject) -> Iterator[Flaw]:
    """Yield where a component gets ahead of one that it comes after."""
    spec = subject.spec
    for component in spec.components:
        for index, phase in subject.phases_of(component.name):
            allowed = spec.plan.exposure_within(index)
            for move in phase.moves:
                if move.placement.component != component.name:
                    continue
                for needed in component.after:
                    place = Placement(
                        service=spec.name, component=needed, target=move.placement.target
                    )
                    if _is_ahead(move.exposure, allowed.get(place, NO_EXPOSURE)):
                        yield Flaw(
                            message=f"phase {phase.name} brings {move.placement} to "
                            f"{move.exposure} before {needed}, which it comes after",
                            fix=f"move {needed} there in an earlier phase or in the same one",
                            path=("plan", "phases", index, "run"),
                        )


def way_back_for_each_component(subject: Subject) -> Iterator[Flaw]:
    """Yield components whose driver can't bring everyone back to the baseline."""
    for index, component in enumerate(subject.spec.components):
        if component.driver not in subject.reversible_drivers:
            yield Flaw(
                message=f"driver {component.driver} of {component.name} has no way back",
                fix=f"take one of {', '.join(sorted(subject.reversible_drivers))}",
                path=("components", index, "driver"),
            )


def _is_ahead(exposure: Exposure, needed: Exposure) -> bool:
    # Internal users are ahead only where nobody at all has what is needed: not every driver knows them.
    reaches_nobody = needed == NO_EXPOSURE
    return exposure.weight_bps > needed.weight_bps or (exposure.internal and reaches_nobody)


def _production_shares(subject: Subject, component: ComponentSpec) -> Iterator[tuple[int, int]]:
    """
    Yield each phase that widens *component*'s exposure to production users: its index, and the share.

    The share is the mean over production targets, in basis points: which targets have more users isn't
    known here.
    """
    weights: dict[TargetName, int] = dict.fromkeys(subject.production, 0)
    for index, phase in subject.phases_of(component.name):
        before = sum(weights.values())
        for move in phase.moves:
            place = move.placement
            if place.component == component.name and place.target in weights:
                weights[place.target] = move.exposure.weight_bps
        if sum(weights.values()) > before:
            yield index, sum(weights.values()) // len(weights)
