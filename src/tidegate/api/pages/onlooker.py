"""
Who looks at a page, and as whom a page may act. Found here and nowhere else, for pages and their forms.

Where names are verified, both come from the session in the browser's cookie. Where names are claims, the
page key shows, and acting takes the acting key besides (see `tokens`). Nothing is ruled on here: what
somebody may do is asked of their grants, and asked again by the command itself.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import unquote

from fastapi import Depends, Request

from tidegate.api.pages.cookies import known_by_cookie
from tidegate.api.state import ServerState, server_of
from tidegate.api.tokens import acting_key, form_seal, page_key, same
from tidegate.domain.access.model import Caller, CallerKind, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.proof import IdentityMode
from tidegate.errors import ForbiddenError, NotAllowedError
from tidegate.usecases.access import access_of
from tidegate.usecases.authenticate import Known, Means

ACTING_HEADER: Final = "tidegate-acting"
"""`NAME.KEY`: sent by the script of a page where names are claims."""

FORM_SEAL: Final = "seal"
"""The field of a form that shows that one of our own pages made it."""

_NAME = re.compile(r"[A-Za-z0-9._@+-]{1,64}")

KEY_HOLDER: Final = Caller(
    name="the page",
    kind=CallerKind.PROGRAM,
    person=None,
    granted=frozenset({Permission.READ, Permission.LEDGER_READ}),
    is_root=True,
)
"""Whoever holds the page key: it is made from the server's own token, and shows and does nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Onlooker:
    """
    Somebody in front of a page.

    `caller` is who reads. `actor` is as whom their forms would act, None for somebody who only looks.
    `session` is what their forms are sealed for, empty where the acting key takes the seal's place.
    """

    caller: Caller
    actor: Caller | None = None
    session: str = ""


async def onlooker_of(request: Request) -> Onlooker:
    """Return who looks at the page of *request*; its route has found out."""
    found = request.state.onlooker
    assert isinstance(found, Onlooker), "PageRoute sets it"
    return found


Looks = Annotated[Onlooker, Depends(onlooker_of)]
"""Who looks at the page."""


def find_onlooker(request: Request) -> Onlooker | None:
    """
    Return who looks, by the cookies of *request*; None for nobody who may.

    Raises:
        StoreError: it can't be looked up.
    """
    if has_page_key(request):
        name = claimed_name(request)
        return Onlooker(caller=KEY_HOLDER, actor=None if name is None else _claimed(name))
    known = known_by_cookie(request)
    if known is None:
        return None
    return Onlooker(caller=known.caller, actor=known.caller, session=known.id)


def has_page_key(request: Request) -> bool:
    """Return whether the browser has the page key, and it is worth something: where names are claims."""
    server = server_of(request)
    if server.outside.identity_mode is not IdentityMode.CLAIMED:
        return False
    return same(request.cookies.get(page_cookie(request), ""), page_key(server.token))


def page_cookie(request: Request) -> str:
    """Return the cookie's name. Browsers don't keep the cookies of two ports apart; the name does."""
    return f"tidegate_pages_{request.url.port or 80}"


def claimed_name(request: Request) -> str | None:
    """Return the name that this browser says it acts as. It is no secret and proves nothing."""
    name = unquote(request.cookies.get(f"tidegate_as_{request.url.port or 80}", ""))
    return name if _NAME.fullmatch(name) else None


def known_by_form(request: Request, fields: Mapping[str, str]) -> Known:
    """
    Return as whom a form acts.

    Raises:
        NotAllowedError: nobody has logged in, or the acting key is missing or wrong.
        ForbiddenError: none of our own pages made the form.
        StoreError: it can't be looked up.
    """
    _refuse_other_sites(request)
    server = server_of(request)
    if server.outside.identity_mode is IdentityMode.CLAIMED and has_page_key(request):
        return _known_by_acting_key(request, server.token)
    known = known_by_cookie(request)
    if known is None:
        raise _nobody()
    nonce, _, seal = fields.get(FORM_SEAL, "").partition(".")
    if not (nonce and same(seal, form_seal(server.token, known.id, nonce))):
        raise ForbiddenError(
            "this form isn't from a page of this server, or from before the last login",
            hint="reload the page and send it again",
        )
    return known


def seal_for(server: ServerState, onlooker: Onlooker) -> str:
    """Return what the forms of one page send back for *onlooker*; empty where there is no session."""
    if not onlooker.session:
        return ""
    nonce = secrets.token_hex(8)
    return f"{nonce}.{form_seal(server.token, onlooker.session, nonce)}"


def may(server: ServerState, onlooker: Onlooker, permission: Permission, where: Resource) -> bool:
    """Return whether *onlooker* could do *permission* there now. The command asks again."""
    if onlooker.actor is None:
        return False
    return access_of(server.outside, onlooker.actor).ruling(permission, where).is_allowed


def _known_by_acting_key(request: Request, token: str) -> Known:
    name, _, key = request.headers.get(ACTING_HEADER, "").rpartition(".")
    if not (_NAME.fullmatch(name) and same(key, acting_key(token, name))):
        raise NotAllowedError(
            "this browser may look and not act",
            hint="open the link that this prints: tidegate server page --as NAME",
        )
    return Known(caller=_claimed(name), means=Means.SERVER_TOKEN)


def _claimed(name: str) -> Caller:
    return Caller(name=name, kind=CallerKind.PERSON, person=name, is_root=True)


def _refuse_other_sites(request: Request) -> None:
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    public = server_of(request).public_url
    if site not in (None, "same-origin") or origin not in (None, own, public):
        raise ForbiddenError(
            "this form was sent from another site", hint="act on a page of this server itself"
        )


def _nobody() -> NotAllowedError:
    return NotAllowedError(
        "nobody is logged in here any more", hint="log in at /login, and send it again"
    )
