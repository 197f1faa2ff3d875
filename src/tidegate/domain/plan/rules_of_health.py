"""
Rules about the health model: names exist, a signal tells of one node, and nothing needs itself.

A model that breaks one of them would show a state that rests on nothing, or none at all.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from tidegate.domain.plan.findings import Flaw, Subject
from tidegate.domain.plan.model import HealthNode, Plan

_MODEL = ("health", "model")


def health_model_is_sound(subject: Subject) -> Iterator[Flaw]:
    """Yield what makes the health model of a service mean nothing; a service without one is sound."""
    nodes = {node.name: node for node in subject.spec.plan.health.nodes}
    if not nodes:
        return
    own = str(subject.spec.name)
    yield from _signal_flaws(nodes, own, signal_names(subject.spec.plan))
    unknown = [*_unknown_nodes(nodes)]
    yield from unknown
    if own not in nodes:
        yield Flaw(
            message=f"the health model has no node {own}, which is the service itself",
            fix=f"add `{own}: {{needs: {{{next(iter(nodes))}: degraded}}}}`",
            path=_MODEL,
        )
    elif not unknown:
        circle = _circle(nodes)
        if circle is not None:
            yield circle
        yield from _unreached(nodes, own)


def signal_names(plan: Plan) -> tuple[str, ...]:
    """Return the names of all signals of *plan*, in order of first appearance."""
    return tuple(dict.fromkeys(signal.name for phase in plan.phases for signal in phase.signals))


def _signal_flaws(
    nodes: Mapping[str, HealthNode], own: str, known: tuple[str, ...]
) -> Iterator[Flaw]:
    attached: dict[str, str] = {}
    for node in nodes.values():
        for index, signal in enumerate(node.signals):
            path = (*_MODEL, node.name, "signals", index)
            if signal not in known:
                near = get_close_matches(signal, known, n=1)
                yield Flaw(
                    message=f"node {node.name} of the health model has the signal {signal},"
                    " which doesn't exist",
                    fix=f"did you mean {near[0]}?"
                    if near
                    else f"take one of: {', '.join(sorted(known))}",
                    path=path,
                )
            elif signal in attached:
                yield Flaw(
                    message=f"the signal {signal} is attached to {attached[signal]} and to"
                    f" {node.name}",
                    fix="let it tell the state of one of them; `needs` carries it to the other",
                    path=path,
                )
            else:
                attached[signal] = node.name
    for signal in known:
        if own in nodes and signal not in attached:
            yield Flaw(
                message=f"the signal {signal} is attached to no node of the health model",
                fix="name it in the `signals` of a node",
                path=_MODEL,
            )


def _unknown_nodes(nodes: Mapping[str, HealthNode]) -> Iterator[Flaw]:
    """A file can't break this: what a node needs is a node by being named."""
    for node in nodes.values():
        for need in node.needs:
            if need.node not in nodes:
                yield Flaw(
                    message=f"{node.name} needs {need.node}, which isn't a node",
                    fix=f"take one of: {', '.join(sorted(nodes))}",
                    path=(*_MODEL, node.name, "needs", need.node),
                )


def _circle(nodes: Mapping[str, HealthNode]) -> Flaw | None:
    """Return the first circle there is among *nodes*, told as a sentence."""
    over: set[str] = set()
    for start in nodes:
        way: list[str] = [start]
        branches = [iter(nodes[start].needs)]
        while way:
            need = next(branches[-1], None)
            if need is None:
                over.add(way.pop())
                branches.pop()
            elif need.node in way:
                circle = [*way[way.index(need.node) :], need.node]
                return Flaw(
                    message="the health model goes in circles: " + " needs ".join(circle),
                    fix=f"remove {need.node} from the `needs` of {way[-1]}, or put what both need"
                    " into a node of its own",
                    path=(*_MODEL, way[-1], "needs", need.node),
                )
            elif need.node not in over:
                way.append(need.node)
                branches.append(iter(nodes[need.node].needs))
    return None


def _unreached(nodes: Mapping[str, HealthNode], own: str) -> Iterator[Flaw]:
    reached: set[str] = set()
    waiting = [own]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(need.node for need in nodes[name].needs)
    for name in nodes:
        if name not in reached:
            near = get_close_matches(name, sorted(reached - {own}), n=1)
            meant = f"; did you mean it by {near[0]}?" if near else ""
            yield Flaw(
                message=f"nothing needs {name}: its state would change nothing",
                fix=f"name it in the `needs` of {own} or of what {own} needs, or remove it{meant}",
                path=(*_MODEL, name),
            )
