"""
The roles that can be granted, as one table: eight for people and one for programs.

Rule 1: everyone with any role may read, stop and raise an alarm. Whoever sees harm must be able to end
it, and nobody has to be asked for that first.

Rule 2: a role brings a verb that raises exposure only if that is what the role is for. Who gives access
away doesn't start, approve or edit policy by that; who edits policy doesn't approve.

Rule 3: no role says where. That is the grant's, and an environment is never reached by a wildcard.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from tidegate.domain.access.permissions import OPEN_TO_ALL, Permission


class Role(StrEnum):
    """What somebody is, where a grant says so."""

    VIEWER = "viewer"
    """Sees everything there, and may stop it."""
    DEVELOPER = "developer"
    """Proposes, starts and takes back changes."""
    PIPELINE = "pipeline"
    """A program: starts changes, and brings metrics and the evidence that gates judge."""
    APPROVER = "approver"
    """Agrees to rises, and to what an emergency left undone."""
    OPERATOR = "operator"
    """Runs rollouts: starts, lets go on, takes back, closes times for changes."""
    INCIDENT_COMMANDER = "incident-commander"
    """Declares emergencies or agrees to one that somebody else declared; takes back, freezes."""
    AUDITOR = "auditor"
    """Reads the whole ledger."""
    POLICY_EDITOR = "policy-editor"
    """Edits what must hold for every rollout."""
    ADMINISTRATOR = "administrator"
    """Gives access, and sees in the ledger what became of it."""


OF_EVERYONE: Final = frozenset({Permission.READ, Permission.HALT, Permission.ALARM})
"""What every role brings."""

ROLES: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.VIEWER: OF_EVERYONE,
    Role.DEVELOPER: OF_EVERYONE
    | {
        Permission.PROPOSE,
        Permission.START,
        Permission.ROLLBACK,
        Permission.ABANDON,
        Permission.POSTMORTEM_EDIT,
    },
    Role.PIPELINE: OF_EVERYONE
    | {
        Permission.PROPOSE,
        Permission.START,
        Permission.ROLLBACK,
        Permission.SEND_METRICS,
        Permission.SUBMIT_EVIDENCE,
    },
    Role.APPROVER: OF_EVERYONE | {Permission.PROPOSE, Permission.APPROVE, Permission.DEBT_SETTLE},
    Role.OPERATOR: OF_EVERYONE
    | {
        Permission.PROPOSE,
        Permission.START,
        Permission.RESUME,
        Permission.ROLLBACK,
        Permission.ABANDON,
        Permission.FREEZE,
        Permission.EXCEPT,
        Permission.POSTMORTEM_EDIT,
    },
    Role.INCIDENT_COMMANDER: OF_EVERYONE
    | {
        Permission.PROPOSE,
        Permission.ROLLBACK,
        Permission.ABANDON,
        Permission.FREEZE,
        Permission.EMERGENCY_DECLARE,
        Permission.EMERGENCY_APPROVE,
        Permission.POSTMORTEM_EDIT,
    },
    Role.AUDITOR: OF_EVERYONE | {Permission.LEDGER_READ},
    Role.POLICY_EDITOR: OF_EVERYONE | {Permission.PROPOSE, Permission.POLICY_EDIT},
    Role.ADMINISTRATOR: OF_EVERYONE
    | {Permission.ACCESS_GRANT, Permission.TOKEN_ISSUE, Permission.LEDGER_READ},
}

EVERY_PERMISSION: Final = frozenset(Permission) - OPEN_TO_ALL


def permissions_of(role: str) -> frozenset[Permission]:
    """Return what *role* brings; nothing when this version doesn't know it."""
    known = _known(role)
    return frozenset() if known is None else ROLES[known]


def denied_by(role: str) -> frozenset[Permission]:
    """
    Return what a deny of *role* takes away.

    What the role is for, and not what everyone has: who shall not start there can still stop. A deny
    of `viewer` shuts out altogether. A role that this version doesn't know denies all that its name
    could mean.
    """
    match _known(role):
        case Role.VIEWER:
            return EVERY_PERMISSION
        case None:
            return EVERY_PERMISSION - OF_EVERYONE
        case known:
            return ROLES[known] - OF_EVERYONE


def _known(role: str) -> Role | None:
    return Role(role) if role in {one.value for one in Role} else None
