"""
Looking at access: which grants there are, why somebody may do something, and who else may.

What is answered here is made by the same rules that rule on requests, so that the explanation can't
differ from what happens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.domain.access.authorise import authorise, is_in_force, subjects_of
from tidegate.domain.access.granting import anywhere_in, resource_of_scope
from tidegate.domain.access.model import (
    Caller,
    CallerKind,
    Grant,
    GrantEffect,
    Resource,
    Ruling,
)
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.scopes import check_scope
from tidegate.domain.quantities import ServiceName
from tidegate.errors import InvalidRequestError, NotFoundError
from tidegate.usecases.access import GRANTS, Access, access_of
from tidegate.usecases.outside import Outside, unknown_service
from tidegate.usecases.resources import resource_of_organisation, resource_of_service


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """
    Whether a caller may do something to something, and who may.

    `granted_to` are the subjects that could do it by their grants alone; whether one of them is a name
    of the caller, or limited by a token, isn't said.
    """

    permission: Permission
    resource: Resource
    ruling: Ruling
    granted_to: tuple[str, ...]


def visible_grants(
    outside: Outside, caller: Caller, *, over_too: bool = False, limit: int = 1000
) -> tuple[Grant, ...]:
    """
    Return the grants that *caller* may see: those about what they may read, and their own.

    Args:
        outside: The world.
        caller: Who looks.
        over_too: Also those that ran out or were revoked, newest first.
        limit: At most so many.
    """
    access = access_of(outside, caller)
    with outside.store.begin(read_only=True) as transaction:
        found: Sequence[Grant] = (
            GRANTS.latest(transaction, limit=limit) if over_too else GRANTS.open(transaction)
        )
    return tuple(
        grant
        for grant in found
        if (over_too or is_in_force(grant, access.now)) and _sees(access, grant)
    )[:limit]


def visible_grant(outside: Outside, caller: Caller, grant_id: str) -> Grant:
    """Return one grant. Raises NotFoundError when there is none that *caller* may see."""
    access = access_of(outside, caller)
    with outside.store.begin(read_only=True) as transaction:
        grant = GRANTS.get(transaction, grant_id)
    if grant is None or not _sees(access, grant):
        raise no_such_grant(grant_id)
    return grant


def no_such_grant(grant_id: str) -> NotFoundError:
    """Return the error for a grant that isn't there."""
    return NotFoundError(
        f"there is no grant {grant_id[:64]!r}", hint="`tidegate access list` lists them"
    )


def check_access(
    outside: Outside, caller: Caller, permission: Permission, resource: Resource
) -> Checked:
    """Return whether *caller* may do *permission* to *resource*, and who may."""
    access = access_of(outside, caller)
    with outside.store.begin(read_only=True) as transaction:
        on_file = [one for one in GRANTS.open(transaction) if is_in_force(one, access.now)]
    subjects = sorted(
        {
            grant.subject
            for grant in on_file
            if grant.effect is GrantEffect.ALLOW and _sees(access, grant)
        }
    )
    return Checked(
        permission=permission,
        resource=resource,
        ruling=access.ruling(permission, resource),
        granted_to=tuple(
            subject
            for subject in subjects
            if authorise(
                _as_caller(subject, resource.organisation),
                permission,
                resource,
                on_file,
                access.now,
            ).is_allowed
        ),
    )


def resource_to_check(
    outside: Outside, caller: Caller, *, service: str | None, scope: str | None
) -> Resource:
    """
    Return what a question about access is about: a service, a scope, or the whole organisation.

    Raises:
        InvalidRequestError: both are given, or *scope* is none.
        NotFoundError: there is no such service, as far as *caller* may know.
    """
    if service is not None and scope is not None:
        raise InvalidRequestError(
            "a service and a scope were given", hint="ask about one of them at a time"
        )
    if scope is not None:
        return resource_of_scope(check_scope(scope))
    if service is None:
        return resource_of_organisation(caller)
    with outside.store.begin(read_only=True) as transaction:
        resource = resource_of_service(transaction, ServiceName(service))
    if resource is None or not access_of(outside, caller).may_read(resource):
        raise unknown_service(ServiceName(service))
    return resource


def _sees(access: Access, grant: Grant) -> bool:
    is_own = grant.subject in subjects_of(access.caller)
    is_here = grant.scope.partition("/")[0] == access.caller.organisation
    return (is_own and is_here) or access.may_read(anywhere_in(grant.scope))


def _as_caller(subject: str, organisation: str) -> Caller:
    """Return somebody who is *subject* and nothing else."""
    kind, _, name = subject.partition(":")
    is_group = kind == "group"
    return Caller(
        name="" if is_group else name,
        kind=CallerKind.PROGRAM if kind == "program" else CallerKind.PERSON,
        person=name if kind == "person" else None,
        organisation=organisation,
        groups=(name,) if is_group else (),
        is_verified=True,
    )
