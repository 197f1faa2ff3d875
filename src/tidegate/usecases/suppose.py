"""
What would happen if one part of a service were ill: whose state changes, and what its signals would do.

Nothing is changed and no source is asked. States spread as the health model says; what a signal does to a
rollout is what its plan says. A part that no signal tells of would hold and halt nothing: that is said as
plainly as the rest, since it is what people look here to find.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tidegate.domain.access.model import Caller
from tidegate.domain.health.evidence import is_binding
from tidegate.domain.health.model import Health
from tidegate.domain.plan.model import Effect, SignalSpec
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.rollout.seen import phase_in_force
from tidegate.usecases.outside import Outside
from tidegate.usecases.service_health import ServiceHealth, active_rollouts, service_health


class Act(StrEnum):
    """What a signal does to a rollout, the strongest first."""

    HALTS = "halts"
    HOLDS = "holds"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalAct:
    """What one signal of the part would do, and why; `rollouts` are those under way that it would touch."""

    signal: str
    act: Act
    because: str
    rollouts: tuple[RolloutId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One node whose state would be another."""

    node: str
    before: Health
    after: Health


@dataclass(frozen=True, slots=True, kw_only=True)
class Supposition:
    """All that would follow from `node` being unhealthy. `health` is the model with that supposed."""

    node: str
    health: ServiceHealth
    changed: tuple[Changed, ...]
    acts: tuple[SignalAct, ...]

    @property
    def strongest(self) -> Act:
        """The most that would be done to a rollout of the service."""
        return min((one.act for one in self.acts), key=[*Act].index, default=Act.NOTHING)


def suppose_unhealthy(
    outside: Outside, caller: Caller, before: ServiceHealth, node: str
) -> Supposition:
    """
    Return what would follow if *node* were unhealthy.

    Args:
        outside: The world; only the store and the clock are used.
        caller: Who looks.
        before: The service's health as it is.
        node: A node of its model.

    Raises:
        InvalidRequestError: the model has no such node.
        StoreError: the store can't be read.
    """
    service = before.service
    after = service_health(outside, caller, service, supposed={node: Health.UNHEALTHY})
    with outside.store.begin(read_only=True) as transaction:
        active = active_rollouts(transaction, ServiceName(service))
    names = next(one.signals for one in after.model.nodes if one.name == node)
    return Supposition(
        node=node,
        health=after,
        changed=_changed(before, after),
        acts=acts_of([after.specs[name] for name in names if name in after.specs], active),
    )


def acts_of(specs: Sequence[SignalSpec], active: Sequence[Rollout]) -> tuple[SignalAct, ...]:
    """Return what each of *specs* would do if it showed trouble, and to which of the *active* rollouts."""
    watching = {one.id: _watched_in(one) for one in active}
    found = []
    for spec in specs:
        act, because = act_of(spec)
        touched = tuple(
            rollout_id
            for rollout_id, watched in watching.items()
            if act is not Act.NOTHING and spec.name in watched and is_binding(watched[spec.name])
        )
        found.append(SignalAct(signal=spec.name, act=act, because=because, rollouts=touched))
    return tuple(found)


def act_of(spec: SignalSpec) -> tuple[Act, str]:
    """Return the most that *spec* does to a rollout, and when."""
    if spec.shadow:
        return Act.NOTHING, "it is in shadow: watched and judged, and its verdict does nothing"
    if spec.limit is None:
        return Act.HALTS, "halts once harm is proven, and holds while it is likely"
    match spec.limit.effect:
        case Effect.HALT:
            return Act.HALTS, "halts as soon as the limit is broken"
        case Effect.HOLD:
            return Act.HOLDS, "holds as long as the limit is broken"
        case Effect.IGNORE:
            return Act.NOTHING, "a broken limit is shown and ignored"


def _watched_in(rollout: Rollout) -> Mapping[str, SignalSpec]:
    """Return the signals that can stop *rollout* now: those of the phase that users meet."""
    phase = phase_in_force(rollout)
    if phase is None or not phase.exposes_users:
        return {}
    return {spec.name: spec for spec in phase.signals}


def _changed(before: ServiceHealth, after: ServiceHealth) -> tuple[Changed, ...]:
    return tuple(
        Changed(node=name, before=before.nodes[name].health, after=state.health)
        for name, state in after.nodes.items()
        if name in before.nodes and before.nodes[name].health is not state.health
    )
