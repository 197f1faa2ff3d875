"""What the forms of the administration are sent to: tokens taken back, sessions ended, gates asked."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from tidegate.api.access import operation
from tidegate.api.pages.acting import Acting, Outcome
from tidegate.api.pages.guarding import ActingRoute
from tidegate.domain.access.permissions import Permission
from tidegate.usecases.gate_commands import CheckGates
from tidegate.usecases.session_commands import EndSession
from tidegate.usecases.token_commands import RevokeToken

router = APIRouter(prefix="/admin", include_in_schema=False, route_class=ActingRoute)

Id = Annotated[str, Path(max_length=64)]


@router.post("/tokens/{token}/revoke", **operation(Permission.TOKEN_ISSUE))
async def revoke_token(token: Id, act: Acting) -> Response:
    """Take a token back."""
    return await act.carry_out(
        RevokeToken(token=token, reason=act.text("reason")),
        lambda revoked: Outcome(
            message=f"token {revoked.id} of {revoked.identity.name} opens nothing any more",
            location="/admin/tokens",
        ),
    )


@router.post("/sessions/{session}/end", **operation(Permission.TOKEN_ISSUE))
async def end_session(session: Id, act: Acting) -> Response:
    """End somebody's session."""
    return await act.carry_out(
        EndSession(session=session, reason=act.text("reason")),
        lambda ended: Outcome(
            message=f"the session of {ended.identity.name} is ended", location="/admin/tokens"
        ),
    )


@router.post("/gates/{rollout}/check", **operation(Permission.SUBMIT_EVIDENCE))
async def check_gates(rollout: Id, act: Acting) -> Response:
    """Ask the gates of a rollout again now."""
    return await act.carry_out(
        CheckGates(rollout=rollout),
        lambda found: Outcome(
            message=f"the gates of {found.service} are asked again", location="/admin/gates"
        ),
    )
