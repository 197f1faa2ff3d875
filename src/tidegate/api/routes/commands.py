"""
What people tell a rollout: halt, resume, roll back, approve, reject, abandon.

All of it runs in the loop and none of it waits for anything else: above all a halt doesn't queue behind
other requests. Each takes `{reason, at}` and an `Idempotency-Key`, and answers 202 with the rollout.
"""

from fastapi import APIRouter
from starlette.responses import Response

from tidegate.api.access import GuardedRoute, operation
from tidegate.api.idempotency import Call, Calling, once
from tidegate.api.shapes import rollout as shapes
from tidegate.api.showing.rollout import show_rollout
from tidegate.domain.access.permissions import Permission
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import (
    ForbiddenError,
    IllegalTransitionError,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    StateMovedError,
    StoreError,
    TrafficError,
    WorkloadError,
)
from tidegate.usecases.approve import ApproveRollout, RejectRollout, TakeBackWord
from tidegate.usecases.bus import Command, perform
from tidegate.usecases.commands import At
from tidegate.usecases.rollout_commands import (
    AbandonRollout,
    HaltRollout,
    ResumeRollout,
    RollBackRollout,
)

router = APIRouter(prefix="/v1/rollouts/{rollout}", tags=["commands"], route_class=GuardedRoute)

COMMANDING = (ForbiddenError, NotFoundError, StateMovedError, IllegalTransitionError, StoreError)


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
    return await _command(call, HaltRollout(rollout=rollout, reason=said.why))


@router.post(
    "/resume",
    status_code=202,
    response_model=shapes.Rollout,
    **operation(Permission.RESUME, *COMMANDING, InvalidRequestError),
)
async def resume(rollout: str, said: shapes.Command, call: Calling) -> Response:
    """Let a halted or undecided rollout go on; a halted one proves its phase again. Needs a reason."""
    return await _command(call, ResumeRollout(rollout=rollout, reason=said.why, at=_at(said)))


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
    return await _command(call, RollBackRollout(rollout=rollout, reason=said.why, at=_at(said)))


@router.post(
    "/approve",
    status_code=202,
    response_model=shapes.Rollout,
    **operation(Permission.APPROVE, *COMMANDING, RefusedError),
)
async def approve(rollout: str, said: shapes.Command, call: Calling) -> Response:
    """
    Agree to the next phase. Nobody approves their own change.

    Bound to the phase, the attempt, the plan, the artifact, the targets, the policy and the evidence that
    was seen; lapses when any of them moves, after its time, and with a halt.
    """
    return await _command(call, ApproveRollout(rollout=rollout, comment=said.why, at=_at(said)))


@router.post(
    "/reject",
    status_code=202,
    response_model=shapes.Rollout,
    **operation(Permission.APPROVE, *COMMANDING, RefusedError, InvalidRequestError),
)
async def reject(rollout: str, said: shapes.Command, call: Calling) -> Response:
    """Say no to the next phase: it doesn't begin as long as the no stands. Needs a comment."""
    return await _command(call, RejectRollout(rollout=rollout, comment=said.why, at=_at(said)))


@router.post(
    "/take-back",
    status_code=202,
    response_model=shapes.Rollout,
    **operation(Permission.APPROVE, *COMMANDING, RefusedError, InvalidRequestError),
)
async def take_back(rollout: str, said: shapes.Command, call: Calling) -> Response:
    """Take back one's own approval or rejection of the next phase. Needs a reason."""
    return await _command(call, TakeBackWord(rollout=rollout, reason=said.why, at=_at(said)))


@router.post(
    "/abandon",
    status_code=202,
    response_model=shapes.Rollout,
    **operation(Permission.ABANDON, *COMMANDING, InvalidRequestError, WorkloadError, TrafficError),
)
async def abandon(rollout: str, said: shapes.Command, call: Calling) -> Response:
    """Give up a halted rollout for good. Needs a reason."""
    return await _command(call, AbandonRollout(rollout=rollout, reason=said.why, at=_at(said)))


async def _command(call: Call, command: Command[Rollout]) -> Response:
    outside = call.server.outside

    async def done() -> shapes.Rollout:
        after = await perform(outside, call.caller, command)
        return show_rollout(after, now=outside.clock.now())

    return await once(call, 202, done)


def _at(said: shapes.Command) -> At | None:
    return None if said.at is None else At(phase=said.at.phase, revision=said.at.revision)
