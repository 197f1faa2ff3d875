"""
Stop orders: stopping a service, a ring or everything, and letting it go on again.

Giving one runs in the loop, as a halt does: it waits behind nothing.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.idempotency import Calling, once
from tidegate.api.shapes import stops as shapes
from tidegate.api.showing.stops import show_given, show_lifted, show_order
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.domain.stops.model import StopScope
from tidegate.errors import InvalidRequestError, NotFoundError, RefusedError, StoreError
from tidegate.usecases.access import access_in
from tidegate.usecases.bus import perform
from tidegate.usecases.reading import sees_order
from tidegate.usecases.shelves import STOP_ORDERS
from tidegate.usecases.stop_commands import GiveStopOrder, LiftStopOrder
from tidegate.usecases.stops import LATEST_NUMBER

router = APIRouter(tags=["stops"], route_class=GuardedRoute)

LISTED_AT_MOST: Final = 1_000


@router.get("/v1/stops", **operation(Permission.READ, StoreError))
def list_stop_orders(
    outside: World,
    caller: Calls,
    all: Annotated[bool, Query(description="Also those that are lifted.")] = False,
    limit: Annotated[int, Query(ge=1, le=LISTED_AT_MOST)] = 100,
) -> shapes.StopOrders:
    """Return the stop orders in force that you may see, oldest first; with `all` the latest, newest first."""
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        every = (
            STOP_ORDERS.latest(transaction, limit=LISTED_AT_MOST)
            if all
            else STOP_ORDERS.open(transaction)
        )
        found = [one for one in every if sees_order(transaction, access, one)][:limit]
    return shapes.StopOrders(
        orders=[show_order(order) for order in found], as_of=outside.clock.now()
    )


@router.post(
    "/v1/stops",
    status_code=201,
    response_model=shapes.StopOrderGiven,
    **operation(Permission.HALT, NotFoundError, InvalidRequestError, StoreError),
)
async def give_one(said: shapes.GiveStopOrder, call: Calling) -> Response:
    """
    Stop every rise of exposure of a service, a ring or everything, at once.

    It is in force when this answers, and stays so over restarts until it is lifted. With `withdraw`
    what it covers is also brought back to nobody.
    """

    async def done() -> shapes.StopOrderGiven:
        give = GiveStopOrder(
            scope=StopScope(said.scope),
            name=said.name,
            withdraw=said.withdraw,
            reason=said.reason,
        )
        given = await perform(call.server.outside, call.caller, give)
        return show_given(given, now=call.server.outside.clock.now())

    return await once(call, 201, done)


@router.post(
    "/v1/stops/{number}/lift",
    response_model=shapes.StopOrderLifted,
    **operation(Permission.RESUME, NotFoundError, InvalidRequestError, RefusedError, StoreError),
)
async def lift_one(
    number: Annotated[int, Path(ge=1, le=LATEST_NUMBER)], said: shapes.LiftStopOrder, call: Calling
) -> Response:
    """
    Say that a stop order may end. One for a service needs one person, a wider one two.

    What it stopped goes on where it was; what it withdrew waits for a person.
    """

    async def done() -> shapes.StopOrderLifted:
        lift = LiftStopOrder(number=number, reason=said.reason)
        return show_lifted(await perform(call.server.outside, call.caller, lift))

    return await once(call, 200, done)
