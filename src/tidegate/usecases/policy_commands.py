"""
Putting a policy in force: one version after the other, each on record with its text and its editor.

Optimistic: an editor says which version they changed, so that two of them can't overwrite one another.
"""

import difflib
from dataclasses import dataclass, replace
from typing import ClassVar

from tidegate.documents.canonical import digest_of_bytes
from tidegate.documents.policy_file import read_policy
from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.policy.model import NO_POLICY, Policy, PolicyVersion
from tidegate.errors import ForbiddenError, StateMovedError
from tidegate.ports.store import Transaction
from tidegate.usecases.bus import Command
from tidegate.usecases.commands import need_reason
from tidegate.usecases.outside import Outside
from tidegate.usecases.policies import POLICIES, person_behind, version_in_force
from tidegate.usecases.record import note_fact
from tidegate.usecases.resources import resource_of_organisation


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyPolicy(Command[PolicyVersion]):
    """Put the policy that *text* describes in force, in the place of the one with the digest *at*."""

    permission: ClassVar[Permission] = Permission.POLICY_EDIT

    text: str
    at: str
    reason: str

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the whole organisation."""
        return resource_of_organisation(caller)

    async def carry_out(self, outside: Outside, caller: Caller) -> PolicyVersion:
        """Record the new version; the one before stays on record."""
        return apply_policy(outside, caller, self.text, at=self.at, reason=self.reason)


def apply_policy(
    outside: Outside, caller: Caller, text: str, *, at: str, reason: str
) -> PolicyVersion:
    """
    Put a policy in force. One that says what is in force already changes nothing.

    Args:
        outside: The world.
        caller: Who edits it.
        text: A `tidegate-org.yaml`.
        at: Digest of the policy that was edited, "" when there was none.
        reason: Why.

    Raises:
        InvalidDocumentError: *text* can't be used.
        InvalidRequestError: no reason was given.
        ForbiddenError: it is the policy of another organisation, or no person stands behind *caller*.
        StateMovedError: another policy is in force than *at*.
    """
    why = need_reason(reason, "editing the policy")
    now = outside.clock.now()
    policy = read_policy(text, today=now.date())
    if policy.organisation != caller.organisation:
        raise ForbiddenError(
            f"this is the policy of {policy.organisation!r}, and yours is {caller.organisation!r}",
            hint=f"write `organisation: {caller.organisation}`",
        )
    with outside.store.begin() as transaction:
        before = version_in_force(transaction, policy.organisation)
        known = NO_POLICY if before is None else before.policy
        if known.digest != at:
            raise StateMovedError(
                f"the policy in force is {known.digest or 'none'}; you edited {at or 'none'}",
                hint="look at what it says now with `tidegate policy show`, and edit that",
            )
        if before is not None and policy.digest == known.digest and text == before.text:
            return before
        after = PolicyVersion(
            organisation=policy.organisation,
            number=1 if before is None else before.number + 1,
            text=text,
            policy=policy,
            by=caller.name,
            person=_editor(known, caller),
            reason=why,
            at=now,
            is_in_force=True,
        )
        _put(transaction, before, after)
    return after


def _editor(known: Policy, caller: Caller) -> str:
    # By the policy that was: nobody becomes somebody else by what they edit.
    person = person_behind(known, caller)
    if person is None:
        raise ForbiddenError(
            f"no person stands behind {caller.name}, and only persons edit the policy",
            hint="apply it under your own name",
        )
    return person


def _put(transaction: Transaction, before: PolicyVersion | None, after: PolicyVersion) -> None:
    if before is not None:
        POLICIES.put(transaction, replace(before, is_in_force=False))
    POLICIES.put(transaction, after)
    note_fact(
        transaction,
        at=after.at,
        actor=after.by,
        kind="command",
        rule="apply-policy",
        because=after.reason,
        details={
            "organisation": after.organisation,
            "number": after.number,
            "digest": after.policy.digest,
            "before": "" if before is None else before.policy.digest,
            "diff": digest_of_bytes(policy_diff(before, after).encode("utf-8")),
            "person": after.person,
        },
    )


def policy_diff(before: PolicyVersion | None, after: PolicyVersion) -> str:
    """Return what changed from one version to the next, as a unified diff of the files."""
    was = "" if before is None else before.text
    return "".join(
        difflib.unified_diff(
            was.splitlines(keepends=True),
            after.text.splitlines(keepends=True),
            fromfile=f"version {0 if before is None else before.number}",
            tofile=f"version {after.number}",
        )
    )
