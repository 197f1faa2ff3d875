"""What an application is made with, for its routes to find. Nothing global: two can run in one process."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated
from weakref import WeakValueDictionary

from fastapi import Depends, Request

from tidegate.api.limits import RateLimit
from tidegate.api.pages.kept_texts import KeptTexts
from tidegate.api.pages.page_words import Place
from tidegate.api.pages.simulating import Simulations
from tidegate.usecases.outside import Outside


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """
    The world, the token that opens the API, and the version that is told. `public_url` is how browsers
    reach this server, None for the address that they ask for. `limit` is how fast one token may ask, None
    for as fast as it can. `places` are screens that this server has besides the usual ones.

    `in_flight` holds a lock per idempotency key that is being answered: the second of two equal
    requests waits for the answer of the first. `looks` holds looks that several requests share, by what
    is looked at. `simulations` are those that pages asked for, `texts` the plans that somebody edits; both
    are forgotten when the server stops.
    """

    outside: Outside
    token: str
    version: str
    public_url: str | None = None
    limit: RateLimit | None = None
    places: tuple[Place, ...] = ()
    looks: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    in_flight: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    simulations: Simulations = field(default_factory=Simulations)
    texts: KeptTexts = field(default_factory=KeptTexts)


def server_of(request: Request) -> ServerState:
    """Return what the application of *request* was made with."""
    state = request.app.state.server
    assert isinstance(state, ServerState), "create_app sets it"
    return state


async def outside_of(request: Request) -> Outside:
    """Return the world of the application of *request*."""
    return server_of(request).outside


World = Annotated[Outside, Depends(outside_of)]
