"""Grants, roles and rulings as they are shown."""

from tidegate.api.shapes import access as shapes
from tidegate.domain.access.model import Caller, Grant
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.roles import ROLES, Role, denied_by
from tidegate.domain.access.scopes import places_of, write_place
from tidegate.usecases.access_reads import Checked

ABOUT: dict[Role, str] = {
    Role.VIEWER: "sees everything there, and may stop it",
    Role.DEVELOPER: "proposes, starts and takes back changes",
    Role.PIPELINE: "a program that starts changes and brings metrics and evidence",
    Role.APPROVER: "agrees to rises, and to what an emergency left undone",
    Role.OPERATOR: "runs rollouts: starts, lets go on, takes back, closes times for changes",
    Role.INCIDENT_COMMANDER: "declares emergencies or agrees to another's, takes back, freezes",
    Role.AUDITOR: "reads the whole ledger",
    Role.POLICY_EDITOR: "edits what must hold for every rollout",
    Role.ADMINISTRATOR: "gives access, and sees in the ledger what became of it",
}
"""What each role is for, in a few words."""


def show_grant(grant: Grant) -> shapes.Grant:
    """Return *grant* as it is shown."""
    return shapes.Grant(
        id=grant.id,
        subject=grant.subject,
        role=grant.role,
        scope=grant.scope,
        effect=grant.effect.value,
        granted_by=grant.granted_by,
        granted_at=grant.granted_at,
        expires_at=grant.expires_at,
        revoked_at=grant.revoked_at,
    )


def show_roles() -> shapes.Roles:
    """Return all roles as they are shown."""
    return shapes.Roles(
        roles=[
            shapes.Role(
                name=role.value,
                about=ABOUT[role],
                permissions=_in_order(ROLES[role]),
                denies=_in_order(denied_by(role)),
            )
            for role in Role
        ]
    )


def show_checked(caller: Caller, checked: Checked) -> shapes.AccessChecked:
    """Return a ruling as it is shown."""
    return shapes.AccessChecked(
        caller=caller.name,
        permission=checked.permission,
        on=[write_place(place) for place in places_of(checked.resource)],
        is_allowed=checked.ruling.is_allowed,
        because=checked.ruling.because,
        granted_to=[*checked.granted_to],
    )


def _in_order(permissions: frozenset[Permission]) -> list[str]:
    return [one.value for one in Permission if one in permissions]
