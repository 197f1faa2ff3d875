"""
The health model: what state each part of a service is in, and why, from its signals and what it needs.

Rule: unknown is never green. A state that isn't known is carried as the range it can be in, so that an
unknown part makes everything unknown whose state hangs on it, and nothing else; and what is known to be
bad stays bad whatever isn't known beside it. Trouble only ever spreads from what is needed to what
needs it, no further than the impact that was written.

Nothing here measures or halts anything: states come in as values, and what a verdict does to a rollout
is decided elsewhere. Models were checked when their document was read (`domain.plan.rules_of_health`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tidegate.domain.plan.model import Dependency, HealthModel, HealthNode, Impact


class Health(StrEnum):
    """The state of a part of a service."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


_BY_SEVERITY: Final = (Health.HEALTHY, Health.DEGRADED, Health.UNHEALTHY)

_REACH: Final[Mapping[Impact, int]] = {
    Impact.OUTAGE: _BY_SEVERITY.index(Health.UNHEALTHY),
    Impact.DEGRADED: _BY_SEVERITY.index(Health.DEGRADED),
    Impact.NONE: _BY_SEVERITY.index(Health.HEALTHY),
}
"""The worst that a dependency can do to what needs it."""


@dataclass(frozen=True, slots=True)
class Range:
    """
    What is known of a state: it lies between two severities, 0 healthy, 1 degraded, 2 unhealthy.

    They are equal where the state is known.
    """

    at_least: int
    at_most: int

    @property
    def health(self) -> Health:
        """The state, unknown unless both ends agree."""
        return _BY_SEVERITY[self.at_least] if self.at_least == self.at_most else Health.UNKNOWN

    @property
    def known_trouble(self) -> Health:
        """The least trouble that there is for certain; healthy says only that none is known."""
        return _BY_SEVERITY[self.at_least]

    def through(self, impact: Impact) -> "Range":
        """Return what a dependency in this range does to a node that needs it with *impact*."""
        reach = _REACH[impact]
        return Range(min(self.at_least, reach), min(self.at_most, reach))

    def worse(self, other: "Range") -> "Range":
        """Return the range of the worse of two states."""
        return Range(max(self.at_least, other.at_least), max(self.at_most, other.at_most))


GOOD: Final = Range(0, 0)
ANYTHING: Final = Range(0, 2)


