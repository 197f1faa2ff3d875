"""
Who may do what: the one place where a request is let through.

Rule 1: a route of the API is a `GuardedRoute`, and one without a permission can't be made. The check is
bound to the route and not to a path's spelling, and runs before the body is parsed.

Rule 2: the permission is written into OpenAPI as `x-permission`, so that it can be reviewed and tested.

Two kinds of token are known. The server's own opens everything, and names are claimed by its holder
(`Tidegate-Actor`): they are a record of what was said, and prove nothing. Where names have to be verified
it opens little, and acts as `root` whatever name is claimed. A token that was issued, or a session's,
says itself whose it is, and no other name can be claimed with it.

What routes depend on is `async` also where it waits for nothing: the framework runs plain functions in
worker threads, and a halt would stand in line for one behind every list that is being read.
"""

import re
from collections.abc import Callable, Collection, Coroutine
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from tidegate.api.limits import NEVER_LIMITED
from tidegate.api.problems import problem_of, problem_response, problem_responses
from tidegate.api.state import server_of
from tidegate.api.tokens import same
from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.access.permissions import OPEN_TO_ALL, Permission
from tidegate.domain.access.proof import (
    BREAK_GLASS,
    ROOT_NAME,
    TAKES_FRESH_PROOF,
    IdentityMode,
)
from tidegate.errors import (
    ForbiddenError,
    InvalidRequestError,
    NotAllowedError,
    OverloadedError,
    RateLimitedError,
    StepUpRequiredError,
    StoreError,
    TidegateError,
)
from tidegate.usecases.authenticate import Known, Means, known_by
from tidegate.usecases.record import ENGINE

ACTOR_HEADER: Final = "tidegate-actor"
UNNAMED: Final = "api"
"""The actor of a request that names none."""

PERMISSION: Final = "x-permission"
LASTS: Final = "x-lasts"
"""Marks a route whose requests wait for something to happen, or stream it (see `admission`)."""
URGENT: Final = "x-urgent"
"""Marks a route that shows people what they need for stopping something (see `admission`)."""
SECURITY_SCHEME: Final = "token"

_BREAK_GLASS_CALLER: Final = Caller(
    name=ROOT_NAME, kind=CallerKind.PROGRAM, person=None, granted=BREAK_GLASS, is_root=True
)
"""The holder of the server's own token where names are verified: nobody in particular."""

_ACTOR = re.compile(r"[A-Za-z0-9._@+-]{1,64}")


def operation(
    permission: Permission,
    *errors: type[TidegateError],
    refusals: Collection[int] = (),
    lasts: bool = False,
) -> dict[str, Any]:
    """
    Return the arguments that make a route need *permission* and declare its *errors*.

    *refusals* are statuses of HTTP's own that it answers with: 413, 415. *lasts* says that its requests
    wait for something to happen.
    """
    extra: dict[str, Any] = {PERMISSION: permission.value}
    if permission not in OPEN_TO_ALL:
        extra["security"] = [{SECURITY_SCHEME: []}]
        # Whose a token is stands in the store.
        errors = (*errors, StoreError)
    if permission not in NEVER_LIMITED:
        errors = (*errors, RateLimitedError, OverloadedError)
    if lasts:
        extra[LASTS] = True
    if TAKES_FRESH_PROOF[permission]:
        errors = (*errors, StepUpRequiredError)
    return {"openapi_extra": extra, "responses": problem_responses(*errors, refusals=refusals)}


class GuardedRoute(APIRoute):
    """A route that nobody passes without its permission."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        assert PERMISSION in (self.openapi_extra or {}), f"{path} says no permission"

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler behind the check."""
        handle = super().get_route_handler()
        permission = Permission((self.openapi_extra or {})[PERMISSION])

        async def guarded(request: Request) -> Response:
            if permission not in OPEN_TO_ALL:
                try:
                    request.state.known = known_by_bearer(request)
                except TidegateError as exc:
                    return problem_response(problem_of(exc))
            if permission not in NEVER_LIMITED and (wait := wait_seconds(request)):
                return problem_response(problem_of(asks_too_fast(wait)), {"retry-after": str(wait)})
            return await handle(request)

        return guarded


def actor_of(request: Request) -> str:
    """
    Return who says to act.

    Raises:
        InvalidRequestError: the name isn't plain, or is that of the engine itself.
    """
    actor = request.headers.get(ACTOR_HEADER, UNNAMED)
    if not _ACTOR.fullmatch(actor) or actor == ENGINE:
        raise InvalidRequestError(
            f"{ACTOR_HEADER} must be a person's or program's name, got {actor[:64]!r}",
            hint=f"use up to 64 letters, digits and ._@+-, and not {ENGINE!r}",
        )
    return actor


async def caller_of(request: Request) -> Caller:
    """
    Return who sends *request*.

    Raises:
        InvalidRequestError: as `actor_of`.
    """
    return (await known_of(request)).caller


Calls = Annotated[Caller, Depends(caller_of)]
"""Who sends the request."""


async def known_of(request: Request) -> Known:
    """
    Return who sends *request*, and by what they are known.

    Raises:
        InvalidRequestError: as `actor_of`.
    """
    known: Known | None = request.state.known
    if known is not None:
        return known
    if server_of(request).outside.identity_mode is IdentityMode.VERIFIED:
        return Known(caller=_BREAK_GLASS_CALLER, means=Means.SERVER_TOKEN)
    name = actor_of(request)
    return Known(
        caller=Caller(name=name, kind=CallerKind.PERSON, person=name, is_root=True),
        means=Means.SERVER_TOKEN,
    )


Knows = Annotated[Known, Depends(known_of)]
"""Who sends the request, and by what they are known."""


def known_by_bearer(request: Request) -> Known | None:
    """
    Return who sends *request* by the token that it comes with, None for the server's own.

    Raises:
        NotAllowedError: it has no valid token.
        ForbiddenError: it claims another name than that of the token's holder.
        StoreError: it can't be found out.
    """
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise _not_allowed()
    secret = given.strip()
    server = server_of(request)
    if same(secret, server.token):
        return None
    known = known_by(server.outside, secret)
    if known is None:
        raise _not_allowed()
    claimed = request.headers.get(ACTOR_HEADER, known.caller.name)
    if claimed != known.caller.name:
        raise ForbiddenError(
            f"this token is {known.caller.name}'s, and its holder can't act under another name",
            hint=f"leave {ACTOR_HEADER} out",
        )
    return known


def wait_seconds(request: Request) -> int:
    """Return after how many seconds whoever sends *request* may ask again; 0 for now."""
    limit = server_of(request).limit
    if limit is None:
        return 0
    if not hasattr(request.state, "known"):
        # Nobody is known yet: who logs in is limited by where they come from.
        return limit.wait_seconds(f"from {request.client.host if request.client else ''}")
    known: Known | None = request.state.known
    return limit.wait_seconds("the server's own" if known is None else f"token {known.id}")


def asks_too_fast(seconds: int) -> RateLimitedError:
    """Return the refusal of whoever may ask again in *seconds*."""
    return RateLimitedError(
        "this token asks for too much at once",
        hint=f"ask again in {seconds} s; halts and alarms are never limited",
    )


def _not_allowed() -> NotAllowedError:
    return NotAllowedError(
        "the request has no valid token",
        hint="send `Authorization: Bearer TOKEN` with a token that was issued to you and isn't expired"
        " or revoked, or with the content of `token` in the server's state folder",
    )
