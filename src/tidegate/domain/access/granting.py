"""
Whether somebody may give access away: what they hold themselves, there, and for as long.

Nobody gives what they don't have, so access can't grow by being passed on; and nobody gives anything to
themselves, so that what was given until Friday ends on Friday. Only the server's own token gives what
isn't there yet. Pure, as `authorise` is.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from tidegate.domain.access.authorise import (
    grants_of,
    subjects_of,
    write_grant,
)
from tidegate.domain.access.model import Caller, Grant, GrantEffect, Resource, Ruling
from tidegate.domain.access.permissions import RAISING, Permission
from tidegate.domain.access.roles import denied_by, permissions_of
from tidegate.domain.access.scopes import Place, covers, meets, names_environment

FOR_EVER = datetime.max.replace(tzinfo=UTC)


def may_grant(
    caller: Caller,
    role: str,
    scope: str,
    effect: GrantEffect,
    *,
    subject: str,
    until: datetime | None,
    grants: Iterable[Grant],
    now: datetime,
) -> Ruling:
    """
    Return whether *caller* may let *subject* have *role* on *scope*, or may deny it.

    Who gives access on a scope may deny there as they like: that only takes away. What they allow they
    must hold, on all of that scope and until the grant ends.
    """
    if caller.granted is not None and Permission.ACCESS_GRANT not in caller.granted:
        return _no(f"the token of {caller.name} isn't for {Permission.ACCESS_GRANT}")
    if caller.is_root:
        return Ruling(is_allowed=True, because=f"{caller.name} holds the server's own token")
    if subject in subjects_of(caller) or subject == f"person:{caller.person}":
        return _no(f"{caller.name} can't give anything to {subject}, which is themselves")
    ruling = _holds(caller, Permission.ACCESS_GRANT, scope, grants, now)
    if effect is GrantEffect.DENY or not ruling.is_allowed:
        return ruling
    for permission in sorted(permissions_of(role)):
        for at in (now, until or FOR_EVER):
            held = _holds(caller, permission, scope, grants, at)
            if not held.is_allowed:
                return held
    return ruling


def may_revoke(caller: Caller, grant: Grant, grants: Iterable[Grant], now: datetime) -> Ruling:
    """
    Return whether *caller* may end *grant*.

    Ending an allow takes away, and who gives access there may do it, also to themselves. Ending a deny
    gives back, and is as giving.
    """
    is_deny = grant.effect is GrantEffect.DENY
    return may_grant(
        caller,
        grant.role,
        grant.scope,
        GrantEffect.ALLOW if is_deny else GrantEffect.DENY,
        subject=grant.subject if is_deny else "",
        until=None,
        grants=grants,
        now=now,
    )


def resource_of_scope(scope: str) -> Resource:
    """Return what a grant on *scope* touches. A `*` in it stays one: only a wider scope holds it."""
    return _resource(place_of_scope(scope))


def anywhere_in(scope: str) -> Resource:
    """Return what *scope* can be about, for whoever may see a part of that."""
    return _resource(_with_any(place_of_scope(scope)))


def place_of_scope(scope: str) -> Place:
    """Return *scope* as a place; what it leaves out is all there is."""
    parts: list[str | None] = [*scope.split("/")]
    organisation, project, environment, target = (*parts, None, None, None, None)[:4]
    return organisation, project, environment, target


def _holds(
    caller: Caller, permission: Permission, scope: str, grants: Iterable[Grant], at: datetime
) -> Ruling:
    """Return whether *caller* holds *permission* on all of *scope* at *at*."""
    place = place_of_scope(scope)
    if place[0] != caller.organisation:
        return _no(f"{caller.name} is of another organisation")
    # A `*` of the scope may be any name, so a deny of any name is met by it.
    anywhere = _with_any(place)
    mine = grants_of(caller, grants, at)
    for grant in mine:
        if (
            grant.effect is GrantEffect.DENY
            and permission in denied_by(grant.role)
            and meets(grant.scope, anywhere)
        ):
            return _no(write_grant(grant))
    for grant in mine:
        # A scope's own `*` is inside a wider pattern only if that pattern has one there too.
        if (
            grant.effect is GrantEffect.ALLOW
            and permission in permissions_of(grant.role)
            and covers(grant.scope, place)
            and (permission not in RAISING or place[2] is None or names_environment(grant.scope))
        ):
            return Ruling(is_allowed=True, because=write_grant(grant))
    until = "" if at == FOR_EVER else f" until {at.isoformat(timespec='minutes')}"
    return _no(f"{caller.name} doesn't hold {permission} on {scope}{until}")


def _with_any(place: Place) -> Place:
    organisation, *others = place
    project, environment, target = (
        None if part is None or "*" in part else part for part in others
    )
    return organisation, project, environment, target


def _resource(place: Place) -> Resource:
    organisation, project, environment, target = place
    return Resource(
        organisation=organisation or "",
        project=project,
        environments=() if environment is None else (environment,),
        targets=() if target is None or environment is None else (target,),
    )


def _no(because: str) -> Ruling:
    return Ruling(is_allowed=False, because=because)
