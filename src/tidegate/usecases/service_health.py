"""
How well a service is, and why: its health model filled with what its signals have shown. Changes nothing.

The states come from the evidence of the service's rollouts under way, since signals compare candidate
and baseline, and from limits that somebody has just asked for (`ask_signals`). Without either a node is
unknown and says so. A node named like another service is that service, as its own rollouts show it to
whoever may read them; to others it is a part that nobody watches.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tidegate.documents.records import from_json
from tidegate.documents.service_file import from_canonical
from tidegate.domain.access.model import Caller
from tidegate.domain.health.evidence import Evidence
from tidegate.domain.health.model import (
    ANYTHING,
    GOOD,
    Health,
    NodeHealth,
    OwnHealth,
    SignalHealth,
    explain,
    explaining_dependency,
    model_of_service,
    own_health,
    propagate,
    range_of,
)
from tidegate.domain.health.signal_health import shown_health, unknown_health
from tidegate.domain.plan.model import HealthModel, Plan, ServiceSpec, SignalKind, SignalSpec
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.rollout.seen import phase_in_force
from tidegate.errors import InvalidRequestError
from tidegate.ports.store import Transaction
from tidegate.usecases.access import Access, access_in
from tidegate.usecases.outside import Outside, unknown_service
from tidegate.usecases.reading import readable_services

_WORST_FIRST: Final = (Health.UNHEALTHY, Health.DEGRADED, Health.UNKNOWN, Health.HEALTHY)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHealth:
    """
    The state of each node of a service.

    `rollouts` are those whose evidence it rests on. `because` explains the service's own state as a
    chain; `explained_by` is the needed node that explains trouble of the service. `supposed` holds the
    states that somebody only asked about ("what if").
    """

    service: ServiceName
    at: datetime
    model: HealthModel
    nodes: Mapping[str, NodeHealth]
    specs: Mapping[str, SignalSpec]
    signals: Mapping[str, SignalHealth]
    rollouts: tuple[RolloutId, ...]
    because: tuple[str, ...]
    explained_by: str | None
    supposed: Mapping[str, Health]

    @property
    def health(self) -> Health:
        """The state of the service with all that it needs."""
        return self.nodes[self.service].health


def service_health(
    outside: Outside,
    caller: Caller,
    service: ServiceName,
    *,
    asked: Mapping[str, SignalHealth] | None = None,
    supposed: Mapping[str, Health] | None = None,
) -> ServiceHealth:
    """
    Return how well *service* is, as far as *caller* may know of the services that it needs.

    Args:
        outside: The world; only the store and the clock are used.
        caller: Who looks. That they may read *service* itself was ruled on before.
        service: Its name.
        asked: What signals said that were just asked, by name. It comes before older evidence, unless
            that shows trouble.
        supposed: Nodes whose own state shall be taken to be this one, whatever is known.

    Raises:
        NotFoundError: there is no such service.
        InvalidDocumentError: its stored document can't be read.
        InvalidRequestError: *supposed* names a node that the model doesn't have.
    """
    now = outside.clock.now()
    supposed = supposed or {}
    with outside.store.begin(read_only=True) as transaction:
        spec = stored_spec(transaction, service)
        active = active_rollouts(transaction, service)
        plan = plan_in_force(spec, active)
        model = model_of_service(plan.health, service, tuple(specs_of(plan)))
        signals = _with_asked(_said(transaction, plan, active, now), asked or {})
        access = access_in(transaction, caller, now)
        needed = _Services(transaction, access).of(model, path=(service,))
    _refuse_unknown(model, supposed)
    own = own_health(model, signals, needed)
    for name, health in supposed.items():
        own[name] = OwnHealth(range=range_of(health), why=f"it is supposed to be {health}")
    nodes = propagate(model, own)
    return ServiceHealth(
        service=service,
        at=now,
        model=model,
        nodes=nodes,
        specs=specs_of(plan),
        signals=signals,
        rollouts=tuple(rollout.id for rollout in active),
        because=explain(model, nodes, service),
        explained_by=explaining_dependency(
            model, {name: one.range.known_trouble for name, one in own.items()}
        ),
        supposed=supposed,
    )


def stored_spec(transaction: Transaction, service: ServiceName) -> ServiceSpec:
    """Return the latest document of *service*. Raises as `service_health` does."""
    record = transaction.service(service)
    if record is None:
        raise unknown_service(service)
    return from_canonical(json.loads(record.canonical_json)).spec


def active_rollouts(transaction: Transaction, service: ServiceName) -> list[Rollout]:
    """Return the rollouts of *service* that aren't over, newest first."""
    if transaction.active_rollout(service) is None:
        return []
    return [one for one in transaction.rollouts(service=service) if not one.is_final]


def plan_in_force(spec: ServiceSpec, active: Sequence[Rollout]) -> Plan:
    """Return the plan of the newest of *active* that watches anything, else that of the document."""
    return next((one.plan for one in active if specs_of(one.plan)), spec.plan)


