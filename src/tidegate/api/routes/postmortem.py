"""The draft of a postmortem: what the ledger and the watch say of a rollout that was stopped."""

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.shapes import postmortem as shapes
from tidegate.api.showing.postmortem import show_postmortem
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.errors import NotFoundError, RefusedError, StoreError
from tidegate.usecases.postmortem import write_postmortem
from tidegate.usecases.reading import find_rollout

router = APIRouter(prefix="/v1/rollouts/{rollout}", tags=["rollouts"], route_class=GuardedRoute)


@router.get("/postmortem", **operation(Permission.READ, NotFoundError, RefusedError, StoreError))
async def get_postmortem(rollout: str, outside: World, caller: Calls) -> shapes.Postmortem:
    """
    Return the draft of a postmortem: timeline, impact, what caught it, decisions made again.

    People are roles in it. Refused for a rollout with which nothing went wrong.
    """
    found = find_rollout(outside, caller, rollout)
    written = await run_in_threadpool(write_postmortem, outside, found)
    return show_postmortem(written, now=outside.clock.now())
