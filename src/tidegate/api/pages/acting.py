"""
What the forms of the pages are sent to: the commands of the API, on the same bus, asked for by people.

A form says `reason`, the `phase` and `revision` that its page showed, and a `key` of its own, so that
pressed twice it acts once. A script gets a document, a form without one is led on to a page. Whoever adds
a form adds its route here and names the command's permission.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import RedirectResponse, Response

from tidegate.api.access import caller_of, operation
from tidegate.api.idempotency import Call, call_of, once
from tidegate.api.pages.guarding import ActingRoute, is_by_script
from tidegate.api.pages.onlooker import FORM_SEAL
from tidegate.api.shapes.base import Shape
from tidegate.domain.access.permissions import Permission
from tidegate.domain.rollout.model import Rollout
from tidegate.domain.stops.model import StopScope
from tidegate.errors import InvalidRequestError
from tidegate.usecases.approve import ApproveRollout, RejectRollout
from tidegate.usecases.bus import Command, perform
from tidegate.usecases.commands import At
from tidegate.usecases.rollout_commands import (
    AbandonRollout,
    HaltRollout,
    ResumeRollout,
    RollBackRollout,
)
from tidegate.usecases.stop_commands import GiveStopOrder, LiftStopOrder
from tidegate.usecases.stops import LATEST_NUMBER

MOST_CHARACTERS: Final = 2_000

Answer = TypeVar("Answer")


class Outcome(Shape):
    """What a page says after it acted, and where to look now."""

    message: str
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One form that was sent, by somebody who is known."""

    call: Call
    fields: Mapping[str, str]
    by_script: bool

    def text(self, name: str) -> str:
        """Return what was written into a field; empty where it is missing."""
        return self.fields.get(name, "").strip()[:MOST_CHARACTERS]

    @property
    def at(self) -> At | None:
        """The phase and revision that the page showed. Raises InvalidRequestError for no numbers."""
        if not self.text("revision"):
            return None
        try:
            return At(phase=int(self.text("phase")), revision=int(self.text("revision")))
        except ValueError:
            raise InvalidRequestError(
                "the form says no phase and revision", hint="reload the page and send it again"
            ) from None

    async def carry_out(
        self, command: Command[Answer], tell: Callable[[Answer], Outcome]
    ) -> Response:
        """
        Carry *command* out once, and answer with what *tell* says of it.

        Raises:
            TidegateError: what the command raises.
        """

        async def done() -> Outcome:
            return tell(await self.perform(command))

        return await self.carry_out_all(done)

    async def perform(self, command: Command[Answer]) -> Answer:
        """Carry *command* out, as part of what `carry_out_all` does. Raises what the command raises."""
        return await perform(self.call.server.outside, self.call.caller, command)

    async def carry_out_all(self, done: Callable[[], Awaitable[Outcome]]) -> Response:
        """Do what *done* does once, and answer with what it says. Raises what it raises."""
        answer = await once(self.call, 200, done)
        if self.by_script:
            return answer
        location: str = json.loads(bytes(answer.body))["location"]
        return RedirectResponse(location, status_code=303)


async def _act_of(request: Request) -> Act:
    fields: Mapping[str, str] = request.state.fields
    # The seal differs on each page; what is asked doesn't.
    asked = sorted((name, said) for name, said in fields.items() if name != FORM_SEAL)
    call = await call_of(request, await caller_of(request), fields.get("key") or None)
    digest = hashlib.sha256(f"{request.url.path} {call.caller.name} {urlencode(asked)}".encode())
    return Act(
        call=replace(call, digest=f"sha256:{digest.hexdigest()}"),
        fields=fields,
        by_script=is_by_script(request),
    )


Acting = Annotated[Act, Depends(_act_of)]
"""The form that was sent."""

router = APIRouter(include_in_schema=False, route_class=ActingRoute)


@router.post("/rollouts/{rollout}/halt", **operation(Permission.HALT))
async def halt(rollout: str, act: Acting) -> Response:
    """Stop a rollout."""
    return await _on_rollout(act, HaltRollout(rollout=rollout, reason=act.text("reason")), "halted")


@router.post("/rollouts/{rollout}/rollback", **operation(Permission.ROLLBACK))
async def roll_back(rollout: str, act: Acting) -> Response:
    """Bring back what was served before."""
    command = RollBackRollout(rollout=rollout, reason=act.text("reason"), at=act.at)
    return await _on_rollout(act, command, "goes back")


@router.post("/rollouts/{rollout}/resume", **operation(Permission.RESUME))
async def resume(rollout: str, act: Acting) -> Response:
    """Let a stopped rollout go on."""
    command = ResumeRollout(rollout=rollout, reason=act.text("reason"), at=act.at)
    return await _on_rollout(act, command, "goes on")


@router.post("/rollouts/{rollout}/approve", **operation(Permission.APPROVE))
async def approve(rollout: str, act: Acting) -> Response:
    """Agree to the next phase."""
    command = ApproveRollout(rollout=rollout, comment=act.text("reason"), at=act.at)
    return await _on_rollout(act, command, "approved")


@router.post("/rollouts/{rollout}/reject", **operation(Permission.APPROVE))
async def reject(rollout: str, act: Acting) -> Response:
    """Say no to the next phase."""
    command = RejectRollout(rollout=rollout, comment=act.text("reason"), at=act.at)
    return await _on_rollout(act, command, "rejected")


@router.post("/rollouts/{rollout}/abandon", **operation(Permission.ABANDON))
async def abandon(rollout: str, act: Acting) -> Response:
    """Give up a halted rollout."""
    command = AbandonRollout(rollout=rollout, reason=act.text("reason"), at=act.at)
    return await _on_rollout(act, command, "given up")


@router.post("/stops", **operation(Permission.HALT))
async def give_stop_order(act: Acting) -> Response:
    """Stop a service, a ring or everything."""
    order = GiveStopOrder(
        scope=_scope(act.text("scope")),
        name=act.text("name"),
        withdraw=act.text("withdraw") == "yes",
        reason=act.text("reason"),
    )
    return await act.carry_out(
        order,
        lambda given: Outcome(
            message=f"stop order {given.order.number} is in force and stops"
            f" {len(given.covered)} rollouts",
            location="/emergency",
        ),
    )


@router.post("/stops/{number}/lift", **operation(Permission.RESUME))
async def lift_stop_order(
    number: Annotated[int, Path(ge=1, le=LATEST_NUMBER)], act: Acting
) -> Response:
    """Say that a stop order may end."""
    lift = LiftStopOrder(number=number, reason=act.text("reason"))
    return await act.carry_out(
        lift,
        lambda lifted: Outcome(
            message=f"stop order {lifted.order.number} is lifted"
            if lifted.order.lifted_at
            else f"stop order {lifted.order.number} needs one more person",
            location="/emergency",
        ),
    )


async def _on_rollout(act: Act, command: Command[Rollout], done: str) -> Response:
    return await act.carry_out(
        command,
        lambda after: Outcome(message=f"{after.service} {done}", location=f"/rollouts/{after.id}"),
    )


def _scope(given: str) -> StopScope:
    try:
        return StopScope(given)
    except ValueError:
        raise InvalidRequestError(
            f"no scope {given[:32]!r}",
            hint=f"choose one of: {', '.join(scope.value for scope in StopScope)}",
        ) from None
