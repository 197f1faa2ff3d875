"""
How much is answered at once, so that a stop finds the server free however many others ask.

A bounded number of requests is worked on and a bounded number waits for that; whatever comes beyond is
refused, which costs next to nothing. What lasts by its nature (waiting for events, watching a page)
has places of its own, and so has the page that people stop from. When each of them goes on is up to
`turns`. Rule: what stops something, says that something is wrong, or asks whether the server lives needs
no place and is never refused here, and a stop waits for no turn. See docs/adr/0034.

Not here: how fast one token may ask (`limits`), and who may ask for what (`access`).
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from tidegate.api.access import LASTS, PERMISSION, URGENT
from tidegate.api.limits import NEVER_LIMITED
from tidegate.api.problems import problem_of, problem_response
from tidegate.api.turns import Turns
from tidegate.domain.access.permissions import Permission
from tidegate.errors import OverloadedError
from tidegate.usecases.right_of_way import RightOfWay

RETRY_AFTER_SECONDS: Final = 1
MOST_PUT_OFF: Final = 512
"""How many refusals are told late, each at the cost of an open connection that does nothing."""

URGENT_PLACES: Final = 1
URGENT_MAY_WAIT: Final = 16
"""As many people may ask at once for the page that they stop from, whatever else is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """
    How many requests may be worked on, wait for that, and last. Each at least 1.

    Few at work: each one's Python is run in turn with a halt's, so a halt waits for some of them.
    """

    working: int
    waiting: int
    lasting: int


class Routes:
    """Which requests some routes take."""

    def __init__(self, routes: Collection[APIRoute]) -> None:
        self._takes = [(frozenset(route.methods or ()), route.path_regex) for route in routes]

    def take(self, scope: Scope) -> bool:
        """Return whether one of them takes the request of *scope*."""
        method, path = scope["method"], scope["path"]
        return any(method in methods and regex.match(path) for methods, regex in self._takes)


STOPS: Final = frozenset({Permission.HALT, Permission.ALARM})
"""Permissions of what stops something: it needs no place, and nothing else is begun meanwhile."""


def taking(routers: Sequence[APIRouter], permissions: Collection[Permission]) -> Routes:
    """Return the routes that need one of *permissions*."""
    return Routes([route for route in _routes(routers) if _permission(route) in permissions])


def marked(routers: Sequence[APIRouter], mark: str) -> Routes:
    """Return the routes that bear *mark*."""
    return Routes([route for route in _routes(routers) if (route.openapi_extra or {}).get(mark)])


class Admission:
    """Lets a bounded number of requests in, and every stop."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        places: Places,
        routers: Sequence[APIRouter],
        way: RightOfWay,
        bounded: Collection[str] = (),
    ) -> None:
        """Stand before *app*, which is made of *routers*; paths of *bounded* are bounded elsewhere."""
        self._app = app
        self._bounded = frozenset(bounded)
        self._stopping = taking(routers, STOPS)
        self._free = taking(routers, NEVER_LIMITED - STOPS)
        self._urgent = _Line(URGENT_PLACES, waiting=URGENT_MAY_WAIT)
        self._lines = (
            (marked(routers, URGENT), self._urgent),
            (marked(routers, LASTS), _Line(places.lasting, waiting=0)),
        )
        self._at_work = _Line(places.working, waiting=places.waiting)
        self._turns = Turns(way)
        self._refusals = _Refusals(self._turns)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (the ASGI interface)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._stopping.take(scope):
            with self._turns.stopping():
                await self._app(scope, receive, send)
        elif scope["path"] in self._bounded:
            await self._turns.mine()
            await self._app(scope, receive, send)
        elif self._free.take(scope):
            await self._turns.mine(is_urgent=True)
            await self._app(scope, receive, send)
        else:
            await self._in_line(scope, receive, send)

    async def _in_line(self, scope: Scope, receive: Receive, send: Send) -> None:
        line = self._line_of(scope)
        await self._turns.mine(is_urgent=line is self._urgent)
        if not await line.enter():
            await self._refusals.tell(scope, receive, send)
            return
        try:
            await self._turns.mine(is_urgent=line is self._urgent)
            await self._app(scope, receive, send)
        finally:
            line.leave()

    def _line_of(self, scope: Scope) -> "_Line":
        return next((line for routes, line in self._lines if routes.take(scope)), self._at_work)


class _Refusals:
    """
    Refuses, and not at once: who is told to ask again in a second would else ask again in a millisecond.

    So a connection costs one refusal a second, however fast it would go on.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._put_off = 0

    async def tell(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the refusal; late, unless many wait for theirs already."""
        if self._put_off < MOST_PUT_OFF:
            self._put_off += 1
            try:
                await asyncio.sleep(RETRY_AFTER_SECONDS)
                await self._turns.mine()
            finally:
                self._put_off -= 1
        await REFUSAL(scope, receive, send)


class _Line:
    """A bounded number of places, and a bounded line for them: first come, first served."""

    def __init__(self, places: int, *, waiting: int) -> None:
        self._free = asyncio.Semaphore(places)
        self._may_wait = waiting
        self._waiting = 0

    @property
    def is_full(self) -> bool:
        """Whether whoever comes now has to wait."""
        return self._free.locked()

    async def enter(self) -> bool:
        """Take a place, if need be after those who came before; False when the line is full."""
        if not self.is_full:
            # Doesn't wait: a semaphore that isn't locked lets in at once.
            return await self._free.acquire()
        if self._waiting >= self._may_wait:
            return False
        self._waiting += 1
        try:
            return await self._free.acquire()
        finally:
            self._waiting -= 1

    def leave(self) -> None:
        """Give a place back."""
        self._free.release()


def _routes(routers: Sequence[APIRouter]) -> Iterator[APIRoute]:
    for router in routers:
        for route in router.routes:
            # Every one of ours is an APIRoute; what a router includes has its own place in the list.
            if isinstance(route, APIRoute):
                yield route


def _permission(route: APIRoute) -> Permission | None:
    named = (route.openapi_extra or {}).get(PERMISSION)
    return None if named is None else Permission(named)


REFUSAL: Final = problem_response(
    problem_of(
        OverloadedError(
            "the server is asked for more than it can answer",
            hint=f"ask again in {RETRY_AFTER_SECONDS} s; halts, stop orders and alarms are never refused",
        )
    ),
    {"retry-after": str(RETRY_AFTER_SECONDS)},
)
"""Made once: what is refused must cost less than what is answered."""
