"""
Fills in everything that a file leaves out: from a `ServiceFile` to the `ServiceSpec` that is run.

Rule: each default is filled in here, once, so that what is shown, hashed and run is the same. What keys
of the file demand of one another is checked on the way; what a plan may not do is left to the rules.
Every part collects its complaints, so that all of them are told together.
"""

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from tidegate.documents.alerts import resolve_alerts
from tidegate.documents.components import has_internal_way
from tidegate.documents.coverage import zone_complaints
from tidegate.documents.health_model import resolve_model
from tidegate.documents.plans import (
    BAKE_MAX_FACTOR,
    DEFAULT_PLANS,
    ExpandedPhase,
    Ground,
    Step,
    default_steps,
    expand,
)
from tidegate.documents.problems import Complaint, KeyPath
from tidegate.documents.resolve_components import resolve_components
from tidegate.documents.resolve_gates import resolve_gates
from tidegate.documents.resolve_phases import PhaseReader
from tidegate.documents.resolve_targets import resolve_targets
from tidegate.documents.resolve_windows import Windows
from tidegate.documents.signals import (
    DRIVERS_BEHIND_ENVOY,
    ENVOY,
    LAB_PROOF,
    PROOF,
    ProofDefaults,
    ResolvedHealth,
    resolve_health,
)
from tidegate.documents.windows import resolve_exceptions
from tidegate.documents.written import (
    Health,
    ModelNode,
    ServiceFile,
    Target,
    WrittenPlan,
)
from tidegate.domain.plan.model import (
    ComponentSpec,
    ErrorBudget,
    Phase,
    Plan,
    Recovery,
    ServiceSpec,
    Supersede,
)
from tidegate.domain.quantities import (
    ComponentName,
    Environment,
    ServiceName,
)

SHORTEST_QUARANTINE: Final = timedelta(hours=24)
SCRAPED_STALE_AFTER: Final = timedelta(seconds=150)
"""Twice Prometheus's default scrape interval of a minute, and half of one to spare."""

STALE_TICKS: Final = 3
INSTALLED_WITHIN: Final = timedelta(minutes=5)
"""How long a lab waits for a version that is installed from a package index first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """Times of a plan where nothing is written. `quarantine` None: the last bake, at least 24 h."""

    tick: timedelta
    stale_after: timedelta | None
    no_data_halt_after: timedelta
    apply_within: timedelta
    quarantine: timedelta | None
    warm_up: timedelta
    stagger: timedelta


CLOCKS: Final = Clocks(
    tick=timedelta(seconds=10),
    stale_after=None,
    no_data_halt_after=timedelta(hours=2),
    apply_within=timedelta(minutes=10),
    quarantine=None,
    warm_up=timedelta(minutes=3),
    stagger=timedelta(minutes=10),
)
LAB_CLOCKS: Final = Clocks(
    tick=timedelta(seconds=1),
    stale_after=timedelta(seconds=5),
    no_data_halt_after=timedelta(seconds=10),
    apply_within=timedelta(seconds=20),
    quarantine=timedelta(seconds=10),
    warm_up=timedelta(0),
    stagger=timedelta(0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What a file stands for, and where each resolved phase was written."""

    spec: ServiceSpec
    phase_paths: tuple[KeyPath, ...]


def resolve(file: ServiceFile, base_dir: Path) -> tuple[Resolution | None, list[Complaint]]:
    """Return what *file* stands for, or None with everything that is wrong in it."""
    complaints: list[Complaint] = []
    components, settings = resolve_components(file, base_dir, complaints)
    targets = resolve_targets(file, base_dir, settings, complaints)
    health = _health(file, components, complaints)
    if complaints:
        return None, complaints
    ground = Ground(
        service=ServiceName(file.service),
        components=tuple(component.name for component in components),
        internal=frozenset(name for name, one in settings.items() if has_internal_way(one)),
        targets=targets,
    )
    is_lab = all(target.environment is Environment.LAB for target in targets)
    if health.coverage is not None:
        zones = [one.timezone if isinstance(one, Target) else None for one in file.targets]
        complaints.extend(zone_complaints(health.coverage.in_force(is_lab=is_lab), zones))
    name, steps = _steps(file, ground, complaints, is_lab=is_lab)
    if complaints:
        return None, complaints
    expanded = expand(steps, ground)
    windows = Windows(file, targets, complaints)
    drivers = {component.name: component.driver for component in components}
    plan = _plan(file, name, expanded, drivers, health, windows, is_lab=is_lab)
    complaints.extend(windows.zone_complaints(plan))
    plan = replace(plan, gates=resolve_gates(file.gates, expanded, complaints))
    if complaints:
        return None, complaints
    if is_lab and _written_plan(file).apply_within is None and _installs_packages(components):
        plan = replace(plan, apply_within=INSTALLED_WITHIN)
    spec = ServiceSpec(
        name=ground.service,
        owner=file.owner,
        tier=file.tier,
        components=components,
        targets=targets,
        plan=plan,
    )
    return Resolution(spec=spec, phase_paths=tuple(one.step.path for one in expanded)), []


def _health(
    file: ServiceFile, components: tuple[ComponentSpec, ...], complaints: list[Complaint]
) -> ResolvedHealth:
    behind_envoy = any(component.driver in DRIVERS_BEHIND_ENVOY for component in components)
    health, found = resolve_health(
        file.health or Health(), ENVOY if behind_envoy or not components else None
    )
    complaints.extend(found)
    return health


