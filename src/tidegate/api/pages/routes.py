"""
Two pages to look at: all rollouts, and one of them. They show; whoever wants to act uses the API.

A link with the page key opens them and leaves a cookie, and so does a login (see `login`). The key shows
and does nothing else (see `tokens`). No script runs on them, and nothing is loaded from elsewhere.
"""

from collections.abc import Callable, Coroutine
from importlib import resources
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tidegate.api import words
from tidegate.api.pages.cookies import known_by_cookie
from tidegate.api.showing.ledger import show_entry
from tidegate.api.showing.look import Look, look_at, show_meter, show_now, show_record
from tidegate.api.state import World, server_of
from tidegate.api.tokens import page_key, same
from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.proof import IdentityMode
from tidegate.errors import NotAllowedError, TidegateError
from tidegate.usecases.reading import find_rollout, readable_rollouts

MOST_LISTED: Final = 50
MOST_DECISIONS: Final = 30
SIGNED_IN_SECONDS: Final = 12 * 60 * 60

ONLOOKER: Final = Caller(
    name="the page",
    kind=CallerKind.PROGRAM,
    person=None,
    granted=frozenset({Permission.READ}),
    is_root=True,
)
"""Whoever holds the page key: it is made from the server's own token, and shows and does nothing else."""

_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
}


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tidegate.api.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["words"] = words
    return environment


_templates: Final = _environment()


class PageRoute(APIRoute):
    """A route that shows its page to whoever holds the page key, and a page of its own to others."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler behind the check."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            key = page_key(server_of(request).token)
            given = request.query_params.get("token")
            # Where names are verified, a key that is nobody's shows nothing.
            is_claimed = server_of(request).outside.identity_mode is IdentityMode.CLAIMED
            if is_claimed and given is not None and same(given, key):
                return _let_in(request, key)
            has_key = is_claimed and same(request.cookies.get(_cookie(request), ""), key)
            try:
                known = None if has_key else known_by_cookie(request)
                if given is not None or not (has_key or known):
                    return _refused(_not_allowed())
                request.state.onlooker = ONLOOKER if known is None else known.caller
                return await handle(request)
            except TidegateError as exc:
                return _refused(exc)

        return guarded


async def _onlooker_of(request: Request) -> Caller:
    """Return who looks: somebody who has logged in, or whoever holds the page key."""
    onlooker = request.state.onlooker
    assert isinstance(onlooker, Caller), "PageRoute sets it"
    return onlooker


Onlooker = Annotated[Caller, Depends(_onlooker_of)]

router = APIRouter(include_in_schema=False)
_pages = APIRouter(include_in_schema=False, route_class=PageRoute)


@_pages.get("/")
def overview(outside: World, onlooker: Onlooker) -> Response:
    """Show the newest rollouts: state, phases, exposure, and what each waits for."""
    found = readable_rollouts(outside, onlooker, searched=MOST_LISTED, limit=MOST_LISTED)
    with outside.store.begin(read_only=True) as transaction:
        looks = [Look(rollout=one, stored=transaction.evidence(one.id)) for one in found]
    return _page("overview.html", rollouts=[show_record(outside, look) for look in looks])


@_pages.get("/rollouts/{rollout}")
async def one_rollout(rollout: str, outside: World, onlooker: Onlooker) -> Response:
    """Show one rollout: phases, evidence, decisions."""
    look = look_at(outside, find_rollout(outside, onlooker, rollout))
    with outside.store.begin(read_only=True) as transaction:
        entries = transaction.ledger(rollout_id=look.rollout.id, limit=100_000)
    return _page(
        "rollout.html",
        rollout=await show_now(outside, look),
        evidence=await run_in_threadpool(show_meter, outside, look, None, None),
        entries=[show_entry(entry) for entry in reversed(entries[-MOST_DECISIONS:])],
    )


@router.get("/assets/style.css")
def style() -> Response:
    """Return the style of the pages. It holds nothing that needs a key."""
    text = resources.files("tidegate.api.pages").joinpath("assets/style.css").read_text("utf-8")
    return Response(text, media_type="text/css", headers={"cache-control": "max-age=300"})


router.include_router(_pages)


def _page(template: str, *, status: int = 200, **values: Any) -> Response:
    text = _templates.get_template(template).render(**values)
    return HTMLResponse(text, status_code=status, headers=_HEADERS)


def _refused(error: TidegateError) -> Response:
    return _page("refused.html", status=error.http_status, error=error)


def _let_in(request: Request, key: str) -> Response:
    # On to the same page without the key, so that it stays in no history and no address bar.
    answer = RedirectResponse(request.url.path, status_code=303)
    answer.set_cookie(
        _cookie(request), key, max_age=SIGNED_IN_SECONDS, httponly=True, samesite="strict"
    )
    return answer


def _cookie(request: Request) -> str:
    """Return the cookie's name. Browsers don't keep the cookies of two ports apart; the name does."""
    return f"tidegate_pages_{request.url.port or 80}"


def _not_allowed() -> NotAllowedError:
    return NotAllowedError(
        "this page needs the link with its key, or a login",
        hint="open the link that this prints: tidegate server page; or log in at /login",
    )
