"""
What the forms of a postmortem are sent to: contributing factors, and actions with owner and day.

Rule: nothing that somebody typed is lost by a refusal. It is kept and shown again, with what is there now,
to be sent once more or left. A script stays on the page, but for what was changed or removed meanwhile.
"""

from collections.abc import Callable
from datetime import date
from typing import Final, TypeVar

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from tidegate.api.access import operation
from tidegate.api.pages.acting import Act, Acting, Outcome
from tidegate.api.pages.guarding import ActingRoute
from tidegate.api.pages.kept_forms import kept_form
from tidegate.api.problems import problem_of, problem_response
from tidegate.domain.access.permissions import Permission
from tidegate.domain.review.written import Changed, Factor, Verb
from tidegate.errors import InvalidRequestError, NotFoundError, StateMovedError
from tidegate.usecases.bus import Command
from tidegate.usecases.postmortem_commands import (
    AddAction,
    AddFactor,
    ChangeAction,
    ChangeFactor,
    MarkAction,
    RemoveAction,
    RemoveFactor,
)
from tidegate.usecases.reading import find_rollout

Item = TypeVar("Item", bound=Factor)

_DONE: Final = {
    Verb.ADD_FACTOR: "is added",
    Verb.CHANGE_FACTOR: "is changed",
    Verb.REMOVE_FACTOR: "is removed; the ledger has what it said",
    Verb.ADD_ACTION: "is added",
    Verb.CHANGE_ACTION: "is changed",
    Verb.FINISH_ACTION: "is done",
    Verb.REOPEN_ACTION: "is open again",
    Verb.REMOVE_ACTION: "is removed; the ledger has what it said",
}

MOST_DIGITS: Final = 9
"""Of a version: nobody changes a text a thousand million times."""

router = APIRouter(
    prefix="/postmortems/{rollout}", include_in_schema=False, route_class=ActingRoute
)


@router.post("/factors", **operation(Permission.POSTMORTEM_EDIT))
async def add_factor(rollout: str, act: Acting) -> Response:
    """Say what contributed, or take over what the draft suggests."""

    def command() -> AddFactor:
        return AddFactor(
            rollout=rollout, text=_typed(act, "text"), suggestion=act.text("suggestion")
        )

    return await _write(act, rollout, command, is_action=False)


@router.post("/factors/{factor}/change", **operation(Permission.POSTMORTEM_EDIT))
async def change_factor(rollout: str, factor: str, act: Acting) -> Response:
    """Say it otherwise."""

    def command() -> ChangeFactor:
        return ChangeFactor(
            rollout=rollout, factor=factor, version=_version(act), text=_typed(act, "text")
        )

    return await _write(act, rollout, command, is_action=False, item=factor)


@router.post("/factors/{factor}/remove", **operation(Permission.POSTMORTEM_EDIT))
async def remove_factor(rollout: str, factor: str, act: Acting) -> Response:
    """Take one out."""
    command = RemoveFactor(rollout=rollout, factor=factor, version=_version(act))
    return await _press(act, command)


@router.post("/actions", **operation(Permission.POSTMORTEM_EDIT))
async def add_action(rollout: str, act: Acting) -> Response:
    """Say what shall be done, or take over what the draft suggests."""

    def command() -> AddAction:
        return AddAction(
            rollout=rollout,
            text=_typed(act, "text"),
            owner=_typed(act, "owner"),
            due=_due(act),
            suggestion=act.text("suggestion"),
        )

    return await _write(act, rollout, command, is_action=True)


@router.post("/actions/{action}/change", **operation(Permission.POSTMORTEM_EDIT))
async def change_action(rollout: str, action: str, act: Acting) -> Response:
    """Change what shall be done, by whom or until when."""

    def command() -> ChangeAction:
        return ChangeAction(
            rollout=rollout,
            action=action,
            version=_version(act),
            text=_typed(act, "text"),
            owner=_typed(act, "owner"),
            due=_due(act),
        )

    return await _write(act, rollout, command, is_action=True, item=action)


@router.post("/actions/{action}/done", **operation(Permission.POSTMORTEM_EDIT))
async def finish_action(rollout: str, action: str, act: Acting) -> Response:
    """Say that it is done."""
    command = MarkAction(rollout=rollout, action=action, version=_version(act), is_done=True)
    return await _press(act, command)


@router.post("/actions/{action}/reopen", **operation(Permission.POSTMORTEM_EDIT))
async def reopen_action(rollout: str, action: str, act: Acting) -> Response:
    """Say that it isn't done after all."""
    command = MarkAction(rollout=rollout, action=action, version=_version(act), is_done=False)
    return await _press(act, command)


@router.post("/actions/{action}/remove", **operation(Permission.POSTMORTEM_EDIT))
async def remove_action(rollout: str, action: str, act: Acting) -> Response:
    """Take one out."""
    command = RemoveAction(rollout=rollout, action=action, version=_version(act))
    return await _press(act, command)


async def _press(act: Act, command: Command[Changed[Item]]) -> Response:
    """Carry out what nothing is typed for. Raises what it raises."""

    def tell(changed: Changed[Item]) -> Outcome:
        return Outcome(
            message=f"{changed.item.id} {_DONE[changed.verb]}",
            location=f"/postmortems/{changed.review.rollout_id}#review",
        )

    return await act.carry_out(command, tell)


async def _write(
    act: Act,
    rollout: str,
    make: Callable[[], Command[Changed[Item]]],
    *,
    is_action: bool,
    item: str = "",
) -> Response:
    """Carry out what something was typed for; keep that when it is refused."""
    found = find_rollout(act.call.server.outside, act.call.caller, rollout)
    try:
        return await _press(act, make())
    except (InvalidRequestError, StateMovedError, NotFoundError) as exc:
        if act.by_script and isinstance(exc, InvalidRequestError):
            # What was typed still stands in the form, with the refusal below it.
            raise
        kept = kept_form(act.fields, exc, is_action=is_action, item=item)
        digest = act.call.server.texts.keep(act.call.caller.organisation, kept.written())
        address = f"/postmortems/{found.id}?kept={digest}#kept"
        if act.by_script:
            return problem_response(problem_of(exc), {"location": address})
        return RedirectResponse(address, status_code=303)


def _typed(act: Act, name: str) -> str:
    """Return all that was typed: the command says what is too much, and nothing is cut off before."""
    return act.fields.get(name, "")


def _version(act: Act) -> int:
    written = act.text("version")
    if not (written.isascii() and written.isdigit() and len(written) <= MOST_DIGITS):
        raise InvalidRequestError(
            "the form says no version", hint="reload the page and send it again"
        )
    return int(written)


def _due(act: Act) -> date:
    written = act.text("due")
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise InvalidRequestError(
            f"due must be a day, got {written[:40]!r}", hint="as 2030-12-20"
        ) from None
