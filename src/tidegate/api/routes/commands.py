"""
What people tell a rollout: halt, resume, roll back, approve, abandon.

All of it runs in the loop and none of it waits for anything else: above all a halt doesn't queue behind
other requests. Each takes `{reason, at}` and an `Idempotency-Key`, and answers 202 with the rollout.
"""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from starlette.responses import Response

from tidegate.api.access import GuardedRoute, operation
from tidegate.api.idempotency import Call, Calling, once
from tidegate.api.shapes import rollout as shapes
from tidegate.api.showing.rollout import show_rollout
from tidegate.domain.access.permissions import Permission
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import (
    IllegalTransitionError,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    StateMovedError,
    StoreError,
    TrafficError,
    WorkloadError,
)
from tidegate.usecases.abandon import abandon_rollout
from tidegate.usecases.approve import approve_rollout
from tidegate.usecases.commands import At, check_at, find_rollout
from tidegate.usecases.halt import halt_rollout
from tidegate.usecases.resume import resume_rollout
from tidegate.usecases.roll_back import roll_back

router = APIRouter(prefix="/v1/rollouts/{rollout}", tags=["commands"], route_class=GuardedRoute)

COMMANDING = (NotFoundError, StateMovedError, IllegalTransitionError, StoreError)
NO_REASON = "no reason given"


@router.post(
    "/halt",
    status_code=202,
    response_model=shapes.Rollout,
    **operation(Permission.HALT, *COMMANDING),
)
async def halt(rollout: str, said: shapes.Command, call: Calling) -> Response:
    """
    Stop a rollout and withdraw its candidate, at once.

    `at` isn't compared: a stop is right wherever the rollout is by now.
    """

    async def act(found: Rollout) -> Rollout:
        return await halt_rollout(
            call.server.outside, found.id, actor=call.actor, reason=said.why or NO_REASON
        )

    return await _command(rollout, call, act)


@router.post(
    "/resume",
    status_code=202,
    response_model=shapes.Rollout,
    **operation(Permission.RESUME, *COMMANDING, InvalidRequestError),
)
async def resume(rollout: str, said: shapes.Command, call: Calling) -> Response:
    """Let a halted or undecided rollout go on; a halted one proves its phase again. Needs a reason."""

    async def act(found: Rollout) -> Rollout:
        return resume_rollout(
            call.server.outside, found.id, actor=call.actor, reason=said.why, at=_at(said)
        )

    return await _command(rollout, call, act)


@router.post(
    "/rollback",
    status_code=202,
    response_model=shapes.Rollout,
    **operation(Permission.ROLLBACK, *COMMANDING, RefusedError),
)
async def rollback(rollout: str, said: shapes.Command, call: Calling) -> Response:
    """
    Bring back what was served before.

    The answer is the rollout that does it: a new one when the named one has completed.
    """

    async def act(found: Rollout) -> Rollout:
        check_at(found, _at(said))
        return await roll_back(
            call.server.outside, found.id, actor=call.actor, reason=said.why or NO_REASON
        )

    return await _command(rollout, call, act)


@router.post(
    "/approve",
    status_code=202,
    response_model=shapes.Rollout,
    **operation(Permission.APPROVE, *COMMANDING, RefusedError),
)
async def approve(rollout: str, said: shapes.Command, call: Calling) -> Response:
    """Agree to the next phase. Bound to the phase, the attempt and the plan; lapses with a halt."""

    async def act(found: Rollout) -> Rollout:
        return approve_rollout(
            call.server.outside, found.id, actor=call.actor, comment=said.why, at=_at(said)
        )

    return await _command(rollout, call, act)


@router.post(
    "/abandon",
    status_code=202,
    response_model=shapes.Rollout,
    **operation(Permission.ABANDON, *COMMANDING, InvalidRequestError, WorkloadError, TrafficError),
)
async def abandon(rollout: str, said: shapes.Command, call: Calling) -> Response:
    """Give up a halted rollout for good. Needs a reason."""

    async def act(found: Rollout) -> Rollout:
        return await abandon_rollout(
            call.server.outside, found.id, actor=call.actor, reason=said.why, at=_at(said)
        )

    return await _command(rollout, call, act)


async def _command(name: str, call: Call, act: Callable[[Rollout], Awaitable[Rollout]]) -> Response:
    outside = call.server.outside

    async def done() -> shapes.Rollout:
        after = await act(find_rollout(outside, name))
        return show_rollout(after, now=outside.clock.now())

    return await once(call, 202, done)


def _at(said: shapes.Command) -> At | None:
    return None if said.at is None else At(phase=said.at.phase, revision=said.at.revision)
