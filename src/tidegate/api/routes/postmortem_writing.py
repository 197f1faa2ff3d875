"""
Writing into a postmortem: contributing factors, and actions with an owner and a day.

Whoever changes, marks or removes something says which version of it they saw. When somebody was quicker it
is refused (`state.moved`) and nothing is lost. What was removed stays in the ledger.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tidegate.api.access import GuardedRoute, operation
from tidegate.api.idempotency import Call, Calling, once
from tidegate.api.shapes import postmortem as shapes
from tidegate.api.showing.postmortem import show_action, show_factor
from tidegate.domain.access.permissions import Permission
from tidegate.domain.review.blameless import Names
from tidegate.domain.review.written import Action, Changed, Factor
from tidegate.errors import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    StateMovedError,
    StoreError,
)
from tidegate.usecases.bus import Command, perform
from tidegate.usecases.postmortem_commands import (
    AddAction,
    AddFactor,
    ChangeAction,
    ChangeFactor,
    MarkAction,
    RemoveAction,
    RemoveFactor,
)
from tidegate.usecases.postmortem_records import names_in
from tidegate.usecases.reading import find_rollout

router = APIRouter(
    prefix="/v1/rollouts/{rollout}/postmortem", tags=["rollouts"], route_class=GuardedRoute
)

ItemId = Annotated[str, Path(max_length=40)]


def _writing() -> dict[str, Any]:
    return operation(
        Permission.POSTMORTEM_EDIT,
        ForbiddenError,
        InvalidRequestError,
        NotFoundError,
        RefusedError,
        StateMovedError,
        StoreError,
    )


@router.post("/factors", status_code=201, response_model=shapes.Factor, **_writing())
async def add_one_factor(rollout: str, said: shapes.AddFactor, call: Calling) -> Response:
    """Say what contributed. Wordings that blame are found, not refused."""
    command = AddFactor(rollout=rollout, text=said.text, suggestion=said.suggestion)
    return await _factor(call, 201, rollout, command)


@router.post("/factors/{factor}/change", response_model=shapes.Factor, **_writing())
async def change_one_factor(
    rollout: str, factor: ItemId, said: shapes.ChangeFactor, call: Calling
) -> Response:
    """Say it otherwise, unless somebody changed it since it was seen."""
    command = ChangeFactor(rollout=rollout, factor=factor, version=said.version, text=said.text)
    return await _factor(call, 200, rollout, command)


@router.post("/factors/{factor}/remove", response_model=shapes.Factor, **_writing())
async def remove_one_factor(
    rollout: str, factor: ItemId, said: shapes.SeenVersion, call: Calling
) -> Response:
    """Take one out that is none; the answer is what it was."""
    command = RemoveFactor(rollout=rollout, factor=factor, version=said.version)
    return await _factor(call, 200, rollout, command)


@router.post("/actions", status_code=201, response_model=shapes.Action, **_writing())
async def add_one_action(rollout: str, said: shapes.AddAction, call: Calling) -> Response:
    """Say what shall be done about it, by whom and until when."""
    command = AddAction(
        rollout=rollout,
        text=said.text,
        owner=said.owner,
        due=said.due,
        suggestion=said.suggestion,
    )
    return await _action(call, 201, rollout, command)


@router.post("/actions/{action}/change", response_model=shapes.Action, **_writing())
async def change_one_action(
    rollout: str, action: ItemId, said: shapes.ChangeAction, call: Calling
) -> Response:
    """Change what shall be done, by whom or until when, unless somebody changed it since it was seen."""
    command = ChangeAction(
        rollout=rollout,
        action=action,
        version=said.version,
        text=said.text,
        owner=said.owner,
        due=said.due,
    )
    return await _action(call, 200, rollout, command)


@router.post("/actions/{action}/done", response_model=shapes.Action, **_writing())
async def finish_one_action(
    rollout: str, action: ItemId, said: shapes.SeenVersion, call: Calling
) -> Response:
    """Say that an action is done."""
    command = MarkAction(rollout=rollout, action=action, version=said.version, is_done=True)
    return await _action(call, 200, rollout, command)


@router.post("/actions/{action}/reopen", response_model=shapes.Action, **_writing())
async def reopen_one_action(
    rollout: str, action: ItemId, said: shapes.SeenVersion, call: Calling
) -> Response:
    """Say that an action isn't done after all."""
    command = MarkAction(rollout=rollout, action=action, version=said.version, is_done=False)
    return await _action(call, 200, rollout, command)


@router.post("/actions/{action}/remove", response_model=shapes.Action, **_writing())
async def remove_one_action(
    rollout: str, action: ItemId, said: shapes.SeenVersion, call: Calling
) -> Response:
    """Take one out that nobody shall do; the answer is what it was."""
    command = RemoveAction(rollout=rollout, action=action, version=said.version)
    return await _action(call, 200, rollout, command)


async def _factor(
    call: Call, status: int, rollout: str, command: Command[Changed[Factor]]
) -> Response:
    outside = call.server.outside

    async def done() -> shapes.Factor:
        # First: what can't be shown afterwards would look as if it hadn't been written.
        names = await run_in_threadpool(_names, call, rollout)
        return show_factor((await perform(outside, call.caller, command)).item, names)

    return await once(call, status, done)


async def _action(
    call: Call, status: int, rollout: str, command: Command[Changed[Action]]
) -> Response:
    outside = call.server.outside

    async def done() -> shapes.Action:
        names = await run_in_threadpool(_names, call, rollout)
        changed = await perform(outside, call.caller, command)
        return show_action(changed.item, names, now=outside.clock.now())

    return await once(call, status, done)


def _names(call: Call, rollout: str) -> Names:
    outside = call.server.outside
    return names_in(outside, find_rollout(outside, call.caller, rollout))
