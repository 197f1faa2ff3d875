"""Plans: what a start would do. Nothing is changed, whatever is asked."""

from fastapi import APIRouter

from tidegate.api.access import GuardedRoute, Permission, operation
from tidegate.api.routes.known import PROPOSING, resolved_service
from tidegate.api.shapes import plan as shapes
from tidegate.api.showing.plan import show_plan
from tidegate.api.state import World
from tidegate.usecases.forecast import Traffic, forecast, known_traffic
from tidegate.usecases.start import propose

router = APIRouter(prefix="/v1/plans", tags=["plans"], route_class=GuardedRoute)


@router.post("", **operation(Permission.PROPOSE, *PROPOSING))
async def make_plan(asked: shapes.MakePlan, outside: World) -> shapes.Plan:
    """Return what starting this change of this service would do, and what its bakes would show."""
    resolved = resolved_service(outside, asked.service)
    proposal = await propose(outside, resolved, asked.change)
    traffic = known_traffic(outside, proposal.spec.name)
    if asked.requests_per_second is not None:
        traffic = Traffic(
            requests_per_second=asked.requests_per_second,
            error_rate=asked.error_rate,
            source="the request",
        )
    return show_plan(proposal, forecast(proposal, traffic), resolved.findings)
