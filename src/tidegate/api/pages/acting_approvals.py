"""
What the forms of the inbox are sent to beside those of one rollout: a yes to several that are identical, and
taking one's own word back.
"""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from tidegate.api.access import operation
from tidegate.api.pages.acting import Acting, Outcome
from tidegate.api.pages.guarding import ActingRoute
from tidegate.domain.access.permissions import Permission
from tidegate.errors import InvalidRequestError, TidegateError
from tidegate.usecases.approve import ApproveRollout, TakeBackWord, approved_phase
from tidegate.usecases.commands import At
from tidegate.usecases.identical import refuse_unless_identical, what_is_agreed_to
from tidegate.usecases.reading import find_rollout

CHOSEN: Final = "one-"
"""The beginning of a field's name for each rollout that was chosen; its value is the phase and revision."""

INBOX: Final = "/approvals"

router = APIRouter(include_in_schema=False, route_class=ActingRoute)


@router.post("/approvals/approve", **operation(Permission.APPROVE))
async def approve_identical(act: Acting) -> Response:
    """Agree to the same phase of the same change in several rollouts, to each as it was shown."""
    chosen = _chosen(act.fields)
    caller, outside = act.call.caller, act.call.server.outside
    found = [find_rollout(outside, caller, one) for one in chosen]
    asked = [(one, approved_phase(one)) for one in found]
    refuse_unless_identical(
        [what_is_agreed_to(one, index) for one, index in asked if index is not None]
    )

    async def done() -> Outcome:
        approved: list[str] = []
        refused: list[TidegateError] = []
        for rollout, at in chosen.items():
            try:
                command = ApproveRollout(rollout=rollout, comment=act.text("reason"), at=at)
                approved.append((await act.perform(command)).service)
            except TidegateError as exc:
                refused.append(exc)
        if not approved:
            raise refused[0]
        message = f"{len(approved)} of {len(chosen)} approved: {', '.join(approved)}"
        reasons = "; ".join(str(one) for one in refused)
        return Outcome(
            message=f"{message}; not the others: {reasons}" if reasons else message, location=INBOX
        )

    return await act.carry_out_all(done)


@router.post("/rollouts/{rollout}/take-back", **operation(Permission.APPROVE))
async def take_back(rollout: str, act: Acting) -> Response:
    """Take one's own approval or rejection back."""
    command = TakeBackWord(rollout=rollout, reason=act.text("reason"), at=act.at)
    return await act.carry_out(
        command,
        lambda after: Outcome(
            message=f"your word on {after.service} is taken back", location=INBOX
        ),
    )


def _chosen(fields: Mapping[str, str]) -> dict[str, At]:
    """Return the phase and revision that were shown, by rollout. Raises InvalidRequestError."""
    found: dict[str, At] = {}
    for name, value in fields.items():
        if not name.startswith(CHOSEN):
            continue
        phase, _, revision = value.partition("@")
        try:
            found[name.removeprefix(CHOSEN)] = At(phase=int(phase), revision=int(revision))
        except ValueError:
            raise InvalidRequestError(
                f"{value[:32]!r} says no phase and revision",
                hint="reload the page and send it again",
            ) from None
    return found
