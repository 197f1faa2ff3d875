"""One rollout: where it is, what was proven, what was decided, and what can be done."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tidegate.api.pages.allowed import allowed_actions
from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.onlooker import Looks
from tidegate.api.pages.rendering import page
from tidegate.api.showing.ledger import show_entry
from tidegate.api.showing.look import look_at, show_meter, show_now
from tidegate.api.state import World, server_of
from tidegate.usecases.reading import find_rollout

MOST_DECISIONS: Final = 30

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/rollouts/{rollout}")
async def one_rollout(rollout: str, request: Request, outside: World, onlooker: Looks) -> Response:
    """Show one rollout: phases, evidence, decisions."""
    look = look_at(outside, find_rollout(outside, onlooker.caller, rollout))
    with outside.store.begin(read_only=True) as transaction:
        entries = transaction.ledger(rollout_id=look.rollout.id, limit=100_000)
    return page(
        request,
        "screens/rollout.html",
        rollout=await show_now(outside, look),
        allowed=allowed_actions(server_of(request), onlooker, look.rollout),
        evidence=await run_in_threadpool(show_meter, outside, look, None, None),
        entries=[show_entry(entry) for entry in reversed(entries[-MOST_DECISIONS:])],
    )
