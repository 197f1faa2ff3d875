"""
Tokens: issuing, listing and revoking them; and who the caller is.

Issuing answers no repetition from memory: an answer that is kept would be a secret that is kept.
"""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from tidegate.api.access import Calls, GuardedRoute, Knows, operation
from tidegate.api.idempotency import Calling, once
from tidegate.api.shapes import tokens as shapes
from tidegate.api.showing.tokens import show_issued, show_known, show_token
from tidegate.api.state import World
from tidegate.domain.access.model import CallerKind
from tidegate.domain.access.permissions import Permission
from tidegate.errors import NotFoundError, RefusedError, StoreError
from tidegate.usecases.bus import perform
from tidegate.usecases.token_commands import IssueToken, RevokeToken, list_tokens

router = APIRouter(tags=["tokens"], route_class=GuardedRoute)


@router.get("/v1/whoami", **operation(Permission.READ))
def whoami(outside: World, known: Knows) -> shapes.Whoami:
    """Return who the caller is to the server, by what they are known, and until when."""
    return show_known(known, now=outside.clock.now())


@router.get("/v1/tokens", **operation(Permission.READ, StoreError))
def get_tokens(
    outside: World,
    caller: Calls,
    all: Annotated[bool, Query(description="Also those of others; needs `token.issue`.")] = False,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> shapes.Tokens:
    """Return the caller's tokens and those of their programs, newest first."""
    found = list_tokens(outside, caller, of_all=all, limit=limit)
    return shapes.Tokens(tokens=[show_token(token) for token in found], as_of=outside.clock.now())


@router.post(
    "/v1/tokens",
    status_code=201,
    **operation(Permission.TOKEN_ISSUE, RefusedError, StoreError),
)
async def issue_one(said: shapes.IssueToken, outside: World, caller: Calls) -> shapes.TokenIssued:
    """
    Issue a token to the caller or to a program of theirs. Its secret is told in this answer only.

    It allows no more than its issuer's own token does, and gives nothing that its holder isn't granted.
    """
    issue = IssueToken(
        purpose=said.purpose,
        granted=tuple(said.allows),
        holder=said.holder,
        kind=CallerKind(said.kind),
        owner=said.owner,
        organisation=said.organisation,
        valid_for=timedelta(days=said.valid_days),
    )
    return show_issued(await perform(outside, caller, issue))


@router.post(
    "/v1/tokens/{token}/revoke",
    response_model=shapes.Token,
    **operation(Permission.TOKEN_ISSUE, NotFoundError, StoreError),
)
async def revoke_one(
    token: Annotated[str, Path(max_length=64)], said: shapes.RevokeToken, call: Calling
) -> Response:
    """Take a token back: the next request with it is refused."""

    async def done() -> shapes.Token:
        command = RevokeToken(token=token, reason=said.reason)
        return show_token(await perform(call.server.outside, call.caller, command))

    return await once(call, 200, done)