def specs_of(plan: Plan) -> dict[str, SignalSpec]:
    """Return the signals of *plan* by name, as the first phase that has them does."""
    found: dict[str, SignalSpec] = {}
    for phase in plan.phases:
        for spec in phase.signals:
            found.setdefault(spec.name, spec)
    return found


def _refuse_unknown(model: HealthModel, supposed: Mapping[str, Health]) -> None:
    names = [node.name for node in model.nodes]
    for name in supposed:
        if name not in names:
            raise InvalidRequestError(
                f"the health model has no node {name!r}",
                hint=f"take one of: {', '.join(names)}",
            )


# --- what signals said -----------------------------------------------------------------------


def _said(
    transaction: Transaction, plan: Plan, active: Sequence[Rollout], now: datetime
) -> dict[str, SignalHealth]:
    """Return what each signal says; of several rollouts the one in the most trouble has the word."""
    found: dict[str, SignalHealth] = {}
    # One that waits for its turn serves nobody, so it makes nothing unknown that another shows.
    begun = [one for one in active if one.state is not State.PLANNED]
    for rollout in begun or active:
        for name, said in _said_in(transaction, rollout, now).items():
            if name not in found or _rank(said) < _rank(found[name]):
                found[name] = said
    for name, spec in specs_of(plan).items():
        found.setdefault(name, unknown_health(spec, _unwatched(spec)))
    return found


def _unwatched(spec: SignalSpec) -> str:
    if spec.kind is SignalKind.LIMIT:
        return "no rollout is under way, and it wasn't asked"
    return "no rollout is under way to compare anything"


def _said_in(transaction: Transaction, rollout: Rollout, now: datetime) -> dict[str, SignalHealth]:
    specs = specs_of(rollout.plan)
    phase = phase_in_force(rollout)
    stored = transaction.evidence(rollout.id)
    if phase is None or not phase.exposes_users:
        return _nothing(specs, f"nobody meets the candidate of rollout {rollout.id}")
    if stored is None or stored.attempt != rollout.attempt:
        return _nothing(specs, f"rollout {rollout.id} hasn't measured anything yet")
    specs |= {spec.name: spec for spec in phase.signals}
    evidence = from_json(Evidence, stored.evidence_json)
    shown = {signal.signal: signal for signal in evidence.signals}
    allowed = rollout.plan.stale_after + rollout.plan.tick
    if evidence.last_tick_at is None or now - evidence.last_tick_at > allowed:
        return _nothing(specs, f"last measured at {stored.at.isoformat(timespec='seconds')}")
    budget, attempt = rollout.plan.budget, rollout.attempt
    return {
        name: shown_health(spec, shown[name], budget, attempt=attempt)
        if name in shown
        else unknown_health(spec, "it isn't watched in this phase")
        for name, spec in specs.items()
    }


def _nothing(specs: Mapping[str, SignalSpec], why: str) -> dict[str, SignalHealth]:
    return {name: unknown_health(spec, why) for name, spec in specs.items()}


def _rank(said: SignalHealth) -> int:
    return _WORST_FIRST.index(said.health)


def _with_asked(
    said: dict[str, SignalHealth], asked: Mapping[str, SignalHealth]
) -> dict[str, SignalHealth]:
    """What was asked just now is newer than evidence, but trouble is proven over time."""
    trouble = (Health.UNHEALTHY, Health.DEGRADED)
    newer = {
        name: one
        for name, one in asked.items()
        if name in said and (one.health in trouble or said[name].health not in trouble)
    }
    return said | newer


# --- other services --------------------------------------------------------------------------


class _Services:
    """The states of services that others need, of those that the caller may read."""

    def __init__(self, transaction: Transaction, access: Access) -> None:
        self._transaction = transaction
        self._now = access.now
        self._names = {record.name for record in readable_services(transaction, access)}

    def of(self, model: HealthModel, *, path: tuple[str, ...]) -> dict[str, OwnHealth]:
        """
        Return the states of the nodes of *model* that are other services.

        *path* holds the services that were asked on the way here. One that comes again is left to what
        was already counted there: needing one another makes neither of two well services sick.
        """
        found: dict[str, OwnHealth] = {}
        for node in model.nodes:
            if node.name == path[-1] or ServiceName(node.name) not in self._names:
                continue
            if node.name in path:
                found[node.name] = OwnHealth(range=GOOD, why="it is looked at already")
                continue
            state = self._one(ServiceName(node.name), path)
            if state is not None or not node.signals:
                found[node.name] = state or OwnHealth(
                    range=ANYTHING, why="no rollout of it is under way, so nobody watches it"
                )
        return found

    def _one(self, service: ServiceName, path: tuple[str, ...]) -> OwnHealth | None:
        """Return the state of *service*, None when nobody watches it."""
        active = active_rollouts(self._transaction, service)
        if not active:
            return None
        plan = active[0].plan
        model = model_of_service(plan.health, service, tuple(specs_of(plan)))
        said = _said(self._transaction, plan, active, self._now)
        own = own_health(model, said, self.of(model, path=(*path, service)))
        whole = propagate(model, own)[service]
        return OwnHealth(range=whole.range, why="; ".join(whole.because))
