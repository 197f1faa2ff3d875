"""The first page: what is under way, and what needs somebody."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.onlooker import Looks
from tidegate.api.pages.rendering import page
from tidegate.api.showing.look import Look, show_record
from tidegate.api.state import World
from tidegate.usecases.reading import readable_rollouts

MOST_LISTED: Final = 50

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/")
def overview(request: Request, outside: World, onlooker: Looks) -> Response:
    """Show the newest rollouts: state, phases, exposure, and what each waits for."""
    found = readable_rollouts(outside, onlooker.caller, searched=MOST_LISTED, limit=MOST_LISTED)
    with outside.store.begin(read_only=True) as transaction:
        looks = [Look(rollout=one, stored=transaction.evidence(one.id)) for one in found]
    return page(
        request, "screens/overview.html", rollouts=[show_record(outside, look) for look in looks]
    )
