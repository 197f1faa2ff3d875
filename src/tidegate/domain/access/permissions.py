"""
The verbs that are granted: what somebody may be allowed to do, each on its own.

Rule: a verb that raises exposure never comes with one that doesn't. Nothing is decided here.
"""

from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """What an operation is, to whoever grants it."""

    READ = "read"
    PROPOSE = "propose"
    """Asking what a change would do, which changes nothing."""
    START = "start"
    APPROVE = "approve"
    HALT = "halt"
    """Stopping, narrow or wide. Granted widely, never rate limited, needs nobody's consent."""
    RESUME = "resume"
    """Letting what was stopped go on, giving a bake more time, lifting a stop order."""
    ROLLBACK = "rollback"
    ABANDON = "abandon"
    ALARM = "alarm"
    """Saying that something is wrong, which can stop a rollout and nothing else."""
    SEND_METRICS = "send_metrics"
    SUBMIT_EVIDENCE = "submit_evidence"
    """Giving a gate what it judges: test results, scans, signatures."""
    FREEZE = "freeze"
    """Closing a time for changes, or opening it again."""
    EXCEPT = "except"
    """Asking for a budgeted exception of a window or freeze."""
    EMERGENCY_DECLARE = "emergency.declare"
    EMERGENCY_APPROVE = "emergency.approve"
    DEBT_SETTLE = "debt.settle"
    """Waiving a debt by name; a gate that turns green settles its own."""
    POSTMORTEM_EDIT = "postmortem.edit"
    """Writing what contributed and what shall be done about it; it moves nothing."""
    POLICY_EDIT = "policy.edit"
    LEDGER_READ = "ledger.read"
    TOKEN_ISSUE = "token.issue"  # noqa: S105 - the name of a permission
    ACCESS_GRANT = "access.grant"
    LOGIN = "login"
    """Becoming known; open to anyone who can connect, and it gives nobody anything by itself."""
    PUBLIC = "public"
    """Open to anyone who can connect; must tell nothing but that the server lives."""


OPEN_TO_ALL = frozenset({Permission.LOGIN, Permission.PUBLIC})
"""Permissions that need no caller."""

OF_ONE_PART: Final = frozenset({Permission.READ, Permission.HALT, Permission.ALARM})
"""
Permissions that one part of what is touched is enough for.

Whoever is at one end of a rollout sees and stops the whole of it: what harms isn't cut into parts.
"""

RAISING: Final = frozenset(
    {
        Permission.START,
        Permission.APPROVE,
        Permission.RESUME,
        Permission.EXCEPT,
        Permission.EMERGENCY_DECLARE,
        Permission.EMERGENCY_APPROVE,
        Permission.DEBT_SETTLE,
    }
)
"""Permissions that can let more people meet a change. They reach no environment unnamed."""
