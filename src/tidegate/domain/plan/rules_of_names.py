"""
Rules that every other rule rests on: nothing is empty, every name is known, and no name stands twice.

A service read from a file can't break them; one that came over the network might.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from tidegate.domain.plan.findings import Flaw, Subject


def nothing_is_empty(subject: Subject) -> Iterator[Flaw]:
    """Yield where a service has no components, targets or phases, or a phase no moves."""
    spec = subject.spec
    for what, items in (("component", spec.components), ("target", spec.targets)):
        if not items:
            yield Flaw(message=f"there is no {what}", fix=f"add a {what}", path=(f"{what}s",))
    if not spec.plan.phases:
        yield Flaw(message="the plan has no phases", fix="add a phase", path=("plan", "phases"))
    for index, phase in enumerate(spec.plan.phases):
        if not phase.moves:
            yield Flaw(
                message=f"phase {phase.name} moves nothing",
                fix="remove it, or let it raise the traffic",
                path=("plan", "phases", index),
            )


def names_are_known(subject: Subject) -> Iterator[Flaw]:
    """Yield where a phase or a component names what doesn't exist."""
    spec = subject.spec
    components = {component.name for component in spec.components}
    targets = {target.name for target in spec.targets}
    for index, component in enumerate(spec.components):
        for needed in component.after:
            if needed not in components:
                yield Flaw(
                    message=f"component {component.name} comes after {needed}, which doesn't exist",
                    fix=f"name one of {_listed(components)}",
                    path=("components", index, "after"),
                )
    for index, phase in enumerate(spec.plan.phases):
        for number, move in enumerate(phase.moves):
            path = ("plan", "phases", index, "moves", number)
            place = move.placement
            if place.component not in components or place.target not in targets:
                yield Flaw(
                    message=f"phase {phase.name} moves {place}, which doesn't exist",
                    fix=f"name components of {_listed(components)}, targets of {_listed(targets)}",
                    path=path,
                )
            elif place.service != spec.name:
                yield Flaw(
                    message=f"phase {phase.name} moves {place}, which isn't of {spec.name}",
                    fix="a plan moves its own service only",
                    path=path,
                )


def names_are_unique(subject: Subject) -> Iterator[Flaw]:
    """Yield names that stand twice among components, targets, phases, or in one phase."""
    spec = subject.spec
    yield from _twice("component", (one.name for one in spec.components), ("components",))
    yield from _twice("target", (one.name for one in spec.targets), ("targets",))
    yield from _twice("phase", (one.name for one in spec.plan.phases), ("plan", "phases"))
    yield from _twice("node", (one.name for one in spec.plan.health.nodes), ("health", "model"))
    for index, phase in enumerate(spec.plan.phases):
        path = ("plan", "phases", index)
        yield from _twice("signal", (one.name for one in phase.signals), (*path, "signals"))
        yield from _twice("exercise", (one.name for one in phase.exercises), (*path, "exercise"))
        yield from _twice("move", (str(one.placement) for one in phase.moves), (*path, "moves"))


def _twice(what: str, names: Iterable[str], path: tuple[str | int, ...]) -> Iterator[Flaw]:
    for name, count in Counter(names).items():
        if count > 1:
            yield Flaw(
                message=f"the {what} {name} stands {count} times",
                fix="give each its own name",
                path=path,
            )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
