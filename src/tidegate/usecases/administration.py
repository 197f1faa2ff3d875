"""
What a server is connected to and asks, as whoever runs it wants to see it: sources, gates, drivers.

Read from documents, evidence and answers on record; nothing is asked of the outside here, and nothing
that isn't known is left out: a source that nobody watches is unknown and not fine.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tidegate.documents.service_file import from_canonical
from tidegate.domain.access.model import Caller
from tidegate.domain.gates.model import GateEvidence, GateSpec
from tidegate.domain.health.model import Health, SignalHealth
from tidegate.domain.plan.model import ServiceSpec
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import InvalidDocumentError
from tidegate.ports.store import Transaction
from tidegate.usecases.access import Access, access_in
from tidegate.usecases.outside import Outside
from tidegate.usecases.reading import readable_services, sees_rollout
from tidegate.usecases.service_health import service_health, specs_of
from tidegate.usecases.shelves import GATE_EVIDENCE

ANSWERS_LOOKED_THROUGH: Final = 1_000
"""Of one service, for the latest of each gate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOfSignals:
    """
    One source of a service: what its signals say now, by name. `is_known` is whether this server can
    read from such a source at all; `last_at` is when a rollout last measured by the service's signals.
    """

    service: ServiceName
    source: str
    is_known: bool
    signals: Mapping[str, SignalHealth]
    last_at: datetime | None

    @property
    def unknown(self) -> int:
        """How many of its signals say nothing."""
        return sum(one.health is Health.UNKNOWN for one in self.signals.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class GateConfigured:
    """
    One gate of a service's document, with its latest answer about any change.

    `is_known` is whether this server has a driver for its kind. `asks_for` is the rollout that can have
    it asked again now, None where nothing is under way.
    """

    service: ServiceName
    spec: GateSpec
    is_known: bool
    latest: GateEvidence | None
    asks_for: Rollout | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """All that is configured, and the services whose document can't be read, with what is wrong."""

    sources: tuple[SourceOfSignals, ...]
    gates: tuple[GateConfigured, ...]
    unreadable: Mapping[ServiceName, str]


def configured(outside: Outside, caller: Caller) -> Configured:
    """
    Return the sources and gates of the services that *caller* may read.

    Raises:
        StoreError: the store can't be read.
    """
    specs: dict[ServiceName, ServiceSpec] = {}
    last: dict[ServiceName, datetime | None] = {}
    gates: list[GateConfigured] = []
    unreadable: dict[ServiceName, str] = {}
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        for record in readable_services(transaction, access):
            try:
                spec = from_canonical(json.loads(record.canonical_json)).spec
            except InvalidDocumentError as exc:
                unreadable[record.name] = exc.message
                continue
            specs[spec.name] = spec
            last[spec.name] = _last_measured(transaction, access, spec.name)
            gates += _gates(outside, transaction, access, spec)
    sources = tuple(
        one for spec in specs.values() for one in _sources(outside, caller, spec, last[spec.name])
    )
    return Configured(sources=sources, gates=tuple(gates), unreadable=unreadable)


def _last_measured(
    transaction: Transaction, access: Access, service: ServiceName
) -> datetime | None:
    for rollout in transaction.rollouts(service=service, limit=20):
        stored = transaction.evidence(rollout.id) if sees_rollout(access, rollout) else None
        if stored is not None:
            return stored.at
    return None


def _sources(
    outside: Outside, caller: Caller, spec: ServiceSpec, last_at: datetime | None
) -> Iterator[SourceOfSignals]:
    said = service_health(outside, caller, spec.name).signals
    by_source: dict[str, dict[str, SignalHealth]] = {}
    for name, signal in specs_of(spec.plan).items():
        known = said.get(name)
        health = known or SignalHealth(
            signal=name, health=Health.UNKNOWN, why="the rollout under way doesn't watch it"
        )
        by_source.setdefault(signal.source, {})[name] = health
    for source, signals in by_source.items():
        yield SourceOfSignals(
            service=spec.name,
            source=source,
            is_known=source.split("://", 1)[0] in outside.signals,
            signals=signals,
            last_at=last_at,
        )


def _gates(
    outside: Outside, transaction: Transaction, access: Access, spec: ServiceSpec
) -> Iterator[GateConfigured]:
    if not spec.plan.gates:
        return
    latest: dict[str, GateEvidence] = {}
    for one in GATE_EVIDENCE.latest(transaction, service=spec.name, limit=ANSWERS_LOOKED_THROUGH):
        latest.setdefault(one.gate, one)
    active = transaction.active_rollout(spec.name)
    asks_for = active if active is not None and sees_rollout(access, active) else None
    for gate in spec.plan.gates:
        yield GateConfigured(
            service=spec.name,
            spec=gate,
            is_known=gate.kind in outside.gates,
            latest=latest.get(gate.name),
            asks_for=asks_for,
        )
