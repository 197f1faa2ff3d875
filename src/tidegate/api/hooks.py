"""
Routes that are opened by a signature over the message instead of a token.

The check is bound to the route and runs on the bytes that came, before they are read as anything.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tidegate.api.access import GuardedRoute
from tidegate.api.problems import problem_of, problem_response
from tidegate.api.state import server_of
from tidegate.errors import TidegateError
from tidegate.usecases.authenticate import Known, Means
from tidegate.usecases.hooks import Signed, caller_of_hook, remember_delivery

SIGNATURE_HEADER: Final = "tidegate-signature"
DELIVERY_HEADER: Final = "tidegate-delivery"


class SignedRoute(GuardedRoute):
    """A route that takes only signed messages, each once. Its path names the hook as `name`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler behind the check."""
        handle = APIRoute.get_route_handler(self)

        async def checked(request: Request) -> Response:
            outside, name = server_of(request).outside, request.path_params["name"]
            signed = Signed(
                signatures=request.headers.getlist(SIGNATURE_HEADER),
                deliveries=request.headers.getlist(DELIVERY_HEADER),
                body=await request.body(),
            )
            try:
                caller = await run_in_threadpool(caller_of_hook, outside, name, signed)
            except TidegateError as exc:
                return problem_response(problem_of(exc))
            request.state.known = Known(caller=caller, means=Means.HOOK)
            answer = await handle(request)
            # What couldn't be done may be sent again under the same name; what was done may not.
            if answer.status_code < 300:
                await run_in_threadpool(remember_delivery, outside, name, signed)
            return answer

        return checked
