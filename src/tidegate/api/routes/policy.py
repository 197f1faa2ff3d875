"""The policy of an organisation: what is in force, what was, and putting another in force."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.idempotency import Calling, once
from tidegate.api.shapes import policy as shapes
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.domain.policy.model import PolicyVersion
from tidegate.errors import (
    ForbiddenError,
    InvalidDocumentError,
    InvalidRequestError,
    StateMovedError,
    StoreError,
)
from tidegate.usecases.access import access_in
from tidegate.usecases.bus import perform
from tidegate.usecases.policies import readable_policies, readable_policy
from tidegate.usecases.policy_commands import ApplyPolicy

router = APIRouter(prefix="/v1/policy", tags=["policy"], route_class=GuardedRoute)


@router.get("", **operation(Permission.READ, InvalidRequestError, StoreError))
def show_policy(outside: World, caller: Calls) -> shapes.PolicyVersion:
    """Return the policy in force of the caller's organisation; number 0 when there is none."""
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        found = readable_policy(transaction, access)
    return _none(caller.organisation) if found is None else _shown(found)


@router.get("/history", **operation(Permission.READ, InvalidRequestError, StoreError))
def list_policy_versions(
    outside: World, caller: Calls, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> shapes.PolicyVersions:
    """Return every version that was ever in force, newest first, each with its text and editor."""
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        found = readable_policies(transaction, access, limit=limit)
    return shapes.PolicyVersions(versions=[_shown(one) for one in found], as_of=outside.clock.now())


@router.post(
    "",
    response_model=shapes.PolicyVersion,
    **operation(
        Permission.POLICY_EDIT,
        ForbiddenError,
        InvalidDocumentError,
        InvalidRequestError,
        StateMovedError,
        StoreError,
    ),
)
async def apply_policy(said: shapes.ApplyPolicy, call: Calling) -> Response:
    """
    Put a policy in force, in the place of the one that was edited (`at`).

    Approvals that were given under another one lapse, and its editor can't approve for 24 hours.
    """

    async def done() -> shapes.PolicyVersion:
        command = ApplyPolicy(text=said.text, at=said.at, reason=said.reason)
        return _shown(await perform(call.server.outside, call.caller, command))

    return await once(call, 200, done)


def _shown(version: PolicyVersion) -> shapes.PolicyVersion:
    return shapes.PolicyVersion(
        organisation=version.organisation,
        number=version.number,
        digest=version.policy.digest,
        text=version.text,
        by=version.by,
        person=version.person,
        reason=version.reason,
        at=version.at,
        is_in_force=version.is_in_force,
    )


def _none(organisation: str) -> shapes.PolicyVersion:
    return shapes.PolicyVersion(
        organisation=organisation,
        number=0,
        digest="",
        text="",
        by="",
        person=None,
        reason="",
        at=None,
        is_in_force=False,
    )
