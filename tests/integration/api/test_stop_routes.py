"""A stop waits for no thread: nothing on its way through the API is handed to one."""

import inspect
from collections.abc import Iterator

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from tidegate.api.access import PERMISSION
from tidegate.api.admission import STOPS
from tidegate.api.app import ROUTERS

STOPPING = [
    route
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    and (route.openapi_extra or {}).get(PERMISSION) in {permission.value for permission in STOPS}
]


def calls(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for other in dependant.dependencies:
        yield from calls(other)


def test_the_stops_are_found() -> None:
    """Halting, stop orders, alarms and hooks, by the API and by a page's form."""
    assert {route.path for route in STOPPING} >= {
        "/v1/rollouts/{rollout}/halt",
        "/v1/stops",
        "/v1/alarms",
        "/hooks/{name}/alarms",
        "/rollouts/{rollout}/halt",
        "/stops",
        "/services/{service}/stop",
    }


@pytest.mark.parametrize("route", STOPPING, ids=lambda route: route.path)
def test_nothing_of_a_stop_runs_in_a_worker_thread(route: APIRoute) -> None:
    """Plain functions would stand in line for a thread behind everything that is being read."""
    plain = [call for call in calls(route.dependant) if not inspect.iscoroutinefunction(call)]

    assert plain == []
