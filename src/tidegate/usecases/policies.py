"""
The policy in force, for whoever decides by it, and who edited it lately.

Applying one is a command in a module of its own; here it is only read.
"""

from datetime import datetime
from typing import Final

from tidegate.domain.access.model import DEFAULT_ORGANISATION, Caller, Resource
from tidegate.domain.approvals.duties import EDITORS_WAIT
from tidegate.domain.policy.model import NO_POLICY, Policy, PolicyVersion
from tidegate.ports.store import Transaction
from tidegate.usecases.access import Access
from tidegate.usecases.shelves import Shelf

POLICIES = Shelf(
    kind="policy",
    type=PolicyVersion,
    id_of=lambda version: f"{version.organisation}/{version.number:08}",
    at=lambda version: version.at,
    is_open=lambda version: version.is_in_force,
    service_of=lambda _: None,
)

VERSIONS_READ: Final = 1_000
"""How many of the latest versions are looked through for who edited the policy lately."""

VERSIONS_LOOKED_THROUGH: Final = 10_000
"""How many of the latest versions of all organisations are looked through for one's own."""


def policy_in_force(transaction: Transaction, organisation: str = DEFAULT_ORGANISATION) -> Policy:
    """Return the policy of *organisation*, `NO_POLICY` when it has none."""
    version = version_in_force(transaction, organisation)
    return NO_POLICY if version is None else version.policy


def version_in_force(transaction: Transaction, organisation: str) -> PolicyVersion | None:
    """Return the version of the policy that is in force, None when there is none."""
    return next(
        (one for one in POLICIES.open(transaction) if one.organisation == organisation), None
    )


def readable_policy(transaction: Transaction, access: Access) -> PolicyVersion | None:
    """Return the version in force as far as the caller may know: None as if there were none."""
    organisation = access.caller.organisation
    if not access.may_read(Resource(organisation=organisation)):
        return None
    return version_in_force(transaction, organisation)


def readable_policies(
    transaction: Transaction, access: Access, *, limit: int
) -> tuple[PolicyVersion, ...]:
    """Return the versions of the caller's policy that they may read, newest first, at most *limit*."""
    organisation = access.caller.organisation
    if not access.may_read(Resource(organisation=organisation)):
        return ()
    found = [
        one
        for one in POLICIES.latest(transaction, limit=VERSIONS_LOOKED_THROUGH)
        if one.organisation == organisation
    ]
    return tuple(sorted(found, key=lambda version: -version.number)[:limit])


def editors_lately(transaction: Transaction, organisation: str, now: datetime) -> frozenset[str]:
    """Return the persons who edited the policy of *organisation* too lately to approve by it."""
    policy = policy_in_force(transaction, organisation)
    names = {
        name
        for version in POLICIES.latest(transaction, limit=VERSIONS_READ)
        if version.organisation == organisation and now - version.at < EDITORS_WAIT
        for name in (version.person, version.by)
        if name is not None
    }
    # Also as whom the policy takes them now: an edit of it makes nobody somebody else.
    return frozenset(names | {person for name in names if (person := policy.person_of(name))})


def person_behind(policy: Policy, caller: Caller) -> str | None:
    """
    Return the person who is counted when *caller* acts, None when nobody is known to stand behind it.

    The policy has the last word on whose an account or a program is; else it is as *caller* says.
    """
    known = policy.person_of(caller.name)
    if known is not None or caller.person is None:
        return known
    return policy.person_of(caller.person) or caller.person
