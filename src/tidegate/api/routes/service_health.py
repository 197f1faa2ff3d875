"""
How well a service is. Nothing is changed, whatever is asked.

`test` is a POST because it asks the service's sources, twice a tick apart: it takes seconds, and nobody
may prefetch it.
"""

from typing import Annotated

from fastapi import APIRouter, Query

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.shapes import service_health as shapes
from tidegate.api.showing.service_health import show_health, show_history, show_test
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.domain.health.model import Health
from tidegate.domain.quantities import ServiceName
from tidegate.errors import (
    InvalidDocumentError,
    InvalidRequestError,
    NotFoundError,
    StoreError,
)
from tidegate.usecases.ask_signals import ask_signals
from tidegate.usecases.reading import readable_service
from tidegate.usecases.service_health import service_health
from tidegate.usecases.signal_history import signal_history

router = APIRouter(prefix="/v1/services/{name}/health", tags=["services"], route_class=GuardedRoute)

_FAILING = (NotFoundError, InvalidDocumentError, StoreError)


@router.get("", **operation(Permission.READ, InvalidRequestError, *_FAILING))
def get_service_health(
    name: str,
    outside: World,
    caller: Calls,
    what_if: Annotated[
        list[str] | None,
        Query(max_length=200, description="NODE=STATE: as if that node were in this state."),
    ] = None,
) -> shapes.ServiceHealth:
    """Return the states that the service's rollouts show, and why; asks no source."""
    supposed = dict(_supposed(one) for one in what_if or ())
    service = readable_service(outside, caller, ServiceName(name)).name
    return show_health(service_health(outside, caller, service, supposed=supposed))


@router.post("/test", **operation(Permission.READ, *_FAILING))
async def test_service_health(name: str, outside: World, caller: Calls) -> shapes.HealthTest:
    """Ask every signal's source now; return what each gave and what that would do to a rollout."""
    service = readable_service(outside, caller, ServiceName(name)).name
    asked = await ask_signals(outside, service)
    return show_test(service_health(outside, caller, service, asked=asked.said), asked)


@router.get("/history", **operation(Permission.READ, *_FAILING))
def get_signal_history(name: str, outside: World, caller: Calls) -> shapes.SignalHistory:
    """Return what each signal would have done to the service's past rollouts. Takes seconds."""
    service = readable_service(outside, caller, ServiceName(name)).name
    return show_history(service, signal_history(outside, service))


def _supposed(written: str) -> tuple[str, Health]:
    node, sign, state = written.partition("=")
    if not sign or not node or state not in (one.value for one in Health):
        raise InvalidRequestError(
            f"what_if must be NODE=STATE, got {written[:100]!r}",
            hint=f"as in orders-db=unhealthy; a state is one of {', '.join(Health)}",
        )
    return node, Health(state)
