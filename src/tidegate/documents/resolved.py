"""
The resolved document: a service with everything filled in, as plain values, and back.

It is what `plan --resolved` shows, what the API receives, and what digests are made of. Durations and
shares are written as people write them; tolerances are numbers, so that nothing is lost. Reading it
back gives exactly the service it was made from.

Rule: a document from outside is read as strictly as a file: no unknown keys, no conversions, and the
settings of each component must be what its driver expects.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tidegate.documents.alerts import Alerts, alerts_document, resolve_alerts
from tidegate.documents.canonical import canonical_json
from tidegate.documents.components import FileSettings, Members, ProcessSettings, Text, Written
from tidegate.documents.gates_written import ResolvedGates, gates_document, gates_from
from tidegate.documents.notation import (
    Address,
    AdminAddress,
    Name,
    checked_by,
    parse_long_duration,
)
from tidegate.documents.problems import Problem, invalid_document, path_text
from tidegate.documents.resolved_phases import ResolvedPhase, phase_document, phase_from
from tidegate.documents.resolved_windows import (
    ResolvedExceptions,
    exceptions_document,
    exceptions_from,
)
from tidegate.domain.durations import format_duration
from tidegate.domain.plan.model import (
    ComponentSpec,
    Dependency,
    ErrorBudget,
    HealthModel,
    HealthNode,
    Impact,
    Plan,
    Recovery,
    ServiceSpec,
    Supersede,
    TargetSpec,
)
from tidegate.domain.quantities import ComponentName, Environment, ServiceName, TargetName

DOCUMENT_NAME: Final = "the resolved document"

_Duration = Annotated[timedelta, checked_by(parse_long_duration)]
_Chance = Annotated[float, Field(gt=0, lt=1)]
_SETTINGS: Final[Mapping[str, type[BaseModel]]] = {
    "process": ProcessSettings,
    "file": FileSettings,
}


class _OwnEnvoy(Written):
    admin: AdminAddress
    rds_dir: Text


class _TargetSettings(Written):
    envoy: _OwnEnvoy | None = None
    listen: Address | None = None
    dir: Text | None = None
    members: Members | None = None
    internal: Members | None = None
    region: Text | None = None
    timezone: Text | None = None


class _Component(Written):
    name: Name
    kind: Literal["code", "config"]
    driver: Literal["process", "file"]
    after: list[Name]
    settings: dict[str, Any]


class _Target(Written):
    name: Name
    ring: Name
    environment: Literal["lab", "staging", "production"]
    settings: dict[str, Any]


class _Budget(Written):
    alpha_halt: _Chance
    alpha_hold: _Chance
    beta: _Chance


class _Need(Written):
    node: Name
    impact: Literal["outage", "degraded", "none"]


class _Node(Written):
    name: Name
    signals: list[Name]
    needs: Annotated[list[_Need], Field(max_length=200)]


class _Plan(Written):
    name: Name
    recovery: Literal["rollback", "hold"]
    tick: _Duration
    stale_after: _Duration
    no_data_halt_after: _Duration
    apply_within: _Duration
    quarantine: _Duration
    budget: _Budget
    phases: Annotated[list[ResolvedPhase], Field(max_length=10_000)]
    warm_up: _Duration = timedelta(0)
    stagger: _Duration = timedelta(0)
    supersede: Literal["queue", "replace", "bundle"] = "queue"
    alerts: Alerts | None = None
    health: Annotated[list[_Node], Field(max_length=10_000)] = Field(default_factory=list)
    gates: ResolvedGates = Field(default_factory=list)
    exceptions: ResolvedExceptions | None = None


class _Document(Written):
    model_config = ConfigDict(title="resolved document")

    version: Literal[1]
    service: Name
    owner: Text
    tier: Literal[1, 2, 3]
    components: list[_Component]
    targets: list[_Target]
    plan: _Plan


def to_document(spec: ServiceSpec) -> dict[str, Any]:
    """Return *spec* as the plain values of the resolved document."""
    return {
        "version": 1,
        "service": spec.name,
        "owner": spec.owner,
        "tier": spec.tier,
        "components": [
            {
                "name": component.name,
                "kind": component.kind,
                "driver": component.driver,
                "after": list(component.after),
                "settings": _parsed(component.settings_json),
            }
            for component in spec.components
        ],
        "targets": [
            {
                "name": target.name,
                "ring": target.ring,
                "environment": target.environment.value,
                "settings": _parsed(target.settings_json),
            }
            for target in spec.targets
        ],
        "plan": _plan_document(spec.plan),
    }


def from_document(document: object) -> ServiceSpec:
    """
    Return the service that *document* holds; the inverse of `to_document`.

    Raises:
        InvalidDocumentError: it isn't a resolved document, with everything that doesn't fit.
    """
    try:
        read = _Document.model_validate(document)
    except ValidationError as exc:
        raise invalid_document(DOCUMENT_NAME, _problems(exc, ())) from exc
    _check_settings(read)
    try:
        return _spec(read)
    except (ValueError, TypeError) as exc:
        # Settings may hold what has no canonical text: NaN, huge integers, endless nesting.
        problem = Problem(what=str(exc), fix="send plain JSON values", mark=None)
        raise invalid_document(DOCUMENT_NAME, [problem]) from exc


def _check_settings(document: _Document) -> None:
    problems: list[Problem] = []
    checks: list[tuple[str, int, type[BaseModel], dict[str, Any]]] = [
        ("components", index, _SETTINGS[component.driver], component.settings)
        for index, component in enumerate(document.components)
    ]
    checks += [
        ("targets", index, _TargetSettings, target.settings)
        for index, target in enumerate(document.targets)
    ]
    for part, index, model, settings in checks:
        try:
            model.model_validate(settings)
        except ValidationError as exc:
            problems.extend(_problems(exc, (part, index, "settings")))
    if problems:
        raise invalid_document(DOCUMENT_NAME, problems)


def _problems(error: ValidationError, around: tuple[str | int, ...]) -> list[Problem]:
    return [
        Problem(
            what=f"{path_text((*around, *found['loc']))}: {found['msg'].lower()}",
            fix="make it with `tidegate plan --resolved` of the same version",
            mark=None,
        )
        for found in error.errors(include_url=False, include_input=False)
    ]


def _spec(document: _Document) -> ServiceSpec:
    service = ServiceName(document.service)
    return ServiceSpec(
        name=service,
        owner=document.owner,
        tier=document.tier,
        components=tuple(
            ComponentSpec(
                name=ComponentName(component.name),
                kind=component.kind,
                driver=component.driver,
                settings_json=canonical_json(component.settings),
                after=tuple(map(ComponentName, component.after)),
            )
            for component in document.components
        ),
        targets=tuple(
            TargetSpec(
                name=TargetName(target.name),
                ring=target.ring,
                environment=Environment(target.environment),
                settings_json=canonical_json(target.settings),
            )
            for target in document.targets
        ),
        plan=_plan(document.plan, service),
    )


def _plan(plan: _Plan, service: ServiceName) -> Plan:
    return Plan(
        name=plan.name,
        phases=tuple(phase_from(phase, service) for phase in plan.phases),
        budget=ErrorBudget(
            alpha_halt=float(plan.budget.alpha_halt),
            alpha_hold=float(plan.budget.alpha_hold),
            beta=float(plan.budget.beta),
        ),
        recovery=Recovery(plan.recovery),
        tick=plan.tick,
        stale_after=plan.stale_after,
        no_data_halt_after=plan.no_data_halt_after,
        apply_within=plan.apply_within,
        quarantine=plan.quarantine,
        warm_up=plan.warm_up,
        stagger=plan.stagger,
        supersede=Supersede(plan.supersede),
        alerts=resolve_alerts(plan.alerts),
        health=_health_model(plan.health),
        gates=gates_from(plan.gates),
        exceptions=exceptions_from(plan.exceptions),
    )


def _health_model(nodes: list[_Node]) -> HealthModel:
    return HealthModel(
        nodes=tuple(
            HealthNode(
                name=node.name,
                signals=tuple(node.signals),
                needs=tuple(
                    Dependency(node=need.node, impact=Impact(need.impact)) for need in node.needs
                ),
            )
            for node in nodes
        )
    )


def _plan_document(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "recovery": plan.recovery.value,
        "tick": format_duration(plan.tick),
        "stale_after": format_duration(plan.stale_after),
        "no_data_halt_after": format_duration(plan.no_data_halt_after),
        "apply_within": format_duration(plan.apply_within),
        "quarantine": format_duration(plan.quarantine),
        "budget": {
            "alpha_halt": plan.budget.alpha_halt,
            "alpha_hold": plan.budget.alpha_hold,
            "beta": plan.budget.beta,
        },
        "phases": [phase_document(phase) for phase in plan.phases],
        **({"warm_up": format_duration(plan.warm_up)} if plan.warm_up else {}),
        **({"stagger": format_duration(plan.stagger)} if plan.stagger else {}),
        **({"supersede": plan.supersede.value} if plan.supersede is not Supersede.QUEUE else {}),
        **alerts_document(plan.alerts),
        **_health_document(plan.health),
        **gates_document(plan.gates),
        **exceptions_document(plan.exceptions),
    }


def _health_document(model: HealthModel) -> dict[str, Any]:
    """Return the health model; nothing for an empty one, so that digests from before it stay."""
    if not model.nodes:
        return {}
    return {
        "health": [
            {
                "name": node.name,
                "signals": list(node.signals),
                "needs": [{"node": need.node, "impact": need.impact.value} for need in node.needs],
            }
            for node in model.nodes
        ]
    }


def _parsed(settings_json: str) -> Any:
    return json.loads(settings_json)
