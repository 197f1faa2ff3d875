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
from tidegate.documents.coverage import ResolvedCoverage, coverage_document, coverage_from
from tidegate.documents.gates_written import ResolvedGates, gates_document, gates_from
from tidegate.documents.notation import (
    Address,
    AdminAddress,
    Name,
    checked_by,
    format_share,
    parse_any_share,
    parse_long_duration,
)
from tidegate.documents.problems import Problem, invalid_document, path_text
from tidegate.documents.resolved_windows import (
    ResolvedExceptions,
    ResolvedWindow,
    exceptions_document,
    exceptions_from,
    window_document,
    window_from,
    working_day_from,
)
from tidegate.domain.durations import format_duration
from tidegate.domain.plan.model import (
    ComponentSpec,
    Counting,
    Dependency,
    Effect,
    ErrorBudget,
    ExerciseSpec,
    HealthModel,
    HealthNode,
    Impact,
    Limit,
    Move,
    Noise,
    Phase,
    Plan,
    Recovery,
    ServiceSpec,
    SignalKind,
    SignalSpec,
    Supersede,
    TargetSpec,
    Tolerance,
    ToleranceUnit,
)
from tidegate.domain.quantities import (
    ComponentName,
    Environment,
    Exposure,
    Placement,
    ServiceName,
    TargetName,
)

DOCUMENT_NAME: Final = "the resolved document"

_Duration = Annotated[timedelta, checked_by(parse_long_duration)]
_Share = Annotated[int, checked_by(parse_any_share)]
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


class _Tolerance(Written):
    value: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    unit: Literal["rate", "relative", "duration"]


class _Limit(Written):
    value: Annotated[float, Field(allow_inf_nan=False)]
    above: bool
    on_breach: Literal["halt", "hold", "ignore"]


class _Signal(Written):
    name: Name
    kind: Literal["errors", "usage", "latency", "traffic", "saturation", "limit"]
    gate: bool
    tolerate: _Tolerance
    source: Text
    settings: dict[str, str]
    shadow: bool | None = None
    limit: _Limit | None = None
    count: Literal["requests", "users"] = "requests"
    noise: Literal["independent", "clustered"] = "independent"


class _Exercise(Written):
    name: Name
    min: Annotated[int, Field(ge=1)]
    source: Text
    settings: dict[str, str]


class _Move(Written):
    component: Name
    target: Name
    internal: bool
    weight: _Share


class _Approve(Written):
    count: Annotated[int, Field(ge=0)]
    of: str
    within: _Duration | None = None


class _Phase(Written):
    name: Text
    ring: Name
    moves: list[_Move]
    bake: _Duration
    bake_max: _Duration
    min_requests: Annotated[int, Field(ge=0)]
    approve: _Approve
    signals: list[_Signal]
    exercise: list[_Exercise]
    coverage: ResolvedCoverage | None = None
    window: ResolvedWindow | None = None
    working_day: ResolvedWindow | None = None


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
    phases: Annotated[list[_Phase], Field(max_length=10_000)]
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
        phases=tuple(_phase(phase, service) for phase in plan.phases),
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


def _phase(phase: _Phase, service: ServiceName) -> Phase:
    return Phase(
        name=phase.name,
        ring=phase.ring,
        moves=tuple(
            Move(
                placement=Placement(
                    service=service,
                    component=ComponentName(move.component),
                    target=TargetName(move.target),
                ),
                exposure=Exposure(internal=move.internal, weight_bps=move.weight),
            )
            for move in phase.moves
        ),
        bake=phase.bake,
        bake_max=phase.bake_max,
        minimum_requests=phase.min_requests,
        approvals=phase.approve.count,
        approvers=phase.approve.of,
        approval_life=phase.approve.within,
        signals=tuple(
            SignalSpec(
                name=signal.name,
                kind=SignalKind(signal.kind),
                gate=signal.gate,
                tolerance=Tolerance(
                    value=float(signal.tolerate.value), unit=ToleranceUnit(signal.tolerate.unit)
                ),
                source=signal.source,
                settings=tuple(sorted(signal.settings.items())),
                shadow=signal.shadow is True,
                new_in_shadow=signal.shadow is not False,
                limit=_limit(signal.limit),
                counting=Counting.USERS if signal.count == "users" else Counting.EVENTS,
                noise=Noise(signal.noise),
            )
            for signal in phase.signals
        ),
        exercises=tuple(
            ExerciseSpec(
                name=exercise.name,
                minimum_count=exercise.min,
                source=exercise.source,
                settings=tuple(sorted(exercise.settings.items())),
            )
            for exercise in phase.exercise
        ),
        coverage=coverage_from(phase.coverage),
        window=window_from(phase.window),
        working_day=working_day_from(phase.working_day),
    )


def _limit(limit: _Limit | None) -> Limit | None:
    if limit is None:
        return None
    return Limit(value=float(limit.value), above=limit.above, effect=Effect(limit.on_breach))


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
        "phases": [_phase_document(phase) for phase in plan.phases],
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


def _phase_document(phase: Phase) -> dict[str, Any]:
    return {
        "name": phase.name,
        "ring": phase.ring,
        "moves": [
            {
                "component": move.placement.component,
                "target": move.placement.target,
                "internal": move.exposure.internal,
                "weight": format_share(move.exposure.weight_bps),
            }
            for move in phase.moves
        ],
        "bake": format_duration(phase.bake),
        "bake_max": format_duration(phase.bake_max),
        "min_requests": phase.minimum_requests,
        "approve": _approve_document(phase),
        "signals": [_signal_document(signal) for signal in phase.signals],
        "exercise": [
            {
                "name": exercise.name,
                "min": exercise.minimum_count,
                "source": exercise.source,
                "settings": dict(exercise.settings),
            }
            for exercise in phase.exercises
        ],
        **coverage_document(phase.coverage),
        **window_document(phase.window),
        **window_document(phase.working_day, key="working_day"),
    }


def _approve_document(phase: Phase) -> dict[str, object]:
    asked: dict[str, object] = {"count": phase.approvals, "of": phase.approvers}
    if phase.approval_life is not None:
        asked["within"] = format_duration(phase.approval_life)
    return asked


def _signal_document(signal: SignalSpec) -> dict[str, Any]:
    return {
        "name": signal.name,
        "kind": signal.kind.value,
        "gate": signal.gate,
        "tolerate": {"value": signal.tolerance.value, "unit": signal.tolerance.unit.value},
        "source": signal.source,
        "settings": dict(signal.settings),
        **_counting_document(signal),
        **_shadow_document(signal),
        **_limit_document(signal.limit),
    }


def _counting_document(signal: SignalSpec) -> dict[str, Any]:
    """Return how a signal counts; nothing for the default, so that digests from before it stay."""
    written: dict[str, Any] = {}
    if signal.counting is not Counting.EVENTS:
        written["count"] = signal.counting.value
    if signal.noise is not Noise.INDEPENDENT:
        written["noise"] = signal.noise.value
    return written


def _shadow_document(signal: SignalSpec) -> dict[str, Any]:
    """Return what is written of shadow: nothing where it depends on whether the signal is new."""
    if signal.shadow or not signal.new_in_shadow:
        return {"shadow": signal.shadow}
    return {}


def _limit_document(limit: Limit | None) -> dict[str, Any]:
    if limit is None:
        return {}
    written = {"value": limit.value, "above": limit.above, "on_breach": limit.effect.value}
    return {"limit": written}


def _parsed(settings_json: str) -> Any:
    return json.loads(settings_json)
