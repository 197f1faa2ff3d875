"""Plans: what a start would do. Nothing is changed, whatever is asked."""

from fastapi import APIRouter

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.routes.known import PROPOSING, resolved_service
from tidegate.api.shapes import plan as shapes
from tidegate.api.showing.plan import show_plan
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.usecases.access import refuse_unless_allowed
from tidegate.usecases.calendar_forecast import plan_calendar
from tidegate.usecases.forecast import forecast
from tidegate.usecases.forecast_findings import forecast_findings
from tidegate.usecases.resources import resource_of_start
from tidegate.usecases.start import propose
from tidegate.usecases.traffic import (
    given_traffic,
    known_traffic,
    latest_way_back,
    with_events_of,
)

router = APIRouter(prefix="/v1/plans", tags=["plans"], route_class=GuardedRoute)


@router.post("", **operation(Permission.PROPOSE, *PROPOSING))
async def make_plan(asked: shapes.MakePlan, outside: World, caller: Calls) -> shapes.Plan:
    """Return what starting this change of this service would do, and what its bakes would show."""
    resolved = resolved_service(outside, caller, asked.service)
    touched = resource_of_start(outside, caller, resolved.spec)
    refuse_unless_allowed(outside, caller, Permission.PROPOSE, touched)
    proposal = await propose(outside, resolved, asked.change, organisation=touched.organisation)
    spec = proposal.spec
    traffic = await known_traffic(outside, spec)
    if asked.requests_per_second is not None:
        given = given_traffic(
            spec, asked.requests_per_second, asked.error_rate, source="the request"
        )
        traffic = with_events_of(given, traffic)
    calendar = plan_calendar(outside, spec)
    foreseen = forecast(
        proposal.plan,
        traffic,
        now=calendar.now,
        is_install=proposal.is_install,
        calendar=calendar,
    )
    return show_plan(
        proposal,
        foreseen,
        [*resolved.findings, *forecast_findings(foreseen), *calendar.findings(foreseen)],
        way_back=latest_way_back(outside, spec.name),
        calendar_notes=calendar.notes(),
    )
