"""
The ruling: whether a caller may do something to something, by the grants that there are.

Rule 1: what isn't granted is refused. An explicit deny wins over every allow, in whatever order they were
given; only the server's own token is above both.

Rule 2: nothing is granted across organisations. No grant, scope or role can say otherwise.

Rule 3: what is touched is looked at part by part, one per target. A verb needs every part. Reading,
stopping and alarming need one: a wrong answer there must be that somebody stopped what they needn't have.

Rule 4: a verb that raises exposure reaches an environment only by a grant that names it.

Pure: the same arguments give the same ruling.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from tidegate.domain.access.model import (
    Caller,
    CallerKind,
    Grant,
    GrantEffect,
    Resource,
    Ruling,
)
from tidegate.domain.access.permissions import OF_ONE_PART, OPEN_TO_ALL, RAISING, Permission
from tidegate.domain.access.roles import denied_by, permissions_of
from tidegate.domain.access.scopes import (
    Place,
    covers,
    meets,
    names_environment,
    places_of,
    write_place,
)


def authorise(
    caller: Caller,
    permission: Permission,
    resource: Resource,
    grants: Iterable[Grant],
    now: datetime,
) -> Ruling:
    """
    Return whether *caller* may do *permission* to *resource* at *now*.

    Args:
        caller: Who asks.
        permission: What for.
        resource: What it touches, read from records.
        grants: Every grant that may concern the caller; those that don't change nothing.
        now: When; grants that are over or revoked by then don't count.
    """
    if permission in OPEN_TO_ALL:
        return Ruling(is_allowed=True, because=f"{permission} is open to all")
    if caller.granted is not None and permission not in caller.granted:
        return Ruling(
            is_allowed=False, because=f"the token of {caller.name} isn't for {permission}"
        )
    if caller.is_root:
        return Ruling(is_allowed=True, because=f"{caller.name} holds the server's own token")
    if resource.organisation != caller.organisation:
        return Ruling(is_allowed=False, because=f"{caller.name} is of another organisation")
    mine = grants_of(caller, grants, now)
    rulings = [_of_place(caller, permission, place, mine) for place in places_of(resource)]
    wanted = permission in OF_ONE_PART
    return next((one for one in rulings if one.is_allowed is wanted), rulings[0])


def grants_of(caller: Caller, grants: Iterable[Grant], now: datetime) -> tuple[Grant, ...]:
    """
    Return those of *grants* that count for *caller* at *now*.

    An allow is for who was named and is vouched for. A deny of a person also holds for every program
    and other name behind which that person stands.
    """
    allowed = subjects_of(caller) if caller.is_verified else frozenset()
    denied = subjects_of(caller) | ({f"person:{caller.person}"} if caller.person else frozenset())
    return tuple(
        grant
        for grant in grants
        if is_in_force(grant, now)
        and grant.subject in (allowed if grant.effect is GrantEffect.ALLOW else denied)
    )


def subjects_of(caller: Caller) -> frozenset[str]:
    """Return the subjects of grants that *caller* is."""
    kind = "program" if caller.kind is CallerKind.PROGRAM else "person"
    return frozenset({f"{kind}:{caller.name}", *(f"group:{group}" for group in caller.groups)})


def is_in_force(grant: Grant, now: datetime) -> bool:
    """Return whether *grant* has a say at *now*."""
    return grant.revoked_at is None and (grant.expires_at is None or now < grant.expires_at)


def write_grant(grant: Grant) -> str:
    """Return *grant* in a few words."""
    verb = "allows" if grant.effect is GrantEffect.ALLOW else "denies"
    return f"grant {grant.id} {verb} {grant.subject} {grant.role} on {grant.scope}"


def _of_place(
    caller: Caller, permission: Permission, place: Place, grants: Sequence[Grant]
) -> Ruling:
    denying = _denying(permission, place, grants)
    if denying is not None:
        return Ruling(is_allowed=False, because=write_grant(denying))
    unnamed: Grant | None = None
    for grant in grants:
        if grant.effect is not GrantEffect.ALLOW or permission not in permissions_of(grant.role):
            continue
        if not _reaches(permission, place, grant.scope):
            continue
        if _is_named(permission, place, grant.scope):
            return Ruling(is_allowed=True, because=write_grant(grant))
        unnamed = grant
    if unnamed is not None:
        return Ruling(
            is_allowed=False,
            because=f"{write_grant(unnamed)}, which doesn't name the environment {place[2]}, and"
            f" {permission} needs that",
        )
    return Ruling(
        is_allowed=False,
        because=f"{caller.name} isn't granted {permission} on {write_place(place)}",
    )


def _denying(permission: Permission, place: Place, grants: Sequence[Grant]) -> Grant | None:
    """
    Return a deny that takes *permission* away at *place*.

    What is wider than a deny is denied with it, but for stopping: only who is shut out of all of it
    can't stop it.
    """
    holds = covers if permission in OF_ONE_PART else meets
    for grant in grants:
        is_deny = grant.effect is GrantEffect.DENY and permission in denied_by(grant.role)
        if is_deny and holds(grant.scope, place):
            return grant
    return None


def _reaches(permission: Permission, place: Place, scope: str) -> bool:
    """Return whether an allow on *scope* is about *place*; of what is wider, one part is enough to stop."""
    holds = meets if permission in OF_ONE_PART else covers
    return holds(scope, place)


def _is_named(permission: Permission, place: Place, scope: str) -> bool:
    environment = place[2]
    return permission not in RAISING or environment is None or names_environment(scope)
