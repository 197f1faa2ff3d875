"""
Rollouts: starting one, and looking at them.

Reads are plain functions, so that they run in worker threads: a long one delays no halt. What starts
something runs in the loop, because waking the runner belongs there.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.idempotency import Calling, once
from tidegate.api.routes.known import PROPOSING, resolved_service
from tidegate.api.shapes import evidence as evidence_shapes
from tidegate.api.shapes import ledger as ledger_shapes
from tidegate.api.shapes import rollout as shapes
from tidegate.api.showing.gates import show_gates
from tidegate.api.showing.ledger import show_entry
from tidegate.api.showing.look import look_at, show_meter, show_now, show_record
from tidegate.api.showing.rollout import show_rollout
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.machine import State
from tidegate.errors import ActiveRolloutError, NotFoundError, StoreError
from tidegate.usecases.audience import people_met
from tidegate.usecases.bus import perform
from tidegate.usecases.explain import explain
from tidegate.usecases.reading import find_rollout, readable_rollouts
from tidegate.usecases.rollout_commands import StartRollout

router = APIRouter(prefix="/v1/rollouts", tags=["rollouts"], route_class=GuardedRoute)

MOST_LISTED: Final = 500
MOST_SEARCHED: Final = 5000
"""How many of the newest rollouts a filter by state looks through."""

READING: Final = (NotFoundError, StoreError)


@router.post(
    "",
    status_code=201,
    response_model=shapes.Rollout,
    **operation(Permission.START, *PROPOSING, ActiveRolloutError),
)
async def start(asked: shapes.StartRollout, call: Calling) -> Response:
    """Start a rollout: it is recorded and waits; what follows is the engine's."""
    outside = call.server.outside

    async def begin() -> shapes.Rollout:
        resolved = resolved_service(outside, call.caller, asked.service)
        start = StartRollout(
            resolved=resolved,
            versions=asked.change,
            expected_plan_hash=asked.plan_hash,
            emergency=asked.emergency,
        )
        rollout = await perform(outside, call.caller, start)
        return show_rollout(rollout, now=outside.clock.now())

    return await once(call, 201, begin)


@router.get("", **operation(Permission.READ, StoreError))
def list_rollouts(
    outside: World,
    caller: Calls,
    service: Annotated[str | None, Query(max_length=200)] = None,
    state: Annotated[list[State] | None, Query(description="One or more states.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 100,
) -> shapes.Rollouts:
    """Return rollouts that you may read, newest first; what is filtered is the newest 5,000."""
    found = readable_rollouts(
        outside,
        caller,
        service=None if service is None else ServiceName(service),
        searched=limit if state is None and caller.is_root else MOST_SEARCHED,
        fits=lambda rollout: state is None or rollout.state in state,
        limit=limit,
    )
    now = outside.clock.now()
    return shapes.Rollouts(rollouts=[show_rollout(one, now=now) for one in found])


@router.get("/{rollout}", **operation(Permission.READ, *READING))
async def get_rollout(
    rollout: str,
    outside: World,
    caller: Calls,
    observe: Annotated[bool, Query(description="Ask the targets what they serve now.")] = False,
) -> shapes.Rollout:
    """Return one rollout, by its id, the beginning of it, or a service's name (its latest)."""
    look = look_at(outside, find_rollout(outside, caller, rollout))
    return await show_now(outside, look) if observe else show_record(outside, look)


@router.get("/{rollout}/evidence", **operation(Permission.READ, *READING))
async def get_evidence(
    rollout: str,
    outside: World,
    caller: Calls,
    since: Annotated[
        AwareDatetime | None,
        Query(description="Add the points for charts that are later than this."),
    ] = None,
) -> evidence_shapes.Evidence:
    """Return the evidence meter: what the signals have shown, what it excludes, what is still needed."""
    look = look_at(outside, find_rollout(outside, caller, rollout))
    people = await people_met(outside, look.rollout)
    return await run_in_threadpool(show_meter, outside, look, people, since)


@router.get("/{rollout}/why", **operation(Permission.READ, *READING))
async def why(rollout: str, outside: World, caller: Calls) -> ledger_shapes.Why:
    """Return why a rollout is where it is, what it waits for now, and on what evidence."""
    found = find_rollout(outside, caller, rollout)
    explanation = await run_in_threadpool(explain, outside, found.id)
    look = look_at(outside, found)
    brought, last = explanation.brought_here_by, explanation.last_decision
    people = await people_met(outside, look.rollout)
    return ledger_shapes.Why(
        rollout=await show_now(outside, look),
        brought_here_by=None if brought is None else show_entry(brought),
        last_decision=None if last is None else show_entry(last),
        evidence=await run_in_threadpool(show_meter, outside, look, people, None),
        gates=show_gates(outside, look.rollout).gates,
    )


@router.get("/{rollout}/ledger", **operation(Permission.READ, *READING))
def get_ledger(
    rollout: str,
    outside: World,
    caller: Calls,
    after: Annotated[int, Query(ge=0, le=2**53, description="Only later numbers.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> ledger_shapes.Entries:
    """Return a rollout's decisions and commands, oldest first."""
    found = find_rollout(outside, caller, rollout)
    with outside.store.begin(read_only=True) as transaction:
        entries = transaction.ledger(rollout_id=found.id, after=after, limit=limit)
    return ledger_shapes.Entries(entries=[show_entry(entry) for entry in entries])