def _steps(
    file: ServiceFile, ground: Ground, complaints: list[Complaint], *, is_lab: bool
) -> tuple[str, list[Step]]:
    plan = file.plan
    if isinstance(plan, WrittenPlan) and plan.phases is not None:
        reader = PhaseReader(ground, complaints)
        steps = [
            step
            for index, phase in enumerate(plan.phases)
            if (step := reader.step(phase, ("plan", "phases", index), plan.bake_max))
        ]
        return plan.name or "custom", steps
    by_tier = "quick" if file.tier == 3 else "standard"
    name = plan if isinstance(plan, str) else "lab" if is_lab else by_tier
    if name == "lab" and not is_lab:
        complaints.append(
            Complaint(
                path=("plan",),
                what="the plan lab is for services whose targets are all lab targets",
                fix="take standard or quick, or give every target environment: lab",
            )
        )
    return name, default_steps(DEFAULT_PLANS[name], ground, ("plan",))


def _plan(
    file: ServiceFile,
    name: str,
    expanded: list[ExpandedPhase],
    drivers: dict[ComponentName, str],
    health: ResolvedHealth,
    windows: Windows,
    *,
    is_lab: bool,
) -> Plan:
    written = _written_plan(file)
    proof = LAB_PROOF if is_lab else PROOF
    clocks = LAB_CLOCKS if is_lab else CLOCKS
    phases = tuple(_phase(file, one, drivers, health, proof, written, windows) for one in expanded)
    tick = written.tick or clocks.tick
    no_data = file.health.no_data if file.health else None
    warm_up = file.health.warm_up if file.health else None
    last_bake = phases[-1].bake if phases else timedelta(0)
    watched = dict.fromkeys(signal.name for phase in phases for signal in phase.signals)
    return Plan(
        name=name,
        phases=phases,
        budget=_budget(file, proof),
        recovery=Recovery(written.recovery),
        tick=tick,
        stale_after=written.stale_after or clocks.stale_after or _stale_after(tick, phases),
        no_data_halt_after=no_data.halt_after if no_data else clocks.no_data_halt_after,
        apply_within=written.apply_within or clocks.apply_within,
        quarantine=written.quarantine or clocks.quarantine or max(last_bake, SHORTEST_QUARANTINE),
        warm_up=clocks.warm_up if warm_up is None else warm_up,
        stagger=clocks.stagger if written.stagger is None else written.stagger,
        supersede=Supersede(written.supersede),
        alerts=resolve_alerts(file.health.alerts if file.health else None),
        health=resolve_model(_written_model(file), file.service, watched),
        exceptions=resolve_exceptions(written.window),
    )


def _written_model(file: ServiceFile) -> dict[str, ModelNode] | None:
    return file.health.model if file.health else None


def _written_plan(file: ServiceFile) -> WrittenPlan:
    return file.plan if isinstance(file.plan, WrittenPlan) else WrittenPlan()


def _installs_packages(components: tuple[ComponentSpec, ...]) -> bool:
    return any(json.loads(component.settings_json).get("package") for component in components)


def _stale_after(tick: timedelta, phases: tuple[Phase, ...]) -> timedelta:
    """A source that measures itself only each minute isn't stale because we look more often."""
    scraped = any(
        spec.source.startswith("prometheus") for phase in phases for spec in phase.signals
    )
    return max(STALE_TICKS * tick, SCRAPED_STALE_AFTER) if scraped else STALE_TICKS * tick


def _phase(
    file: ServiceFile,
    expanded: ExpandedPhase,
    drivers: dict[ComponentName, str],
    health: ResolvedHealth,
    proof: ProofDefaults,
    written: WrittenPlan,
    windows: Windows,
) -> Phase:
    step = expanded.step
    signals = health.for_drivers([drivers[name] for name in step.components])
    exposes_users = any(move.exposure.weight_bps for move in expanded.moves)
    minimum = next(
        (
            one.min_requests
            for one in (step.tolerances, file.prove)
            if one is not None and one.min_requests is not None
        ),
        # Internal users are few, and how many can't be known here.
        proof.minimum_requests if exposes_users else 0,
    )
    return Phase(
        name=expanded.name,
        ring=expanded.ring,
        moves=expanded.moves,
        bake=step.bake,
        bake_max=step.bake_max or written.bake_max or BAKE_MAX_FACTOR * step.bake,
        minimum_requests=minimum,
        approvals=step.approvals,
        approvers=step.approvers,
        approval_life=step.approval_life,
        signals=tuple(signal.in_force(step.tolerances, file.prove, proof) for signal in signals),
        exercises=health.exercises if exposes_users else (),
        coverage=health.coverage.in_force(is_lab=proof is LAB_PROOF)
        if health.coverage and exposes_users
        else None,
        window=windows.of_phase(expanded),
        working_day=windows.working_day(expanded),
    )


def _budget(file: ServiceFile, proof: ProofDefaults) -> ErrorBudget:
    prove = file.prove
    return ErrorBudget(
        alpha_halt=(prove and prove.alpha_halt) or proof.alpha_halt,
        alpha_hold=(prove and prove.alpha_hold) or proof.alpha_hold,
        beta=(prove and prove.beta) or proof.beta,
    )
