"""
The two kinds of routes of the pages: those that show, and those that act.

A page that shows lets in whoever holds the page key or has logged in, and shows others how to. A route
that acts is guarded as those of the API are, by a permission that it must name; it differs in how its
sender is known and in that people read its refusals.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import RedirectResponse, Response

from tidegate.api.access import PERMISSION, GuardedRoute, asks_too_fast, wait_seconds
from tidegate.api.limits import NEVER_LIMITED
from tidegate.api.pages.onlooker import find_onlooker, known_by_form, page_cookie
from tidegate.api.pages.rendering import refused_page
from tidegate.api.problems import problem_of, problem_response
from tidegate.api.state import server_of
from tidegate.api.tokens import page_key, same
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.proof import IdentityMode
from tidegate.errors import InvalidRequestError, NotAllowedError, TidegateError

SIGNED_IN_SECONDS: Final = 12 * 60 * 60
MOST_FIELDS: Final = 100

BY_SCRIPT: Final = "tidegate-script"
"""The header of a request that a page's script made: it reads documents, a form without it pages."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """A route that shows its page to whoever may look, and a page of its own to others."""

    def get_route_handler(self) -> Handler:
        """Return the handler behind the check."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            key = page_key(server_of(request).token)
            given = request.query_params.get("token")
            # Where names are verified, a key that is nobody's shows nothing.
            is_claimed = server_of(request).outside.identity_mode is IdentityMode.CLAIMED
            if is_claimed and given is not None and same(given, key):
                return _let_in(request, key)
            try:
                onlooker = None if given is not None else find_onlooker(request)
                if onlooker is None:
                    raise _not_let_in()
                request.state.onlooker = onlooker
                return await handle(request)
            except TidegateError as exc:
                return refused_page(request, exc)

        return guarded


class ActingRoute(GuardedRoute):
    """A route that a page's form is sent to. Nobody passes without its permission."""

    def get_route_handler(self) -> Handler:
        """Return the handler behind the check."""
        # The check of the API is replaced, not wrapped: what makes a sender known differs.
        handle = APIRoute.get_route_handler(self)
        permission = Permission((self.openapi_extra or {})[PERMISSION])

        async def guarded(request: Request) -> Response:
            try:
                fields = await _fields(request)
                request.state.fields = fields
                request.state.known = known_by_form(request, fields)
                if permission not in NEVER_LIMITED and (wait := wait_seconds(request)):
                    raise asks_too_fast(wait)
                return await handle(request)
            except TidegateError as exc:
                if is_by_script(request):
                    return problem_response(problem_of(exc))
                return refused_page(request, exc)

        return guarded


def is_by_script(request: Request) -> bool:
    """Return whether a page's script sent *request*."""
    return BY_SCRIPT in request.headers


async def _fields(request: Request) -> Mapping[str, str]:
    """Return the fields of a form. Of one that is named twice the last counts."""
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise InvalidRequestError(
            f"a form has at most {MOST_FIELDS} fields", hint="reload the page and send it again"
        ) from None


def _let_in(request: Request, key: str) -> Response:
    # On to the same page without the key, so that it stays in no history and no address bar.
    answer = RedirectResponse(request.url.path, status_code=303)
    answer.set_cookie(
        page_cookie(request), key, max_age=SIGNED_IN_SECONDS, httponly=True, samesite="strict"
    )
    return answer


def _not_let_in() -> NotAllowedError:
    return NotAllowedError(
        "this page needs the link with its key, or a login",
        hint="open the link that this prints: tidegate server page; or log in at /login",
    )
