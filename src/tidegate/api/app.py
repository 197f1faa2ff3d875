"""
Makes the application: the routes of the API, the pages, and what stands before all of them.

There is no state here but what it is given, so a test and the server run the same application.
"""

from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tidegate.api.admission import Admission, Places
from tidegate.api.guard import LOOPBACK_NAMES, Guard
from tidegate.api.limits import RateLimit
from tidegate.api.live.endpoint import PATH, WIRE, LiveEndpoint
from tidegate.api.live.watcher import MOST_STREAMS, Live
from tidegate.api.pages.login import router as login_pages
from tidegate.api.pages.page_words import Place
from tidegate.api.pages.routes import PAGES
from tidegate.api.problems import handle_errors
from tidegate.api.routes.access import router as access
from tidegate.api.routes.alarms import router as alarms
from tidegate.api.routes.approvals import router as approvals
from tidegate.api.routes.commands import router as commands
from tidegate.api.routes.debts import router as debts
from tidegate.api.routes.decisions import router as decisions
from tidegate.api.routes.emergencies import router as emergencies
from tidegate.api.routes.events import router as events
from tidegate.api.routes.freezes import router as freezes
from tidegate.api.routes.gates import router as gates
from tidegate.api.routes.health import API_VERSION
from tidegate.api.routes.health import router as health
from tidegate.api.routes.hooks import router as hooks
from tidegate.api.routes.ledger import router as ledger
from tidegate.api.routes.login import router as login
from tidegate.api.routes.otlp import router as otlp
from tidegate.api.routes.plans import router as plans
from tidegate.api.routes.policy import router as policy
from tidegate.api.routes.postmortem import router as postmortem
from tidegate.api.routes.postmortem_writing import router as postmortem_writing
from tidegate.api.routes.recordings import router as recordings
from tidegate.api.routes.rollouts import router as rollouts
from tidegate.api.routes.service_health import router as service_health
from tidegate.api.routes.services import router as services
from tidegate.api.routes.stops import router as stops
from tidegate.api.routes.tokens import router as tokens
from tidegate.api.schema import openapi, openapi_text
from tidegate.api.state import ServerState
from tidegate.usecases.outside import Outside

ROUTERS: Final = (
    health,
    commands,
    stops,
    alarms,
    hooks,
    plans,
    rollouts,
    recordings,
    postmortem,
    postmortem_writing,
    approvals,
    policy,
    freezes,
    tokens,
    access,
    gates,
    emergencies,
    login,
    debts,
    events,
    services,
    service_health,
    decisions,
    ledger,
    otlp,
    login_pages,
    *PAGES,
)
"""Everything that is routed, in the order of looking: first what must be found however many ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MorePages:
    """Screens that a server has besides the usual ones: their routes, and where they are found."""

    router: APIRouter
    places: tuple[Place, ...]


def create_app(
    outside: Outside,
    *,
    token: str,
    version: str,
    hosts: frozenset[str] = LOOPBACK_NAMES,
    public_url: str | None = None,
    limit: RateLimit | None = None,
    places: Places | None = None,
    more: MorePages | None = None,
    most_live: int = MOST_STREAMS,
) -> FastAPI:
    """
    Return the application.

    Args:
        outside: The world that the use cases act on.
        token: What opens the API. Not empty.
        version: The server's version, for people.
        hosts: The names that this server goes by. A request under another name is refused.
        public_url: How browsers reach it, where that isn't the address that they ask for.
        limit: How fast one token may ask. None limits nobody.
        places: How much is answered at once. None bounds nothing.
        more: Screens besides the usual ones, as the lab has.
        most_live: How many pages may be live at once. Whoever ends the server closes `app.state.live`
            first, or their streams keep it.

    Raises:
        ValueError: *token* is empty: that would open the API to everyone.
    """
    if not token:
        raise ValueError("the token is empty")
    app = _routed()
    if more is not None:
        app.include_router(more.router)
    app.state.server = ServerState(
        outside=outside,
        token=token,
        version=version,
        public_url=public_url,
        limit=limit,
        places=() if more is None else more.places,
    )
    app.state.live = Live(outside, most_streams=most_live)
    app.add_middleware(Guard, hosts=hosts)
    if places is not None:
        routers = ROUTERS if more is None else (*ROUTERS, more.router)
        way = outside.right_of_way
        app.door = Admission(app.inside, places=places, routers=routers, way=way, bounded=(PATH,))
    return app


def api_document() -> str:
    """Return the OpenAPI document of the application, as it is published."""
    return openapi_text(_routed())


def _routed() -> "_Application":
    app = _Application(
        title="Tidegate",
        version=API_VERSION,
        # The pages that the framework makes load scripts from elsewhere; ours may load none.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    for router in ROUTERS:
        app.include_router(router)
    app.router.routes.append(Route(PATH, LiveEndpoint(), include_in_schema=False))
    handle_errors(app)
    return app


class _Application(FastAPI):
    """
    An application whose OpenAPI document is made by `schema`.

    Before all of it stands its `door`, if it has one: what is refused or waits has cost nothing yet.
    """

    door: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (the ASGI interface)."""
        scope[WIRE] = send
        await (self.door or self.inside)(scope, receive, send)

    async def inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request that is let in."""
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        return openapi(self)
