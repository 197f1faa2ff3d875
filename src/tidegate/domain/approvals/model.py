"""
What an approval is bound to, and why one may count no more. Only the types.

An approval is a person's yes to one very thing. When any part of that thing moves, it was a yes to
something else.
"""

from dataclasses import dataclass
from datetime import datetime

from tidegate.domain.quantities import RolloutId


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """
    What an approval says yes to, as hashes.

    `change` is the digest of the versions as they resolve now, `plan` the plan's hash, `policy` the
    digest of the policy in force, `targets` the digest of the targets and their settings,
    `environment` the greatest that is touched, `exposure` the most that the phase allows, in words.
    `verdict` is the verdict of the evidence that was seen; a change of it voids, too.
    """

    change: str
    plan: str
    policy: str
    targets: str
    environment: str
    exposure: str
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidApproval:
    """An approval that doesn't count now, and why; part of the observation."""

    by: str
    at: datetime
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """
    What the versions of a rollout's change resolved to when they were last looked up again.

    `change` is the digest of the change as it resolves now, `words` names its versions. `moved_at` is when
    it last became another one than before; None while it always was what was started. `unknown` says why
    the latest look brought no answer, "" when it did: then `change` is of the look before.
    """

    rollout: RolloutId
    change: str
    words: str
    checked_at: datetime
    moved_at: datetime | None = None
    unknown: str = ""
