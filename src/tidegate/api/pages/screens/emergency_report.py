"""One emergency: what there is to do about it, and its report, made from the ledger each time."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.onlooker import Looks
from tidegate.api.pages.rendering import page
from tidegate.api.pages.screens.emergency_fix import emergency_card
from tidegate.api.showing.emergencies import show_report
from tidegate.api.state import World
from tidegate.usecases.emergency_close import report_of
from tidegate.usecases.emergency_records import readable_emergency

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/emergencies/{emergency}")
def one_emergency(emergency: str, request: Request, outside: World, onlooker: Looks) -> Response:
    """Show one emergency by its id, or a service's latest."""
    now = outside.clock.now()
    found = readable_emergency(outside, onlooker.caller, emergency)
    with outside.store.begin(read_only=True) as transaction:
        seen = emergency_card(transaction, onlooker, found, now, outside.identity_mode)
        report = show_report(report_of(transaction, found, now), now=now)
    return page(request, "screens/emergency_report.html", seen=seen, report=report)
