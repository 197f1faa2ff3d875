"""Services that the server knows from their rollouts."""

from fastapi import APIRouter

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.shapes import service as shapes
from tidegate.api.showing.service import show_service, show_service_detail
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.domain.quantities import ServiceName
from tidegate.errors import NotFoundError, StoreError
from tidegate.usecases.access import access_in
from tidegate.usecases.reading import readable_service, readable_services

router = APIRouter(prefix="/v1/services", tags=["services"], route_class=GuardedRoute)


@router.get("", **operation(Permission.READ, StoreError))
def list_services(outside: World, caller: Calls) -> shapes.Services:
    """Return all services that you may read, by name."""
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        found = readable_services(transaction, access)
        return shapes.Services(services=[show_service(transaction, one) for one in found])


@router.get("/{name}", **operation(Permission.READ, NotFoundError, StoreError))
def get_service(name: str, outside: World, caller: Calls) -> shapes.ServiceDetail:
    """Return one service with its resolved document and its last known good."""
    record = readable_service(outside, caller, ServiceName(name))
    with outside.store.begin(read_only=True) as transaction:
        return show_service_detail(transaction, record)
