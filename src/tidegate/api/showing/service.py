"""Services as they are shown. A document that can't be read hides only its own service."""

import json
from collections.abc import Mapping
from typing import Any, Final

from tidegate.api.shapes import service as shapes
from tidegate.api.shapes.rollout import Version
from tidegate.documents.service_file import from_canonical
from tidegate.domain.plan.model import ServiceSpec
from tidegate.domain.quantities import Placement, ServiceName
from tidegate.errors import InvalidDocumentError
from tidegate.ports.store import LastKnownGood, ServiceRecord, Transaction

LEFT_OUT: Final = "(left out)"
"""Stands for values of `env`: they may be secrets, and nobody has to read them here."""


def show_service(transaction: Transaction, record: ServiceRecord) -> shapes.Service:
    """Return one service with what goes on."""
    active = transaction.active_rollout(record.name)
    latest = transaction.rollouts(service=record.name, limit=1)
    spec, problem = _spec(record)
    return shapes.Service(
        name=record.name,
        owner=spec.owner if spec else "",
        tier=spec.tier if spec else None,
        components=[component.name for component in spec.components] if spec else [],
        targets=[target.name for target in spec.targets] if spec else [],
        digest=record.digest,
        updated_at=record.updated_at,
        active_rollout=active.id if active else None,
        latest_rollout=latest[0].id if latest else None,
        problem=problem,
    )


def show_service_detail(transaction: Transaction, record: ServiceRecord) -> shapes.ServiceDetail:
    """Return one service with its document and its last known good."""
    spec, _ = _spec(record)
    placements = [] if spec is None else [*spec.plan.placements()]
    newest = [transaction.last_known_good(placement)[:1] for placement in placements]
    return shapes.ServiceDetail(
        **show_service(transaction, record).model_dump(),
        document=without_values_of_env(json.loads(record.canonical_json)),
        last_known_good=[_good(good.placement, good) for chain in newest for good in chain],
    )


def without_values_of_env(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return *document* with the values of every `env` left out, however deep."""

    def cleaned(value: Any, key: str) -> Any:
        if isinstance(value, dict):
            if key == "env":
                return dict.fromkeys(value, LEFT_OUT)
            return {name: cleaned(part, name) for name, part in value.items()}
        if isinstance(value, list):
            return [cleaned(part, "") for part in value]
        return value

    return {name: cleaned(part, name) for name, part in document.items()}


def owner_of(transaction: Transaction, service: ServiceName) -> str:
    """Return whose *service* is; empty when its document is gone or can't be read."""
    record = transaction.service(service)
    spec = None if record is None else _spec(record)[0]
    return "" if spec is None else spec.owner


def _spec(record: ServiceRecord) -> tuple[ServiceSpec | None, str | None]:
    try:
        return from_canonical(json.loads(record.canonical_json)).spec, None
    except InvalidDocumentError as exc:
        return None, f"its stored document can't be read: {exc.message}"


def _good(placement: Placement, good: LastKnownGood) -> shapes.Good:
    return shapes.Good(
        component=placement.component,
        target=placement.target,
        version=Version(name=good.version.name, digest=good.version.digest),
        rollout=good.rollout_id,
        since=good.since,
    )
