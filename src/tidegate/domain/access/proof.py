"""
How sure the server is of who somebody is, and what that is enough for.

Rule 1: where names have to be verified, the server's own token is for emergencies alone: it reads, stops,
and lets the right people in again. It raises nothing, and nobody's name can be claimed with it.

Rule 2: what weighs much takes a proof of minutes ago. A browser that stayed open, or a token that was
copied, doesn't approve a change. Stopping never takes one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from tidegate.domain.access.model import Caller
from tidegate.domain.access.permissions import OPEN_TO_ALL, Permission


class IdentityMode(StrEnum):
    """What a name is worth on a server."""

    CLAIMED = "claimed"
    """Whoever holds the server's own token says who acts. For one team on one machine."""
    VERIFIED = "verified"
    """Every name is vouched for, by the identity provider or by a token that was issued."""


ROOT_NAME: Final = "root"
"""Who acts by the server's own token where names are verified."""

BREAK_GLASS: Final = frozenset(
    {
        Permission.READ,
        Permission.HALT,
        Permission.ALARM,
        Permission.ACCESS_GRANT,
        Permission.TOKEN_ISSUE,
    }
)
"""What the server's own token may do where names are verified."""

FRESH_FOR: Final = timedelta(minutes=5)
"""How long a proof is fresh (OWASP ASVS 5.0, 6.8.4 and 7.5.3)."""

AHEAD_AT_MOST: Final = timedelta(seconds=30)
"""How far a provider's clock may be ahead of this server's."""

TAKES_FRESH_PROOF: Final[Mapping[Permission, bool]] = {
    Permission.READ: False,
    Permission.PROPOSE: False,
    Permission.START: False,
    Permission.APPROVE: True,
    Permission.HALT: False,
    Permission.RESUME: True,
    Permission.ROLLBACK: False,
    Permission.ABANDON: False,
    Permission.ALARM: False,
    Permission.SEND_METRICS: False,
    Permission.SUBMIT_EVIDENCE: False,
    Permission.FREEZE: False,
    Permission.EXCEPT: False,
    Permission.EMERGENCY_DECLARE: True,
    Permission.EMERGENCY_APPROVE: True,
    Permission.DEBT_SETTLE: False,
    Permission.POSTMORTEM_EDIT: False,
    Permission.POLICY_EDIT: True,
    Permission.LEDGER_READ: False,
    Permission.TOKEN_ISSUE: False,
    Permission.ACCESS_GRANT: False,
    Permission.LOGIN: False,
    Permission.PUBLIC: False,
}
"""Every permission, and whether it takes a fresh proof of who one is."""

assert TAKES_FRESH_PROOF.keys() == set(Permission), "a permission without an answer"
assert not any(TAKES_FRESH_PROOF[one] for one in (Permission.HALT, *OPEN_TO_ALL))


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRules:
    """
    What this server asks of names. `can_log_in` is whether it has an identity provider, without which
    nobody could prove anything freshly.
    """

    mode: IdentityMode = IdentityMode.CLAIMED
    can_log_in: bool = False


def why_not_fresh(
    rules: IdentityRules, caller: Caller, permission: Permission, now: datetime
) -> str | None:
    """Return why *caller* has to prove who they are before they do *permission*, None when they needn't."""
    if not TAKES_FRESH_PROOF[permission] or caller.is_root or not rules.can_log_in:
        return None
    at = caller.authenticated_at
    if at is None:
        return "nothing says when they last proved who they are"
    age = now - at
    if -AHEAD_AT_MOST <= age <= FRESH_FOR:
        return None
    return f"they last proved who they are at {at.isoformat(timespec='seconds')}"
