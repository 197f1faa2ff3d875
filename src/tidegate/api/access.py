"""
Who may do what: the one place where a request is let through.

Rule 1: a route of the API is a `GuardedRoute`, and one without a permission can't be made. The check is
bound to the route and not to a path's spelling, and runs before the body is parsed.

Rule 2: the permission is written into OpenAPI as `x-permission`, so that it can be reviewed and tested.

For now there is one token, which holds every permission. Names of people come from the holder of the
token (`Tidegate-Actor`): they are a record of what was said, and prove nothing.
"""

import re
from collections.abc import Callable, Collection, Coroutine
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from tidegate.api.problems import problem_of, problem_response, problem_responses
from tidegate.api.state import server_of
from tidegate.api.tokens import same
from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.access.permissions import Permission
from tidegate.errors import InvalidRequestError, NotAllowedError, TidegateError
from tidegate.usecases.record import ENGINE

ACTOR_HEADER: Final = "tidegate-actor"
UNNAMED: Final = "api"
"""The actor of a request that names none."""

PERMISSION: Final = "x-permission"
SECURITY_SCHEME: Final = "token"

_ACTOR = re.compile(r"[A-Za-z0-9._@+-]{1,64}")


def operation(
    permission: Permission, *errors: type[TidegateError], refusals: Collection[int] = ()
) -> dict[str, Any]:
    """
    Return the arguments that make a route need *permission* and declare its *errors*.

    *refusals* are statuses of HTTP's own that it answers with: 413, 415.
    """
    extra: dict[str, Any] = {PERMISSION: permission.value}
    if permission is not Permission.PUBLIC:
        extra["security"] = [{SECURITY_SCHEME: []}]
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
            if permission is not Permission.PUBLIC and not _has_token(request):
                return problem_response(problem_of(_not_allowed()))
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


Actor = Annotated[str, Depends(actor_of)]


def caller_of(request: Request) -> Caller:
    """
    Return who sends *request*: a person by a claimed name, with the token that opens everything.

    Raises:
        InvalidRequestError: as `actor_of`.
    """
    name = actor_of(request)
    return Caller(name=name, kind=CallerKind.PERSON, person=name, is_root=True)


Calls = Annotated[Caller, Depends(caller_of)]
"""Who sends the request."""


def _has_token(request: Request) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and same(given.strip(), server_of(request).token)


def _not_allowed() -> NotAllowedError:
    return NotAllowedError(
        "the request has no valid token",
        hint="send `Authorization: Bearer TOKEN` with the content of `token` in the server's state"
        " folder",
    )
