"""Freezes: times in which nothing that they cover rises, announced ahead and ending by themselves."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.idempotency import Calling, once
from tidegate.api.shapes import freezes as shapes
from tidegate.api.showing.freezes import show_added, show_exception, show_freeze, show_lifted
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.domain.calendar.freezes import FreezeScope
from tidegate.errors import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    StoreError,
)
from tidegate.usecases.access import access_in
from tidegate.usecases.bus import perform
from tidegate.usecases.calendar_exceptions import ExceptFromCalendar
from tidegate.usecases.freeze_commands import AddFreeze, LiftFreeze
from tidegate.usecases.freezes import FREEZES, LATEST_NUMBER
from tidegate.usecases.reading import sees_freeze

router = APIRouter(tags=["freezes"], route_class=GuardedRoute)

LISTED_AT_MOST: Final = 1_000


@router.get("/v1/freezes", **operation(Permission.READ, StoreError))
def list_freezes(
    outside: World,
    caller: Calls,
    all: Annotated[bool, Query(description="Also those that are over or lifted.")] = False,
    limit: Annotated[int, Query(ge=1, le=LISTED_AT_MOST)] = 100,
) -> shapes.Freezes:
    """Return the freezes ahead and in force that you may see; with `all` the latest, newest first."""
    now = outside.clock.now()
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, now)
        every = (
            FREEZES.latest(transaction, limit=LISTED_AT_MOST)
            if all
            else [one for one in FREEZES.open(transaction) if now < one.until]
        )
        found = [one for one in every if sees_freeze(transaction, access, one)][:limit]
    return shapes.Freezes(freezes=[show_freeze(one, now=now) for one in found], as_of=now)


@router.post(
    "/v1/freezes",
    status_code=201,
    response_model=shapes.FreezeAdded,
    **operation(Permission.FREEZE, NotFoundError, InvalidRequestError, StoreError),
)
async def add_one(said: shapes.AddFreeze, call: Calling) -> Response:
    """
    Announce a time in which exposure of a service, ring, environment or everything doesn't rise.

    What is exposed stays so and goes on baking. It ends by itself; what must stop until somebody says
    so is a stop order.
    """

    async def done() -> shapes.FreezeAdded:
        add = AddFreeze(
            scope=FreezeScope(said.scope),
            name=said.name,
            since=None if said.since is None else _utc(said.since),
            until=_utc(said.until),
            reason=said.reason,
            allows_exceptions=said.allows_exceptions,
        )
        added = await perform(call.server.outside, call.caller, add)
        return show_added(added, now=call.server.outside.clock.now())

    return await once(call, 201, done)


@router.post(
    "/v1/freezes/{number}/lift",
    response_model=shapes.FreezeLifted,
    **operation(Permission.FREEZE, NotFoundError, InvalidRequestError, RefusedError, StoreError),
)
async def lift_one(
    number: Annotated[int, Path(ge=1, le=LATEST_NUMBER)], said: shapes.LiftFreeze, call: Calling
) -> Response:
    """End a freeze before its time; what waited for it goes on."""

    async def done() -> shapes.FreezeLifted:
        lift = LiftFreeze(number=number, reason=said.reason)
        lifted = await perform(call.server.outside, call.caller, lift)
        return show_lifted(lifted, now=call.server.outside.clock.now())

    return await once(call, 200, done)


@router.post(
    "/v1/rollouts/{rollout}/except",
    status_code=201,
    response_model=shapes.ExceptionGiven,
    **operation(
        Permission.EXCEPT,
        ForbiddenError,
        NotFoundError,
        InvalidRequestError,
        RefusedError,
        StoreError,
    ),
)
async def except_one(rollout: str, said: shapes.GiveException, call: Calling) -> Response:
    """
    Let a rollout's next phase begin although a window or freeze is closed.

    It takes another person than those behind the change, lasts four hours, and counts against the budget
    of the service. A freeze that allows no exception, or that was announced later, isn't passed over.
    """

    async def done() -> shapes.ExceptionGiven:
        give = ExceptFromCalendar(rollout=rollout, reason=said.reason)
        given = await perform(call.server.outside, call.caller, give)
        return show_exception(given, now=call.server.outside.clock.now())

    return await once(call, 201, done)


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as exc:
        raise InvalidRequestError(
            f"{at.isoformat()} is no instant that can be told in UTC",
            hint="take a time between the years 2 and 9998",
        ) from exc
