"""
Access: who has which role where, giving it and taking it away, and why a request would be refused.

What may be looked at here is what may be read of what the grants are about.
"""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.idempotency import Calling, once
from tidegate.api.shapes import access as shapes
from tidegate.api.showing.access import show_checked, show_grant, show_roles
from tidegate.api.state import World
from tidegate.domain.access.model import GrantEffect
from tidegate.domain.access.permissions import Permission
from tidegate.errors import ForbiddenError, InvalidRequestError, NotFoundError, StoreError
from tidegate.usecases.access_commands import GrantRole, RevokeGrant
from tidegate.usecases.access_reads import check_access, resource_to_check, visible_grants
from tidegate.usecases.bus import perform

router = APIRouter(prefix="/v1/access", tags=["access"], route_class=GuardedRoute)

LISTED_AT_MOST: Final = 1_000

GrantId = Annotated[str, Path(max_length=200)]


@router.get("/grants", **operation(Permission.READ, StoreError))
def list_grants(
    outside: World,
    caller: Calls,
    all: Annotated[bool, Query(description="Also those that are over.")] = False,
    limit: Annotated[int, Query(ge=1, le=LISTED_AT_MOST)] = LISTED_AT_MOST,
) -> shapes.Grants:
    """Return the grants in force that you may see, oldest first; with `all` the latest, newest first."""
    found = visible_grants(outside, caller, over_too=all, limit=limit)
    return shapes.Grants(grants=[show_grant(one) for one in found], as_of=outside.clock.now())


@router.post(
    "/grants",
    status_code=201,
    response_model=shapes.Grant,
    **operation(Permission.ACCESS_GRANT, ForbiddenError, InvalidRequestError, StoreError),
)
async def grant_one(said: shapes.GrantRole, call: Calling) -> Response:
    """
    Let somebody have a role on a scope, or deny it to them.

    Whoever gives must hold themselves what they give, there and for as long, and gives nothing to
    themselves. Giving what is given already changes nothing.
    """

    async def done() -> shapes.Grant:
        lasts = said.expires_in_seconds
        give = GrantRole(
            subject=said.subject,
            role=said.role,
            scope=said.scope,
            effect=GrantEffect(said.effect),
            reason=said.reason,
            lasts=None if lasts is None else timedelta(seconds=lasts),
        )
        return show_grant(await perform(call.server.outside, call.caller, give))

    return await once(call, 201, done)


@router.post(
    "/grants/{grant}/revoke",
    response_model=shapes.Grant,
    **operation(
        Permission.ACCESS_GRANT, ForbiddenError, NotFoundError, InvalidRequestError, StoreError
    ),
)
async def revoke_one(grant: GrantId, said: shapes.RevokeGrant, call: Calling) -> Response:
    """End a grant, from the next request on."""

    async def done() -> shapes.Grant:
        revoke = RevokeGrant(grant=grant, reason=said.reason)
        return show_grant(await perform(call.server.outside, call.caller, revoke))

    return await once(call, 200, done)


@router.get("/roles", **operation(Permission.READ))
def list_roles() -> shapes.Roles:
    """Return all roles with what each lets somebody do."""
    return show_roles()


@router.get("/check", **operation(Permission.READ, NotFoundError, InvalidRequestError, StoreError))
def check(
    outside: World,
    caller: Calls,
    permission: Annotated[Permission, Query(description="What you want to do.")],
    service: Annotated[str | None, Query(max_length=200)] = None,
    scope: Annotated[
        str | None, Query(max_length=300, description="Instead of a service: a path.")
    ] = None,
) -> shapes.AccessChecked:
    """Return whether you may do something to a service, a scope or the organisation; why, and who may."""
    resource = resource_to_check(outside, caller, service=service, scope=scope)
    return show_checked(caller, check_access(outside, caller, permission, resource))
