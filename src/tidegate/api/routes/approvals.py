"""What waits for somebody's yes. Saying yes or no is a command to the rollout."""

from typing import Annotated

from fastapi import APIRouter, Query

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.shapes import approvals as shapes
from tidegate.api.showing.approvals import show_awaited
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.errors import InvalidRequestError, StoreError
from tidegate.usecases.awaited import awaited_approvals

router = APIRouter(tags=["approvals"], route_class=GuardedRoute)


@router.get("/v1/approvals", **operation(Permission.READ, InvalidRequestError, StoreError))
def list_awaited_approvals(
    outside: World,
    caller: Calls,
    all: Annotated[
        bool, Query(description="Also those whose phase before is still under way.")
    ] = False,
) -> shapes.AwaitedApprovals:
    """
    Return the phases that have to be agreed to: what is due first, of that what lapses first.

    Each says why it is needed, who can approve, who can't because it is their own change, and what was
    said so far, approvals that don't count included, each with why.
    """
    now = outside.clock.now()
    with outside.store.begin(read_only=True) as transaction:
        found = awaited_approvals(transaction, caller, now)
    return shapes.AwaitedApprovals(
        approvals=[show_awaited(one) for one in found if all or one.is_due], as_of=now
    )
