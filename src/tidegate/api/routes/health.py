"""Whether the server lives, and which one it is."""

import asyncio
from typing import Literal

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from tidegate.api.access import GuardedRoute, operation
from tidegate.api.problems import problem_of, problem_response
from tidegate.api.shapes.base import Shape
from tidegate.api.shapes.service import ServerVersion
from tidegate.api.state import server_of
from tidegate.domain.access.permissions import Permission
from tidegate.errors import StoreError
from tidegate.usecases.outside import Outside

API_VERSION = "v1"
_STORE = "store"
_HOLDS_SECONDS = 0.25
"""How long what was found is told to others: health is asked every few seconds, floods every millisecond."""

router = APIRouter(tags=["server"], route_class=GuardedRoute)


class Health(Shape):
    """Whether the server can do its work."""

    status: Literal["ok"]


@router.get("/healthz", **operation(Permission.PUBLIC, StoreError), response_model=Health)
async def healthz(request: Request) -> Response:
    """Return 200 when the store answers, 503 when it doesn't. Tells nothing else, to anyone."""
    server = server_of(request)
    look = server.looks.get(_STORE)
    if look is None:
        # Anyone may ask this as often as they like: those who ask meanwhile, or just after, share one look.
        look = asyncio.ensure_future(asyncio.to_thread(_look, server.outside))
        look.add_done_callback(lambda _: _forget_soon(server.looks))
        server.looks[_STORE] = look
    try:
        await asyncio.shield(look)
    except StoreError:
        # The error's own words may name files and hosts, and anyone may ask here.
        untold = StoreError("the store doesn't answer", hint="see the server's log")
        return problem_response(problem_of(untold))
    return JSONResponse({"status": "ok"})


def _forget_soon(looks: dict[str, asyncio.Future[None]]) -> None:
    asyncio.get_running_loop().call_later(_HOLDS_SECONDS, looks.pop, _STORE, None)


def _look(outside: Outside) -> None:
    with outside.store.begin(read_only=True) as transaction:
        transaction.rollouts(limit=1)


@router.get("/v1/version", **operation(Permission.READ))
def version(request: Request) -> ServerVersion:
    """Return the server's version."""
    server = server_of(request)
    return ServerVersion(
        version=server.version, api=API_VERSION, lab_allowed=server.outside.lab_allowed
    )
