"""What holds everything or much of it: stop orders and freezes, in force and of before."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from tidegate.api.pages.allowed import access_to_act, is_theirs
from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.onlooker import Looks
from tidegate.api.pages.rendering import page
from tidegate.api.pages.screens.emergency_orders import freeze_cards, order_cards
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.usecases.access import access_in
from tidegate.usecases.reading import readable_services
from tidegate.usecases.resources import resource_of_organisation, resource_of_service

LATEST: Final = 100

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/stops")
def stops(request: Request, outside: World, onlooker: Looks, all: str = "yes") -> Response:
    """Show the latest stop orders, or with `all=no` only those in force."""
    shows_all = all != "no"
    with outside.store.begin(read_only=True) as transaction:
        cards = order_cards(
            transaction,
            onlooker,
            outside.clock.now(),
            latest=LATEST if shows_all else None,
        )
    return page(request, "screens/stops.html", cards=cards, shows_all=shows_all)


@router.get("/freezes")
def freezes(request: Request, outside: World, onlooker: Looks, all: str = "") -> Response:
    """Show the freezes ahead and in force, with `all=yes` the latest of all, and a form for one more."""
    shows_all = all == "yes"
    now = outside.clock.now()
    with outside.store.begin(read_only=True) as transaction:
        cards = freeze_cards(transaction, onlooker, now, latest=LATEST if shows_all else None)
        access = access_in(transaction, onlooker.caller, now)
        acting = access_to_act(transaction, onlooker, now)
        services = [
            str(one.name)
            for one in readable_services(transaction, access)
            if (where := resource_of_service(transaction, one.name)) is not None
            and is_theirs(acting, Permission.FREEZE, where)
        ]
        may_all = acting is not None and is_theirs(
            acting, Permission.FREEZE, resource_of_organisation(acting.caller)
        )
    return page(
        request,
        "screens/freezes.html",
        cards=cards,
        shows_all=shows_all,
        services=services,
        may_all=may_all,
    )
