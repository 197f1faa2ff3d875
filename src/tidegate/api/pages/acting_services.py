"""What the forms of the services' pages are sent to. What is given here is lifted at the emergency page."""

from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import Response

from tidegate.api.access import operation
from tidegate.api.pages.acting import Acting, Outcome
from tidegate.api.pages.guarding import ActingRoute
from tidegate.domain.access.permissions import Permission
from tidegate.domain.stops.model import StopScope
from tidegate.usecases.stop_commands import GiveStopOrder

router = APIRouter(include_in_schema=False, route_class=ActingRoute)


@router.post("/services/{service}/stop", **operation(Permission.HALT))
async def stop_service(service: str, act: Acting) -> Response:
    """Let nothing of a service rise any more."""
    order = GiveStopOrder(
        scope=StopScope.SERVICE,
        name=service,
        withdraw=act.text("withdraw") == "yes",
        reason=act.text("reason"),
    )
    return await act.carry_out(
        order,
        lambda given: Outcome(
            message=f"stop order {given.order.number} for {service} is in force and stops"
            f" {len(given.covered)} rollouts",
            location=f"/services/{quote(service, safe='')}",
        ),
    )
