"""Services that the server knows from their rollouts."""

from fastapi import APIRouter

from tidegate.api.access import GuardedRoute, operation
from tidegate.api.shapes import service as shapes
from tidegate.api.showing.service import show_service, show_service_detail
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.domain.quantities import ServiceName
from tidegate.errors import NotFoundError, StoreError
from tidegate.usecases.outside import unknown_service

router = APIRouter(prefix="/v1/services", tags=["services"], route_class=GuardedRoute)


@router.get("", **operation(Permission.READ, StoreError))
def list_services(outside: World) -> shapes.Services:
    """Return all services, by name."""
    with outside.store.begin(read_only=True) as transaction:
        return shapes.Services(
            services=[show_service(transaction, record) for record in transaction.services()]
        )


@router.get("/{name}", **operation(Permission.READ, NotFoundError, StoreError))
def get_service(name: str, outside: World) -> shapes.ServiceDetail:
    """Return one service with its resolved document and its last known good."""
    with outside.store.begin(read_only=True) as transaction:
        record = transaction.service(ServiceName(name))
        if record is None:
            raise unknown_service(ServiceName(name))
        return show_service_detail(transaction, record)
