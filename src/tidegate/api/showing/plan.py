"""A proposal with its forecast, as they are shown."""

import json
from collections.abc import Sequence
from datetime import timedelta
from operator import mul

from tidegate.api.shapes import plan as shapes
from tidegate.api.showing.evidence import finite
from tidegate.api.showing.rollout import component_change, show_phase
from tidegate.domain.gates.model import GateSpec
from tidegate.domain.plan.findings import Finding
from tidegate.domain.plan.model import SignalKind, ToleranceUnit
from tidegate.domain.plan.traffic import HOURS_OF_WEEK, ServiceTraffic
from tidegate.usecases.forecast import (
    TYPICAL_FAULTS,
    FaultForecast,
    Forecast,
    PhaseForecast,
    SignalForecast,
)
from tidegate.usecases.gates import not_configured
from tidegate.usecases.start import Proposal


def show_plan(
    proposal: Proposal,
    foreseen: Forecast,
    findings: Sequence[Finding],
    *,
    way_back: timedelta | None = None,
    calendar_notes: Sequence[str] = (),
) -> shapes.Plan:
    """
    Return what starting *proposal* would do, with what its bakes can be expected to show.

    *way_back* is what bringing back the baseline took when it was last done, None if it never was.
    """
    before = {place.component: version for place, version in reversed(proposal.baselines)}
    return shapes.Plan(
        service=proposal.spec.name,
        change={
            part.component: component_change(
                proposal.spec.component(part.component).kind,
                part.to,
                None if proposal.is_install else before[part.component],
            )
            for part in proposal.change.components
        },
        plan=proposal.plan.name,
        plan_hash=proposal.plan_hash,
        is_install=proposal.is_install,
        quarantine_seconds=proposal.plan.quarantine.total_seconds(),
        recovery=proposal.plan.recovery.value,
        phases=[
            show_phase(phase, number, "ahead", None)
            for number, phase in enumerate(proposal.plan.phases, start=1)
        ],
        forecast=_forecast(foreseen, way_back),
        findings=[
            shapes.Finding(
                rule=finding.rule,
                severity=finding.severity.value,
                message=finding.message,
                fix=finding.fix,
                place=finding.place,
            )
            for finding in findings
        ],
        gates=[_gate(gate) for gate in proposal.plan.gates],
        gates_not_configured=[*not_configured(proposal.plan)],
        notes=[
            f"{name} is new and begins in shadow: it is watched and judged, and can't hold or halt;"
            " to enforce it at once, write shadow: false"
            for name in proposal.shadowed
        ]
        + [*calendar_notes],
    )


def _gate(gate: GateSpec) -> shapes.PlannedGate:
    return shapes.PlannedGate(
        name=gate.name,
        kind=gate.kind,
        moment=gate.moment.value,
        phases=[*gate.phases],
        lasts_seconds=gate.lasts.total_seconds(),
        settings=json.loads(gate.settings_json),
    )


def _forecast(foreseen: Forecast, way_back: timedelta | None) -> shapes.Forecast:
    return shapes.Forecast(
        traffic=None if foreseen.traffic is None else _traffic(foreseen.traffic),
        bakes_seconds=foreseen.bakes.total_seconds(),
        typical_fault=TYPICAL_FAULTS[0],
        begins_at=foreseen.begins_at,
        ends_at=foreseen.ends_at,
        weakest_phase=None if foreseen.weakest is None else foreseen.weakest + 1,
        way_back_seconds=_seconds(way_back),
        phases=[_phase(number, one) for number, one in enumerate(foreseen.phases, start=1)],
    )


def _traffic(traffic: ServiceTraffic) -> shapes.Traffic:
    profiles = [profile for _, profile in traffic.targets]
    speeds = [sum(profile.requests_per_second) / HOURS_OF_WEEK for profile in profiles]
    failing = [
        sum(map(mul, profile.requests_per_second, profile.error_rate)) / HOURS_OF_WEEK
        for profile in profiles
    ]
    return shapes.Traffic(
        requests_per_second=sum(speeds),
        error_rate=sum(failing) / sum(speeds) if sum(speeds) > 0 else 0.0,
        source=traffic.source,
        hours_known=min(profile.hours_known for profile in profiles),
        assumed=traffic.assumed,
    )


def _phase(number: int, foreseen: PhaseForecast) -> shapes.PhaseForecast:
    errors = next((one for one in foreseen.signals if one.spec.kind is SignalKind.ERRORS), None)
    fault = foreseen.faults[0] if foreseen.faults else None
    other = foreseen.alternative
    return shapes.PhaseForecast(
        number=number,
        begins_at=foreseen.begins_at,
        ends_at=foreseen.ends_at,
        people=finite(foreseen.people),
        power=finite(foreseen.power),
        weak=foreseen.enough is False,
        signals=[_signal(one) for one in foreseen.signals],
        faults=[_fault(one) for one in foreseen.faults],
        alternative=None
        if other is None
        else shapes.Alternative(
            weight_bps=other.weight_bps, bake_seconds=other.bake.total_seconds()
        ),
        coverage_needs_seconds=_seconds(foreseen.coverage_needs),
        candidate_requests_per_second=finite(foreseen.requests_per_second),
        tolerated_errors=None
        if errors is None or errors.spec.tolerance.unit is not ToleranceUnit.RATE
        else errors.spec.tolerance.value,
        rules_out_errors=None if errors is None else finite(errors.rules_out),
        enough=foreseen.enough,
        bake_needed_seconds=_seconds(foreseen.bake_needed),
        seconds_to_halt=None if fault is None else _seconds(fault.halted_after),
        failed_before_halt=None if fault is None else finite(fault.failed_requests),
    )


def _signal(foreseen: SignalForecast) -> shapes.SignalForecast:
    spec = foreseen.spec
    return shapes.SignalForecast(
        name=spec.name,
        kind=spec.kind.value,
        unit=spec.tolerance.unit.value,
        tolerated=spec.tolerance.value,
        rules_out=finite(foreseen.rules_out),
        enough=foreseen.enough,
        power=finite(foreseen.power),
        proof_needs_seconds=_seconds(foreseen.proof_needs),
        why_unknown=foreseen.why_unknown,
    )


def _fault(foreseen: FaultForecast) -> shapes.FaultForecast:
    return shapes.FaultForecast(
        excess=foreseen.excess,
        halted_after_seconds=_seconds(foreseen.halted_after),
        failed_requests=finite(foreseen.failed_requests),
    )


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()
