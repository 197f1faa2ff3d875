"""
Logging in with a browser: to the provider, and back with a session in a cookie.

The cookies have the prefix `__Host-`: sent to this host alone, over TLS or loopback alone, read by no
script (RFC 6265bis). `Lax`, so that the browser sends them when it comes back from the provider; the API
takes no cookie at all, so none can act in somebody's name. What a login needs until it is back is in a
cookie too, so that a login which somebody else began can't be finished here.
"""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from tidegate.api.access import GuardedRoute, operation
from tidegate.api.pages.cookies import LOGIN_COOKIE, SESSION_COOKIE
from tidegate.api.state import server_of
from tidegate.api.tokens import login_seal
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.sessions import LONGEST_SESSION
from tidegate.errors import (
    IdentityProviderError,
    InvalidIdentityError,
    InvalidRequestError,
    RefusedError,
    StoreError,
)
from tidegate.ports.identity import challenge_of
from tidegate.usecases.login import LOGIN_WITHIN, begin_login, finish_login
from tidegate.usecases.tokens import new_secret

CALLBACK: Final = "/login/callback"

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)


@router.get(
    "/login",
    **operation(Permission.LOGIN, RefusedError, InvalidRequestError, IdentityProviderError),
)
async def login(request: Request) -> Response:
    """Send the browser to the provider."""
    server = server_of(request)
    verifier = new_secret("")
    begun = await begin_login(
        server.outside,
        seal=login_seal(server.token),
        redirect_uri=f"{server.public_url or str(request.base_url).rstrip('/')}{CALLBACK}",
        challenge=challenge_of(verifier),
        again="again" in request.query_params,
    )
    answer = RedirectResponse(begun.address, status_code=303)
    # The seal of the state covers the challenge, and so this verifier: nothing else has to be kept.
    _set(answer, LOGIN_COOKIE, verifier, seconds=LOGIN_WITHIN.total_seconds())
    return answer


@router.get(
    CALLBACK,
    **operation(
        Permission.LOGIN, RefusedError, InvalidIdentityError, IdentityProviderError, StoreError
    ),
)
async def callback(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
    """Take the browser back from the provider, and on to the pages."""
    if error or not code:
        raise InvalidIdentityError(
            "the identity provider let nobody in", hint="log in again, or ask whoever runs it"
        )
    server = server_of(request)
    done = await finish_login(
        server.outside,
        seal=login_seal(server.token),
        state=state,
        code=code,
        verifier=request.cookies.get(LOGIN_COOKIE, ""),
    )
    answer = RedirectResponse("/", status_code=303)
    answer.delete_cookie(LOGIN_COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    _set(answer, SESSION_COOKIE, done.secret, seconds=LONGEST_SESSION.total_seconds())
    return answer


def _set(answer: Response, name: str, value: str, *, seconds: float) -> None:
    answer.set_cookie(
        name, value, max_age=int(seconds), path="/", secure=True, httponly=True, samesite="lax"
    )
