"""
What an approval is bound to, and why one may count no more. Only the types.

An approval is a person's yes to one very thing. When any part of that thing moves, it was a yes to
something else.
"""

from dataclasses import dataclass
from datetime import datetime


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
