"""
Recordings of rollouts, for simulations elsewhere.

A simulation itself isn't offered here: it takes minutes of a core, which the watch and the halts of this
process need.
"""

from fastapi import APIRouter

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.shapes import recording as shapes
from tidegate.api.showing.recording import show_recording
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.errors import NotFoundError, StoreError
from tidegate.usecases.reading import find_rollout
from tidegate.usecases.simulation.recorded import record_rollout

router = APIRouter(prefix="/v1/rollouts", tags=["rollouts"], route_class=GuardedRoute)


@router.get("/{rollout}/recording", **operation(Permission.READ, NotFoundError, StoreError))
def get_recording(rollout: str, outside: World, caller: Calls) -> shapes.Recording:
    """Return what the signals of a rollout counted, added up to periods of five minutes."""
    return show_recording(record_rollout(outside, find_rollout(outside, caller, rollout).id))
