"""
Emergencies: declaring that a change must go faster, agreeing to it, and looking at what there is.

None of these raises anything by itself: what is authorised is started like any other rollout, under the
emergency's id.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.idempotency import Calling, once
from tidegate.api.routes.known import PROPOSING, resolved_service
from tidegate.api.shapes import emergencies as shapes
from tidegate.api.showing.emergencies import (
    show_approved,
    show_declared,
    show_drill,
    show_emergency,
    show_report,
)
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.errors import (
    ForbiddenError,
    InvalidDocumentError,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    StoreError,
)
from tidegate.usecases.access import access_in
from tidegate.usecases.bus import perform
from tidegate.usecases.emergencies import Declaration
from tidegate.usecases.emergency_close import report_of
from tidegate.usecases.emergency_commands import (
    ApproveEmergency,
    CloseEmergency,
    DeclareEmergency,
    HoldDrill,
)
from tidegate.usecases.emergency_records import (
    EMERGENCIES,
    readable_emergency,
    sees_emergency,
)

router = APIRouter(prefix="/v1/emergencies", tags=["emergencies"], route_class=GuardedRoute)

LISTED_AT_MOST: Final = 1_000

Name = Annotated[str, Path(max_length=200, description="An id, or a service (its latest).")]


@router.post(
    "",
    status_code=201,
    response_model=shapes.EmergencyDeclared,
    **operation(Permission.EMERGENCY_DECLARE, *PROPOSING, ForbiddenError),
)
async def declare(said: shapes.DeclareEmergency, call: Calling) -> Response:
    """
    Declare that a change must go faster than its plan.

    Refused unless the type's criteria are met by the facts; what isn't known isn't met. Nothing starts
    by it: somebody else must agree first.
    """
    outside = call.server.outside

    async def done() -> shapes.EmergencyDeclared:
        declaration = Declaration(
            resolved=resolved_service(outside, call.caller, said.service),
            versions=said.change,
            type=said.type,
            incident=said.incident,
            facts=said.facts,
            reason=said.reason,
            start_at_once=said.start,
        )
        declared = await perform(outside, call.caller, DeclareEmergency(said=declaration))
        return show_declared(declared, now=outside.clock.now())

    return await once(call, 201, done)


@router.get("", **operation(Permission.READ, StoreError))
def list_emergencies(
    outside: World,
    caller: Calls,
    all: Annotated[bool, Query(description="Also those that are closed.")] = False,
    limit: Annotated[int, Query(ge=1, le=LISTED_AT_MOST)] = 100,
) -> shapes.Emergencies:
    """Return the open emergencies, oldest first; with `all` the latest, newest first."""
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        every = (
            EMERGENCIES.latest(transaction, limit=LISTED_AT_MOST)
            if all
            else EMERGENCIES.open(transaction)
        )
        found = [one for one in every if sees_emergency(transaction, access, one)][:limit]
    now = outside.clock.now()
    return shapes.Emergencies(
        emergencies=[show_emergency(one, now=now) for one in found], as_of=now
    )


@router.post(
    "/drills",
    response_model=shapes.Drill,
    **operation(
        Permission.EMERGENCY_DECLARE,
        ForbiddenError,
        InvalidDocumentError,
        InvalidRequestError,
        NotFoundError,
        StoreError,
    ),
)
async def hold_drill(said: shapes.HoldDrill, call: Calling) -> Response:
    """
    Walk an emergency in memory by the policy in force, and say what would be in the way of a real one.

    Nothing is started; that it was held is on record.
    """
    outside = call.server.outside

    async def done() -> shapes.Drill:
        resolved = resolved_service(outside, call.caller, said.service)
        drill = HoldDrill(resolved=resolved, type=said.type)
        return show_drill(await perform(outside, call.caller, drill))

    return await once(call, 200, done)


@router.get("/{emergency}", **operation(Permission.READ, NotFoundError, StoreError))
def get_emergency(emergency: Name, outside: World, caller: Calls) -> shapes.Emergency:
    """Return one emergency, by its id or a service's name (its latest)."""
    found = readable_emergency(outside, caller, emergency)
    return show_emergency(found, now=outside.clock.now())


@router.post(
    "/{emergency}/approve",
    response_model=shapes.EmergencyApproved,
    **operation(
        Permission.EMERGENCY_APPROVE, ForbiddenError, NotFoundError, RefusedError, StoreError
    ),
)
async def approve(emergency: Name, said: shapes.ApproveEmergency, call: Calling) -> Response:
    """Agree to an emergency that somebody else declared; the last yes needed authorises it."""
    outside = call.server.outside

    async def done() -> shapes.EmergencyApproved:
        command = ApproveEmergency(emergency=emergency, reason=said.reason)
        approved = await perform(outside, call.caller, command)
        return show_approved(approved, now=outside.clock.now())

    return await once(call, 200, done)


@router.post(
    "/{emergency}/close",
    response_model=shapes.Emergency,
    **operation(
        Permission.EMERGENCY_DECLARE,
        ForbiddenError,
        InvalidRequestError,
        NotFoundError,
        RefusedError,
        StoreError,
    ),
)
async def close(emergency: Name, said: shapes.Reason, call: Calling) -> Response:
    """Close an emergency, with what was learned. Refused while anything of it runs or is owed."""
    outside = call.server.outside

    async def done() -> shapes.Emergency:
        command = CloseEmergency(emergency=emergency, reason=said.reason)
        closed = await perform(outside, call.caller, command)
        return show_emergency(closed, now=outside.clock.now())

    return await once(call, 200, done)


@router.get("/{emergency}/report", **operation(Permission.READ, NotFoundError, StoreError))
def get_report(emergency: Name, outside: World, caller: Calls) -> shapes.Report:
    """Return what was done faster and by whom, what it took, what is owed, and the timeline."""
    now = outside.clock.now()
    found = readable_emergency(outside, caller, emergency)
    with outside.store.begin(read_only=True) as transaction:
        report = report_of(transaction, found, now)
    return show_report(report, now=now)
