"""
From `health.model` as it is written to the health model as it is run.

What is only named in a `needs` is a node too, and the service itself gets every signal that was given
to no other node. Whether the model makes sense is checked by the rule `health-model-is-sound`.
"""

from collections.abc import Iterable, Mapping

from tidegate.documents.written import ModelNode
from tidegate.domain.plan.model import Dependency, HealthModel, HealthNode, Impact


def resolve_model(
    written: Mapping[str, ModelNode] | None, service: str, signals: Iterable[str]
) -> HealthModel:
    """
    Return the health model that was *written* for *service*, empty where none was.

    Args:
        written: The nodes by name, in the order of the file.
        service: The name of the service, whose own node gets what is left.
        signals: The names of all signals that the plan watches.
    """
    if written is None:
        return HealthModel()
    attached = {signal for node in written.values() for signal in node.signals}
    left = tuple(name for name in signals if name not in attached)
    nodes = [_node(name, node, left if name == service else ()) for name, node in written.items()]
    implied = dict.fromkeys(
        need for node in written.values() for need in node.needs if need not in written
    )
    return HealthModel(nodes=(*nodes, *(HealthNode(name=name) for name in implied)))


def _node(name: str, written: ModelNode, left: tuple[str, ...]) -> HealthNode:
    return HealthNode(
        name=name,
        signals=(*written.signals, *left),
        needs=tuple(
            Dependency(node=node, impact=Impact(impact)) for node, impact in written.needs.items()
        ),
    )
