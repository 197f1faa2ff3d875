"""A proposal with its forecast, as they are shown."""

from collections.abc import Sequence

from tidegate.api.shapes import plan as shapes
from tidegate.api.showing.evidence import finite
from tidegate.api.showing.rollout import component_change, show_phase
from tidegate.domain.plan.findings import Finding
from tidegate.domain.plan.model import SignalKind, ToleranceUnit
from tidegate.usecases.forecast import TYPICAL_FAULT, Forecast, PhaseForecast
from tidegate.usecases.start import Proposal


def show_plan(proposal: Proposal, foreseen: Forecast, findings: Sequence[Finding]) -> shapes.Plan:
    """Return what starting *proposal* would do, with what its bakes can be expected to show."""
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
        forecast=_forecast(foreseen),
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
    )


def _forecast(foreseen: Forecast) -> shapes.Forecast:
    traffic = foreseen.traffic
    return shapes.Forecast(
        traffic=None
        if traffic is None
        else shapes.Traffic(
            requests_per_second=traffic.requests_per_second,
            error_rate=traffic.error_rate,
            source=traffic.source,
        ),
        bakes_seconds=foreseen.bakes.total_seconds(),
        typical_fault=TYPICAL_FAULT,
        phases=[_phase(number, one) for number, one in enumerate(foreseen.phases, start=1)],
    )


def _phase(number: int, foreseen: PhaseForecast) -> shapes.PhaseForecast:
    needed = foreseen.bake_needed
    return shapes.PhaseForecast(
        number=number,
        candidate_requests_per_second=finite(foreseen.candidate_requests_per_second),
        tolerated_errors=next(
            (
                spec.tolerance.value
                for spec in foreseen.phase.signals
                if spec.kind is SignalKind.ERRORS and spec.tolerance.unit is ToleranceUnit.RATE
            ),
            None,
        ),
        rules_out_errors=finite(foreseen.rules_out),
        enough=foreseen.enough,
        bake_needed_seconds=None if needed is None else needed.total_seconds(),
        seconds_to_halt=finite(foreseen.seconds_to_halt),
        failed_before_halt=finite(foreseen.failed_before_halt),
    )