def range_of(health: Health) -> Range:
    """Return what *health* says: one state, or nothing where it is unknown."""
    if health is Health.UNKNOWN:
        return ANYTHING
    severity = _BY_SEVERITY.index(health)
    return Range(severity, severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalHealth:
    """
    What one signal says of the node it is attached to, and why in words.

    `counts` is false for a signal in shadow, which is shown and does nothing.
    """

    signal: str
    health: Health
    why: str
    counts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnHealth:
    """The state of one node by itself, without what it needs, and why in words."""

    range: Range
    why: str

    @property
    def health(self) -> Health:
        """The state, unknown unless it is certain."""
        return self.range.health


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHealth:
    """
    The state of one node with what it needs.

    `because` names what makes it so: its own reason, and the needed nodes that hold it there.
    """

    node: str
    own: OwnHealth
    range: Range
    because: tuple[str, ...]

    @property
    def health(self) -> Health:
        """The state, unknown unless it is certain."""
        return self.range.health


def model_of_service(model: HealthModel, service: str, signals: tuple[str, ...]) -> HealthModel:
    """Return *model*, or where none was written that of *service* alone with all its *signals*."""
    return model if model.nodes else HealthModel(nodes=(HealthNode(name=service, signals=signals),))


def root_of(model: HealthModel) -> str | None:
    """Return the node that no other needs: the service itself. None for an empty model."""
    needed = {dependency.node for node in model.nodes for dependency in node.needs}
    return next((node.name for node in model.nodes if node.name not in needed), None)


def own_health(
    model: HealthModel,
    signals: Mapping[str, SignalHealth],
    services: Mapping[str, OwnHealth],
) -> dict[str, OwnHealth]:
    """
    Return the state of each node by itself.

    Args:
        model: The nodes and their signals.
        signals: What each signal says. One that is absent here says nothing, which isn't good.
        services: The states of other services, by name. A node of that name is as well as the worse of
            the service and its own signals.
    """
    return {
        node.name: _own(node, [_said(name, signals) for name in node.signals], services)
        for node in model.nodes
    }


def _said(name: str, signals: Mapping[str, SignalHealth]) -> SignalHealth:
    silent = SignalHealth(signal=name, health=Health.UNKNOWN, why="it wasn't measured")
    return signals.get(name, silent)


def _own(
    node: HealthNode, said: list[SignalHealth], services: Mapping[str, OwnHealth]
) -> OwnHealth:
    counting = [one for one in said if one.counts]
    service = services.get(node.name)
    if not counting and service is None:
        why = "all of its signals are in shadow" if said else "nothing measures it"
        return OwnHealth(range=ANYTHING, why=why)
    total = GOOD if service is None else service.range
    for one in counting:
        total = total.worse(range_of(one.health))
    deciding = [one for one in counting if _decides(total, range_of(one.health))]
    words = [
        f"{', '.join(sorted(one.signal for one in deciding if one.why == why))}: {why}"
        for why in {one.why for one in deciding}
    ]
    if service is not None and _decides(total, service.range):
        words.append(service.why)
    return OwnHealth(range=total, why="; ".join(sorted(words)))


def _decisive(total: Range, parts: list[tuple[Range, str]]) -> list[str]:
    """Return the words of the *parts* that make *total* what it is, in the order of the words."""
    return sorted({why for part, why in parts if _decides(total, part)})


def _decides(total: Range, part: Range) -> bool:
    if total.at_least and part.at_least == total.at_least:
        return True
    # What isn't known is to be told as well, where it could still make things worse.
    return total.at_most > total.at_least and part.at_most > total.at_least


def propagate(model: HealthModel, own: Mapping[str, OwnHealth]) -> dict[str, NodeHealth]:
    """
    Return the state of each node with what it needs, in the order of *model*.

    Each is the worst of its own state and of what it needs, as far as the impact of each lets it
    through. The order in which nodes and dependencies were written changes nothing.

    Args:
        model: The nodes; without cycles.
        own: The state of each node by itself. A node that is absent here is unknown.
    """
    nodes = {node.name: node for node in model.nodes}
    found: dict[str, NodeHealth] = {}
    for name in _needed_first(nodes):
        found[name] = _with_needs(nodes[name], _own_of(name, own), found)
    return {node.name: found[node.name] for node in model.nodes}


def _own_of(name: str, own: Mapping[str, OwnHealth]) -> OwnHealth:
    return own.get(name) or OwnHealth(range=ANYTHING, why="nothing measures it")


def _with_needs(node: HealthNode, own: OwnHealth, found: Mapping[str, NodeHealth]) -> NodeHealth:
    parts = [(own.range, own.why)] + [
        (
            found[need.node].range.through(need.impact),
            f"{need.node} is {found[need.node].health}",
        )
        for need in node.needs
    ]
    total = GOOD
    for part, _ in parts:
        total = total.worse(part)
    return NodeHealth(node=node.name, own=own, range=total, because=tuple(_decisive(total, parts)))


def _needed_first(nodes: Mapping[str, HealthNode]) -> list[str]:
    """Return the names of *nodes* so that each stands after all that it needs."""
    ordered: dict[str, None] = {}
    # A stack of our own: a chain of thousands of nodes is a document, not a reason to fail.
    waiting = [(name, False) for name in reversed(tuple(nodes))]
    while waiting:
        name, needs_are_in = waiting.pop()
        if name in ordered:
            continue
        if needs_are_in:
            ordered[name] = None
            continue
        waiting.append((name, True))
        waiting.extend((need.node, False) for need in nodes[name].needs if need.node not in ordered)
    return list(ordered)


def explain(model: HealthModel, found: Mapping[str, NodeHealth], node: str) -> tuple[str, ...]:
    """
    Return why *node* isn't healthy as a chain, one sentence per link, ending at a node's own reason.

    Empty for a healthy node. Of several reasons it follows the worst, then the first by name; a node's
    own reason comes before those of what it needs.
    """
    nodes = {one.name: one for one in model.nodes}
    sentences: list[str] = []
    current = node
    while True:
        here = found[current]
        if here.health is Health.HEALTHY:
            return tuple(sentences)
        state = f"{current} is {here.health}"
        culprit = None if _decides(here.range, here.own.range) else _culprit(nodes[current], found)
        if culprit is None:
            return (*sentences, f"{state} because {here.own.why}")
        sentences.append(f"{state} because {culprit} is {found[culprit].health}")
        current = culprit


def _culprit(node: HealthNode, found: Mapping[str, NodeHealth]) -> str | None:
    total = found[node.name].range
    guilty = [
        need for need in node.needs if _decides(total, found[need.node].range.through(need.impact))
    ]
    ranked = sorted(guilty, key=lambda need: (*_rank(found[need.node].range), need.node))
    return ranked[0].node if ranked else None


def _rank(state: Range) -> tuple[int, int]:
    return (-state.at_least, -state.at_most)


def explaining_dependency(model: HealthModel, states: Mapping[str, Health]) -> str | None:
    """
    Return the needed node that explains trouble of the service, None when none is known to.

    Of the nodes that are in trouble by themselves and can reach the service through the impacts on the
    way, it is the deepest: one whose own needs are well. Of several, the one that does most to the
    service, then the sickest, then the first by name. Unknown nodes explain nothing.

    Args:
        model: The health model; without cycles.
        states: The state of each node by itself, without what it needs.
    """
    root = root_of(model)
    if root is None:
        return None
    nodes = {node.name: node for node in model.nodes}
    sick = {
        name: severity
        for name in nodes
        if (severity := range_of(states.get(name, Health.UNKNOWN)).at_least) > 0
    }
    reached = _reached(nodes, root, sick)
    deepest = [name for name in reached if not _reached(nodes, name, sick)]
    ranked = sorted(deepest, key=lambda name: (-reached[name], -sick[name], name))
    return ranked[0] if ranked else None


def _reached(
    nodes: Mapping[str, HealthNode], start: str, sick: Mapping[str, int]
) -> dict[str, int]:
    """Return the sick nodes that *start* needs, each with the most trouble it can bring there."""
    reach: dict[str, int] = {}
    waiting: list[tuple[Dependency, int]] = [
        (need, max(_REACH.values())) for need in nodes[start].needs
    ]
    while waiting:
        need, allowed = waiting.pop()
        allowed = min(allowed, _REACH[need.impact])
        if allowed <= reach.get(need.node, 0):
            continue
        reach[need.node] = allowed
        waiting.extend((further, allowed) for further in nodes[need.node].needs)
    return {name: min(reach[name], sick[name]) for name in reach if name in sick}
