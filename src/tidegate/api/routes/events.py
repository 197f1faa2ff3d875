"""
What happens to a rollout, as it happens: a long poll that can be taken up again at any number.

Events are hints to look again, and their numbers are those of the ledger, so nothing is missed and
nothing repeated after a lost connection. They are read from the ledger: it keeps them per rollout and
for good, while the outbox may be emptied once its messages are delivered.
"""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request

from tidegate.api.access import Calls, GuardedRoute, known_by_bearer, operation
from tidegate.api.shapes import rollout as shapes
from tidegate.api.showing.ledger import show_event
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.errors import NotFoundError, StoreError
from tidegate.usecases.reading import find_rollout

router = APIRouter(prefix="/v1/rollouts/{rollout}", tags=["rollouts"], route_class=GuardedRoute)

LOOK_EVERY_SECONDS: Final = 0.2
LONGEST_WAIT_SECONDS: Final = 30.0


@router.get("/events", **operation(Permission.READ, NotFoundError, StoreError, lasts=True))
async def get_events(
    rollout: str,
    request: Request,
    outside: World,
    caller: Calls,
    after: Annotated[int, Query(ge=0, le=2**53, description="Only later numbers.")] = 0,
    wait_seconds: Annotated[
        float, Query(ge=0, le=LONGEST_WAIT_SECONDS, description="Wait so long for the first.")
    ] = 0.0,
) -> shapes.Events:
    """Return what happened after a number; wait for it when nothing has yet."""
    found = find_rollout(outside, caller, rollout)
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_seconds
    while True:
        with outside.store.begin(read_only=True) as transaction:
            entries = transaction.ledger(rollout_id=found.id, after=after, limit=1000)
        left = until - loop.time()
        if entries or left <= 0 or await request.is_disconnected():
            break
        await asyncio.sleep(min(LOOK_EVERY_SECONDS, left))
    if wait_seconds > 0:
        # Whoever waited may have been shut out meanwhile: a token revoked, a session ended.
        known_by_bearer(request)
        find_rollout(outside, caller, rollout)
    return shapes.Events(
        events=[show_event(entry) for entry in entries],
        next=entries[-1].number if entries else after,
    )
