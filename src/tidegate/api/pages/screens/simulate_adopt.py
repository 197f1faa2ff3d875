"""The second of two plans, ready to be put in the place of the first: as a page, and as a patch to keep."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.onlooker import Looks
from tidegate.api.pages.rendering import page
from tidegate.api.pages.simulate_adopt import adoption_of
from tidegate.api.pages.simulate_asked import Asks
from tidegate.api.state import World, server_of
from tidegate.errors import NotFoundError

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/simulate/adopt")
def adopt(request: Request, outside: World, onlooker: Looks, said: Asks) -> Response:
    """Show what adopting the second plan changes, as far as the file is known here."""
    adoption = adoption_of(outside, onlooker.caller, server_of(request).texts, said)
    return page(request, "screens/simulate_adopt.html", said=said, adoption=adoption)


@router.get("/simulate/adopt/patch")
def patch(request: Request, outside: World, onlooker: Looks, said: Asks) -> Response:
    """Return the patch of the file, as `git apply` takes it."""
    adoption = adoption_of(outside, onlooker.caller, server_of(request).texts, said)
    if not adoption.patch:
        raise NotFoundError(
            "there is no patch: the text of the file isn't known here, or can't take the plan",
            hint="look at the page that this address is below: it says what to do instead",
        )
    return Response(
        adoption.patch.encode(),
        media_type="text/x-diff; charset=utf-8",
        headers={"content-disposition": 'attachment; filename="tidegate-plan.patch"'},
    )
