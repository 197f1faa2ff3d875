"""Decisions: what one was made from, and the same decision made again."""

from typing import Annotated

from fastapi import APIRouter, Path

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.shapes import ledger as shapes
from tidegate.api.showing.ledger import show_decision, show_replay
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.errors import InvalidRequestError, NotFoundError, StoreError
from tidegate.usecases.explain import replay_decision
from tidegate.usecases.reading import readable_entry

router = APIRouter(prefix="/v1/decisions", tags=["decisions"], route_class=GuardedRoute)

Number = Annotated[int, Path(ge=1, le=2**53, description="N of d-N.")]


@router.get("/{number}", **operation(Permission.READ, NotFoundError, StoreError))
def get_decision(number: Number, outside: World, caller: Calls) -> shapes.Decision:
    """Return one entry of the ledger with what it was decided from."""
    return show_decision(readable_entry(outside, caller, number))


@router.post(
    "/{number}/replay",
    **operation(Permission.READ, NotFoundError, InvalidRequestError, StoreError),
)
def replay(number: Number, outside: World, caller: Calls) -> shapes.Replay:
    """Make a decision again from what was stored, and say whether it comes out the same."""
    entry = readable_entry(outside, caller, number)
    return show_replay(replay_decision(outside, entry.number))
