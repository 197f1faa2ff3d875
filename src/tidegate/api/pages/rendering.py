"""
Makes answers of templates: what every page is given besides its own values, its headers, its compression.

Templates get finished values and words. What they show is made in `showing` and `words`, as for the API;
nothing is read from the store here but what stands above every page: stop orders and freezes in force.
"""

import gzip
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fastapi import Request
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from tidegate.api import words
from tidegate.api.pages import page_words
from tidegate.api.pages.files import asset_address
from tidegate.api.pages.keys import keys_of
from tidegate.api.pages.onlooker import Onlooker, find_onlooker, may, seal_for
from tidegate.api.pages.page_words import Place
from tidegate.api.shapes.freezes import Freeze
from tidegate.api.shapes.stops import StopOrder
from tidegate.api.showing.freezes import show_freeze
from tidegate.api.showing.stops import show_order
from tidegate.api.state import ServerState, server_of
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.proof import IdentityMode
from tidegate.errors import StoreError, TidegateError
from tidegate.usecases.access import access_in
from tidegate.usecases.freezes import FREEZES
from tidegate.usecases.reading import sees_freeze, sees_order
from tidegate.usecases.resources import resource_of_organisation
from tidegate.usecases.shelves import STOP_ORDERS

THEME_COOKIE: Final = "tidegate_theme"
THEMES: Final = ("system", "light", "dark")
WORTH_COMPRESSING_BYTES: Final = 1_000
COMPRESSION_LEVEL: Final = 6
NEVER_NAMED: Final = "nobody"

_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "vary": "accept-encoding, cookie",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeing:
    """
    What every page knows of whoever looks at it and of what holds everything.

    `acts_as` is the name that its forms act under, None for somebody who only looks; `seal` is for
    those forms. `can_stop_all` is whether they may stop everything of their organisation. `holds_known`
    is False when the orders couldn't be read: then a page must not look as if there were none.
    """

    name: str
    acts_as: str | None
    has_session: bool
    seal: str
    theme: str
    path: str
    address: str
    can_stop_all: bool
    stop_orders: tuple[StopOrder, ...]
    freezes: tuple[Freeze, ...]
    holds_known: bool
    now: datetime
    version: str
    places: tuple[Place, ...]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tidegate.api.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["words"] = words
    environment.globals["page_words"] = page_words
    environment.globals["keys_of"] = keys_of
    environment.globals["asset"] = asset_address
    environment.filters["shell"] = shlex.quote
    return environment


_templates: Final = _environment()


def templates_with(package: str) -> Environment:
    """Return the templates of the pages together with those of *package*, which extend them."""
    own = _templates.loader
    assert own is not None, "the environment is made with one"
    return _templates.overlay(loader=ChoiceLoader([own, PackageLoader(package)]))


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    templates: Environment = _templates,
    **values: Any,
) -> Response:
    """
    Return the page (or the part of one) that *template* makes of *values*, for whoever looks.

    The template also gets `seeing` (see `Seeing`).
    """
    onlooker: Onlooker | None = getattr(request.state, "onlooker", None)
    seeing = _seeing(request, onlooker)
    text = templates.get_template(template).render(seeing=seeing, **values)
    return _compressed(request, text, status, {**_HEADERS, **(headers or {})})


def refused_page(request: Request, error: TidegateError) -> Response:
    """Return the page that says why not, and what to do now."""
    if not hasattr(request.state, "onlooker"):
        try:
            request.state.onlooker = find_onlooker(request)
        except StoreError:
            request.state.onlooker = None
    return page(request, "screens/refused.html", status=error.http_status, error=error)


def _seeing(request: Request, onlooker: Onlooker | None) -> Seeing:
    server = server_of(request)
    orders, freezes, is_known = _holding(server, onlooker)
    actor = None if onlooker is None else onlooker.actor
    theme = request.cookies.get(THEME_COOKIE, THEMES[0])
    query = request.url.query
    return Seeing(
        name=NEVER_NAMED if onlooker is None else (actor or onlooker.caller).name,
        acts_as=None if actor is None else actor.name,
        has_session=onlooker is not None and bool(onlooker.session),
        seal="" if onlooker is None else seal_for(server, onlooker),
        theme=theme if theme in THEMES else THEMES[0],
        path=request.url.path,
        address=request.url.path + (f"?{query}" if query else ""),
        can_stop_all=is_known and _can_stop_all(server, onlooker),
        stop_orders=orders,
        freezes=freezes,
        holds_known=is_known,
        now=server.outside.clock.now(),
        version=server.version,
        places=(*page_words.NAVIGATION, *server.places),
    )


def _can_stop_all(server: ServerState, onlooker: Onlooker | None) -> bool:
    if onlooker is None or onlooker.actor is None:
        return False
    return may(server, onlooker, Permission.HALT, resource_of_organisation(onlooker.actor))


def _holding(
    server: ServerState, onlooker: Onlooker | None
) -> tuple[tuple[StopOrder, ...], tuple[Freeze, ...], bool]:
    """Return the stop orders and freezes in force that *onlooker* may see, and whether that is known."""
    if onlooker is None:
        return (), (), True
    outside = server.outside
    now = outside.clock.now()
    try:
        with outside.store.begin(read_only=True) as transaction:
            access = access_in(transaction, onlooker.caller, now)
            orders = [
                show_order(one)
                for one in STOP_ORDERS.open(transaction)
                if sees_order(transaction, access, one)
            ]
            freezes = [
                show_freeze(one, now=now)
                for one in FREEZES.open(transaction)
                if one.is_in_force(now) and sees_freeze(transaction, access, one)
            ]
    except StoreError:
        return (), (), False
    return tuple(orders), tuple(freezes), True


def _compressed(request: Request, text: str, status: int, headers: Mapping[str, str]) -> Response:
    body = text.encode()
    if len(body) < WORTH_COMPRESSING_BYTES or "gzip" not in request.headers.get(
        "accept-encoding", ""
    ):
        return HTMLResponse(body, status_code=status, headers=dict(headers))
    # A seal in the page has a new nonce each time, so its length tells nothing (BREACH).
    small = gzip.compress(body, COMPRESSION_LEVEL, mtime=0)
    return HTMLResponse(small, status_code=status, headers={**headers, "content-encoding": "gzip"})


def is_claimed(request: Request) -> bool:
    """Return whether names are claims on this server, so that acting takes the acting key."""
    return server_of(request).outside.identity_mode is IdentityMode.CLAIMED
