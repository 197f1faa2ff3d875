"""The health of a service as it is shown."""

from collections.abc import Sequence

from tidegate.api.shapes import service_health as shapes
from tidegate.api.showing.evidence import finite
from tidegate.domain.health.model import Health
from tidegate.domain.plan.model import HealthNode
from tidegate.domain.quantities import ServiceName
from tidegate.usecases.ask_signals import Asked
from tidegate.usecases.service_health import ServiceHealth
from tidegate.usecases.signal_answers import Answer
from tidegate.usecases.signal_history import SignalHistory


def show_health(found: ServiceHealth) -> shapes.ServiceHealth:
    """Return the state of each node, in the order of the model."""
    return shapes.ServiceHealth(
        service=found.service,
        at=found.at,
        health=_state(found.health),
        because=list(found.because),
        explained_by=found.explained_by,
        rollouts=list(found.rollouts),
        nodes=[_node(found, node) for node in found.model.nodes],
    )


def show_test(found: ServiceHealth, asked: Asked) -> shapes.HealthTest:
    """Return what the sources gave, and the health that this makes."""
    return shapes.HealthTest(
        health=show_health(found), answers=[_answer(answer) for answer in asked.answers]
    )


def show_history(service: ServiceName, past: Sequence[SignalHistory]) -> shapes.SignalHistory:
    """Return what each signal would have done in the past."""
    return shapes.SignalHistory(
        service=service,
        signals=[
            shapes.SignalPast(
                signal=one.signal,
                shadow=one.shadow,
                rollouts=one.rollouts,
                ticks=one.ticks,
                halted=list(one.halted),
                false_halts=list(one.halted_healthy),
            )
            for one in past
        ],
    )


def _node(found: ServiceHealth, node: HealthNode) -> shapes.Node:
    state = found.nodes[node.name]
    return shapes.Node(
        name=node.name,
        health=_state(state.health),
        at_least=_state(state.range.known_trouble),
        because=list(state.because),
        own_health=_state(state.own.health),
        own_why=state.own.why,
        supposed=node.name in found.supposed,
        signals=[_signal(found, name) for name in node.signals if name in found.specs],
        needs=[shapes.NodeNeed(node=need.node, impact=need.impact.value) for need in node.needs],
    )


def _signal(found: ServiceHealth, name: str) -> shapes.NodeSignal:
    spec, said = found.specs[name], found.signals[name]
    return shapes.NodeSignal(
        name=name,
        kind=spec.kind.value,
        gate=spec.gate,
        shadow=not said.counts,
        health=_state(said.health),
        why=said.why,
    )


def _answer(answer: Answer) -> shapes.Answer:
    return shapes.Answer(
        signal=answer.spec.name,
        kind=answer.spec.kind.value,
        source=answer.spec.source,
        component=answer.placement.component,
        target=answer.placement.target,
        gate=answer.spec.gate,
        shadow=answer.spec.shadow,
        quality=answer.quality.value,
        found=answer.found,
        value=finite(answer.value),
        effect=answer.effect,
        fix=answer.fix,
    )


def _state(health: Health) -> shapes.State:
    return health.value
