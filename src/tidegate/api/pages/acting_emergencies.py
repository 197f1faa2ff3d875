"""
What the forms about emergencies are sent to: declaring, agreeing, closing, giving up a debt, a drill.

The same commands as those of the API; a service is named, and the server has its document.
"""

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from tidegate.api.access import operation
from tidegate.api.pages.acting import Acting, Outcome
from tidegate.api.pages.guarding import ActingRoute
from tidegate.api.routes.known import resolved_service
from tidegate.documents.assignments import facts_of, versions_of
from tidegate.domain.access.permissions import Permission
from tidegate.domain.emergency.authority import persons_missing
from tidegate.domain.emergency.model import Debt, Emergency
from tidegate.usecases.emergencies import Declaration, Declared
from tidegate.usecases.emergency_commands import (
    Approved,
    ApproveEmergency,
    CloseEmergency,
    DeclareEmergency,
    HoldDrill,
    WaiveDebt,
)
from tidegate.usecases.emergency_drill import Drill

BACK: Final = "/emergency"

router = APIRouter(include_in_schema=False, route_class=ActingRoute)


@router.post("/emergencies", **operation(Permission.EMERGENCY_DECLARE))
async def declare(act: Acting) -> Response:
    """Declare that a change must go faster than its plan."""
    declaration = Declaration(
        resolved=resolved_service(act.call.server.outside, act.call.caller, act.text("service")),
        versions=versions_of(act.text("change").split(), called="the change"),
        type=act.text("type"),
        incident=act.text("incident"),
        facts=facts_of(
            [line for line in act.text("facts").splitlines() if line.strip()], called="a fact"
        ),
        reason=act.text("reason"),
        start_at_once=act.text("start") == "yes",
    )

    def tell(declared: Declared) -> Outcome:
        emergency = declared.emergency
        return Outcome(
            message=f"emergency {emergency.id} is declared;"
            f" {persons_missing(emergency)} more must agree",
            location=f"/emergencies/{emergency.id}",
        )

    return await act.carry_out(DeclareEmergency(said=declaration), tell)


@router.post("/emergencies/{emergency}/approve", **operation(Permission.EMERGENCY_APPROVE))
async def approve(emergency: str, act: Acting) -> Response:
    """Agree to an emergency that somebody else declared."""
    command = ApproveEmergency(emergency=emergency, reason=act.text("reason"))
    return await act.carry_out(command, _agreed)


@router.post("/emergencies/{emergency}/close", **operation(Permission.EMERGENCY_DECLARE))
async def close(emergency: str, act: Acting) -> Response:
    """Close an emergency with what was learned."""

    def tell(closed: Emergency) -> Outcome:
        return Outcome(
            message=f"emergency {closed.id} is closed", location=f"/emergencies/{closed.id}"
        )

    command = CloseEmergency(emergency=emergency, reason=act.text("reason"))
    return await act.carry_out(command, tell)


@router.post("/debts/{debt}/waive", **operation(Permission.DEBT_SETTLE))
async def waive(debt: str, act: Acting) -> Response:
    """Say that a debt may be given up."""

    def tell(after: Debt) -> Outcome:
        is_over = not after.is_unpaid
        said = "is given up" if is_over else "is still owed: a second person has to say so"
        return Outcome(message=f"{after.gate} {said}", location=BACK)

    return await act.carry_out(WaiveDebt(debt=debt, reason=act.text("reason")), tell)


@router.post("/emergency/drills", **operation(Permission.EMERGENCY_DECLARE))
async def drill(act: Acting) -> Response:
    """Walk an emergency in memory."""
    resolved = resolved_service(act.call.server.outside, act.call.caller, act.text("service"))

    def tell(held: Drill) -> Outcome:
        found = "; ".join(held.problems)
        said = f"would be in the way: {found}" if found else "nothing would be in the way"
        return Outcome(
            message=f"drill of {held.record.type} with {held.record.service}: {said}",
            location=BACK,
        )

    return await act.carry_out(HoldDrill(resolved=resolved, type=act.text("type")), tell)


def _agreed(approved: Approved) -> Outcome:
    emergency = approved.emergency
    missing = persons_missing(emergency)
    if approved.started is not None:
        message = f"emergency {emergency.id} is authorised, and {emergency.service} began"
        return Outcome(message=message, location=f"/rollouts/{approved.started.id}")
    if approved.not_started:
        said = f"is authorised, and didn't begin: {approved.not_started}"
    elif missing:
        said = f"needs {missing} more"
    else:
        said = "is authorised: start it with its command"
    return Outcome(message=f"emergency {emergency.id} {said}", location=BACK)
