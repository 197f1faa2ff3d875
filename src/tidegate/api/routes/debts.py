"""Debts of emergencies: what was put off and is owed, and giving one up by two people's word."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.idempotency import Calling, once
from tidegate.api.shapes import emergencies as shapes
from tidegate.api.showing.emergencies import show_debt
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.errors import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    StoreError,
)
from tidegate.usecases.access import access_in
from tidegate.usecases.bus import perform
from tidegate.usecases.emergency_commands import WaiveDebt
from tidegate.usecases.reading import sees_service
from tidegate.usecases.shelves import DEBTS

router = APIRouter(prefix="/v1/debts", tags=["emergencies"], route_class=GuardedRoute)

LISTED_AT_MOST: Final = 1_000


@router.get("", **operation(Permission.READ, StoreError))
def list_debts(
    outside: World,
    caller: Calls,
    all: Annotated[bool, Query(description="Also those that are settled or waived.")] = False,
    limit: Annotated[int, Query(ge=1, le=LISTED_AT_MOST)] = 100,
) -> shapes.Debts:
    """Return what is owed, oldest first; with `all` the latest, newest first."""
    now = outside.clock.now()
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, now)
        every = DEBTS.latest(transaction, limit=LISTED_AT_MOST) if all else DEBTS.open(transaction)
        found = [one for one in every if sees_service(transaction, access, one.service)][:limit]
    return shapes.Debts(debts=[show_debt(debt, now=now) for debt in found], as_of=now)


@router.post(
    "/{debt}/waive",
    response_model=shapes.Debt,
    **operation(
        Permission.DEBT_SETTLE,
        ForbiddenError,
        InvalidRequestError,
        NotFoundError,
        RefusedError,
        StoreError,
    ),
)
async def waive(
    debt: Annotated[str, Path(max_length=200)], said: shapes.Reason, call: Calling
) -> Response:
    """Say that a debt may be given up. It is when a second person says so; never one's own."""
    outside = call.server.outside

    async def done() -> shapes.Debt:
        waived = await perform(outside, call.caller, WaiveDebt(debt=debt, reason=said.reason))
        return show_debt(waived, now=outside.clock.now())

    return await once(call, 200, done)
