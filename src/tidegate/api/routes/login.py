"""
Logging in from a program on a person's own machine, logging out, and sessions.

Beginning and finishing are open: they make somebody known and give them nothing. What was begun is kept
nowhere here; see `usecases.login`. Finishing answers no repetition from memory, as issuing a token.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from tidegate.api.access import Calls, GuardedRoute, known_by_bearer, operation
from tidegate.api.idempotency import Calling, once
from tidegate.api.shapes import login as shapes
from tidegate.api.showing.login import show_login, show_session
from tidegate.api.showing.tokens import show_known
from tidegate.api.state import World, server_of
from tidegate.api.tokens import login_seal
from tidegate.domain.access.permissions import Permission
from tidegate.errors import (
    IdentityProviderError,
    InvalidIdentityError,
    InvalidRequestError,
    NotAllowedError,
    NotFoundError,
    RefusedError,
    StoreError,
)
from tidegate.usecases.authenticate import Means
from tidegate.usecases.bus import perform
from tidegate.usecases.login import begin_login, finish_login, is_loopback_callback, log_out
from tidegate.usecases.session_commands import EndSession, list_sessions

router = APIRouter(tags=["login"], route_class=GuardedRoute)


@router.post(
    "/v1/login/begin",
    **operation(Permission.LOGIN, RefusedError, InvalidRequestError, IdentityProviderError),
)
async def begin(said: shapes.BeginLogin, request: Request) -> shapes.LoginBegun:
    """
    Return where a browser has to go to log in.

    It comes back to a program that waits on the person's own machine, and nowhere else.
    """
    server = server_of(request)
    if not is_loopback_callback(said.redirect_uri):
        raise InvalidRequestError(
            "a login comes back to the machine that began it and nowhere else",
            hint="send http://127.0.0.1:PORT/callback as redirect_uri",
        )
    begun = await begin_login(
        server.outside,
        seal=login_seal(server.token),
        redirect_uri=said.redirect_uri,
        challenge=said.challenge,
        again=said.again,
    )
    return shapes.LoginBegun(address=begun.address, state=begun.state)


@router.post(
    "/v1/login/finish",
    status_code=201,
    **operation(
        Permission.LOGIN, RefusedError, InvalidIdentityError, IdentityProviderError, StoreError
    ),
)
async def finish(said: shapes.FinishLogin, request: Request) -> shapes.LoginFinished:
    """
    Return a session for who came back. Its secret is told in this answer only.

    A session that the request comes with ends, when it is the same person's.
    """
    server = server_of(request)
    done = await finish_login(
        server.outside,
        seal=login_seal(server.token),
        state=said.state,
        code=said.code,
        verifier=said.verifier,
        replaces=_present_session(request),
    )
    return show_login(done)


@router.post("/v1/logout", **operation(Permission.LOGIN, NotAllowedError, RefusedError, StoreError))
async def logout(request: Request) -> shapes.LoggedOut:
    """
    End the session, or take back the token, that the request comes with.

    Whoever holds a secret may end it; nobody needs to be granted that.
    """
    known = known_by_bearer(request)
    if known is None:
        raise RefusedError(
            "the server's own token isn't a login that can end",
            hint="to replace it, remove `token` in the state folder and start the server again",
        )
    outside = server_of(request).outside
    log_out(outside, known)
    return shapes.LoggedOut(was=show_known(known, now=outside.clock.now()))


@router.get("/v1/sessions", **operation(Permission.READ, StoreError))
def get_sessions(
    outside: World,
    caller: Calls,
    all: Annotated[bool, Query(description="Also those of others; needs `token.issue`.")] = False,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> shapes.Sessions:
    """Return the caller's sessions that hold now, newest first."""
    found = list_sessions(outside, caller, of_all=all, limit=limit)
    return shapes.Sessions(
        sessions=[show_session(session) for session in found], as_of=outside.clock.now()
    )


@router.post(
    "/v1/sessions/{session}/end",
    response_model=shapes.Session,
    **operation(Permission.TOKEN_ISSUE, NotFoundError, StoreError),
)
async def end_one(
    session: Annotated[str, Path(max_length=64)], said: shapes.EndSession, call: Calling
) -> Response:
    """End somebody's session: the next request with it is refused."""

    async def done() -> shapes.Session:
        command = EndSession(session=session, reason=said.reason)
        return show_session(await perform(call.server.outside, call.caller, command))

    return await once(call, 200, done)


def _present_session(request: Request) -> str | None:
    """Return the id of the session that *request* comes with, None when it comes with none."""
    if "authorization" not in request.headers:
        return None
    try:
        known = known_by_bearer(request)
    except NotAllowedError:
        # One that has ended is no reason not to begin another.
        return None
    return known.id if known is not None and known.means is Means.SESSION else None
