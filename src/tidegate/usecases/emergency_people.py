"""
Who somebody is to an emergency: the person who is counted, and the groups and roles that they are in.

Read from the policy, the grants and the caller; a claimed name is in no group that only it says. Rule:
a role counts only where it was granted.
"""

from datetime import datetime

from tidegate.domain.access.authorise import authorise
from tidegate.domain.access.model import Caller, GrantEffect, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.errors import ForbiddenError
from tidegate.ports.store import Transaction
from tidegate.usecases.access import access_in
from tidegate.usecases.policies import person_behind, policy_in_force


def person_counted(transaction: Transaction, caller: Caller, organisation: str, does: str) -> str:
    """
    Return the person behind *caller* by the policy of *organisation*.

    Raises:
        ForbiddenError: nobody stands behind *caller*; *does* says what only a person does.
    """
    person = person_behind(policy_in_force(transaction, organisation), caller)
    if person is None:
        raise ForbiddenError(
            f"no person stands behind {caller.name}, and only a person {does}",
            hint="do it under your own name",
        )
    return person


def standing_of(
    transaction: Transaction,
    caller: Caller,
    person: str,
    resource: Resource,
    permission: Permission,
    now: datetime,
) -> frozenset[str]:
    """Return the groups of *person* and the roles by which *caller* has *permission* on *resource*."""
    policy = policy_in_force(transaction, resource.organisation)
    by_policy = {group for one in policy.people if one.name == person for group in one.groups}
    said = set(caller.groups) if caller.is_verified else set()
    grants = () if caller.is_root else access_in(transaction, caller, now).grants
    roles = {
        grant.role
        for grant in grants
        if grant.effect is GrantEffect.ALLOW
        # By this grant alone: a role somewhere else makes nobody one here.
        and authorise(caller, permission, resource, (grant,), now).is_allowed
    }
    return frozenset(by_policy | said | roles)
