"""
What whoever runs a server looks after: targets, sources, gates, access, tokens, the policy, witnesses.

Each part shows what its reader may see by the rules of the API, and says what it leaves out. A secret of a
token is nowhere to be shown: nobody keeps one.
"""

import asyncio
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.onlooker import Looks, Onlooker, may
from tidegate.api.pages.rendering import page
from tidegate.api.showing.access import show_grant, show_roles
from tidegate.api.showing.audit import show_witness
from tidegate.api.showing.login import show_session
from tidegate.api.showing.tokens import show_token
from tidegate.api.state import World, server_of
from tidegate.domain.access.model import Caller
from tidegate.domain.access.permissions import Permission
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import ForbiddenError, NotFoundError
from tidegate.usecases.access import access_in, may_read
from tidegate.usecases.access_reads import visible_grants
from tidegate.usecases.administration import configured
from tidegate.usecases.audit_access import audited_by
from tidegate.usecases.components import managed_components, seen_now
from tidegate.usecases.ledger_witness import witness_lags
from tidegate.usecases.outside import Outside
from tidegate.usecases.policies import readable_policies
from tidegate.usecases.resources import resource_of_organisation, resource_of_rollout
from tidegate.usecases.session_commands import list_sessions
from tidegate.usecases.token_commands import list_tokens

LISTED_AT_MOST: Final = 500
POLICIES_SHOWN: Final = 20

router = APIRouter(prefix="/admin", include_in_schema=False, route_class=PageRoute)


@router.get("")
def admin(request: Request, outside: World, onlooker: Looks) -> Response:
    """Show the server itself: what it has, the policy in force, its witnesses."""
    caller = onlooker.caller
    with outside.store.begin(read_only=True) as transaction:
        access = access_in(transaction, caller, outside.clock.now())
        policies = readable_policies(transaction, access, limit=POLICIES_SHOWN)
    return page(
        request,
        "screens/admin.html",
        organisation=caller.organisation,
        sees_policy=may_read(outside, caller, resource_of_organisation(caller)),
        policies=policies,
        in_force=next((one for one in policies if one.is_in_force), None),
        witnesses=_witnesses(outside, caller),
        outside=outside,
    )


@router.get("/targets")
async def targets(request: Request, outside: World, onlooker: Looks) -> Response:
    """Show every target with the driver that moves it, and whether it answers now."""
    managed, unreadable = await asyncio.to_thread(managed_components, outside, onlooker.caller)
    seen = await asyncio.gather(*(seen_now(outside, one) for one in managed))
    return page(
        request,
        "screens/admin_targets.html",
        rows=[
            (one, standing, at)
            for one, places in zip(managed, seen, strict=True)
            for standing, at in zip(one.standing, places, strict=True)
        ],
        drivers=sorted(outside.components),
        unreadable=unreadable,
    )


@router.get("/signals")
def signals(request: Request, outside: World, onlooker: Looks) -> Response:
    """Show the sources of signals, what each of their signals says, and when it was last measured."""
    return page(
        request,
        "screens/admin_signals.html",
        found=configured(outside, onlooker.caller),
        schemes=sorted(outside.signals),
    )


@router.get("/gates")
def gates(request: Request, outside: World, onlooker: Looks) -> Response:
    """Show the gates that are configured with their latest answers, and a button to ask again."""
    found = configured(outside, onlooker.caller)
    return page(
        request,
        "screens/admin_gates.html",
        found=found,
        kinds=sorted(outside.gates),
        askable={
            one.asks_for.id
            for one in found.gates
            if one.asks_for is not None and _may_ask(request, onlooker, one.asks_for)
        },
    )


@router.get("/access")
def access(request: Request, outside: World, onlooker: Looks) -> Response:
    """Show the roles, and the grants that whoever looks may see."""
    over_too = request.query_params.get("all") == "yes"
    grants = visible_grants(outside, onlooker.caller, over_too=over_too, limit=LISTED_AT_MOST)
    return page(
        request,
        "screens/admin_access.html",
        roles=show_roles().roles,
        grants=[show_grant(one) for one in grants],
        over_too=over_too,
    )


@router.get("/tokens")
def tokens(request: Request, outside: World, onlooker: Looks) -> Response:
    """Show tokens and sessions: those of everybody to who may issue tokens, to others their own."""
    reader = _reader(onlooker)
    of_all = _may_see_all(outside, reader)
    return page(
        request,
        "screens/admin_tokens.html",
        of_all=of_all,
        can_revoke=may(
            server_of(request), onlooker, Permission.TOKEN_ISSUE, resource_of_organisation(reader)
        ),
        tokens=[
            show_token(one)
            for one in list_tokens(outside, reader, of_all=of_all, limit=LISTED_AT_MOST)
        ],
        sessions=[
            show_session(one)
            for one in list_sessions(outside, reader, of_all=of_all, limit=LISTED_AT_MOST)
        ],
    )


def _may_ask(request: Request, onlooker: Onlooker, rollout: Rollout) -> bool:
    where = resource_of_rollout(rollout)
    return may(server_of(request), onlooker, Permission.SUBMIT_EVIDENCE, where)


def _reader(onlooker: Onlooker) -> Caller:
    """
    Return who reads lists of tokens.

    Where names are claims that is who the browser says it is: its page key shows the ledger, which tells
    of every token already, and a claimed name may do everything anyway.
    """
    return onlooker.actor or onlooker.caller


def _may_see_all(outside: Outside, reader: Caller) -> bool:
    try:
        list_tokens(outside, reader, of_all=True, limit=1)
    except (ForbiddenError, NotFoundError):
        return False
    return True


def _witnesses(outside: Outside, caller: Caller) -> list[object] | None:
    """Return how far each witness is, None to who may not read the ledger."""
    try:
        audited_by(outside, caller)
    except (ForbiddenError, NotFoundError):
        return None
    return [show_witness(lag) for lag in witness_lags(outside)]
