"""Roles: what each brings and never brings, as promises about the table."""

import pytest

from tidegate.domain.access.permissions import OPEN_TO_ALL, RAISING, Permission
from tidegate.domain.access.roles import ROLES, Role, denied_by, permissions_of


def test_every_role_is_in_the_table() -> None:
    """Nine: eight for people and one for programs."""
    assert set(ROLES) == set(Role)
    assert len(ROLES) == 9


@pytest.mark.parametrize("role", Role)
def test_whoever_has_any_role_can_read_stop_and_raise_an_alarm(role: Role) -> None:
    """Halt is granted widely: nobody has to look for somebody who may."""
    assert {Permission.READ, Permission.HALT, Permission.ALARM} <= ROLES[role]


def test_every_permission_is_had_by_some_role() -> None:
    """Nothing can be done by the server's own token alone."""
    assert frozenset().union(*ROLES.values()) == frozenset(Permission) - OPEN_TO_ALL


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR, Role.POLICY_EDITOR])
def test_who_looks_or_edits_policy_raises_nothing(role: Role) -> None:
    """These roles bring no verb that lets more people meet a change."""
    assert not ROLES[role] & RAISING


def test_who_gives_access_away_raises_nothing_and_edits_no_policy() -> None:
    """Administrators don't approve by being administrators."""
    administrator = ROLES[Role.ADMINISTRATOR]

    assert not administrator & RAISING
    assert Permission.POLICY_EDIT not in administrator


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Permission.START, Permission.APPROVE),
        (Permission.START, Permission.EMERGENCY_APPROVE),
        (Permission.START, Permission.POLICY_EDIT),
        (Permission.START, Permission.ACCESS_GRANT),
        (Permission.RESUME, Permission.APPROVE),
        (Permission.EXCEPT, Permission.APPROVE),
        (Permission.APPROVE, Permission.POLICY_EDIT),
        (Permission.APPROVE, Permission.ACCESS_GRANT),
        (Permission.EMERGENCY_DECLARE, Permission.DEBT_SETTLE),
        (Permission.SUBMIT_EVIDENCE, Permission.APPROVE),
    ],
)
def test_no_role_brings_both(one: Permission, other: Permission) -> None:
    """What one role lets somebody begin, another role is needed to agree to."""
    both = [role for role, verbs in ROLES.items() if {one, other} <= verbs]

    assert both == []


def test_only_programs_bring_evidence() -> None:
    """Test results by a person's own word would be that person's word for their own change."""
    bringing = {role for role, verbs in ROLES.items() if Permission.SUBMIT_EVIDENCE in verbs}

    assert bringing == {Role.PIPELINE}


def test_a_role_nobody_knows_allows_nothing_and_denies_all_it_could_mean() -> None:
    """A grant that a later version wrote never lets more through here."""
    assert permissions_of("super-user") == frozenset()
    assert denied_by("super-user") >= RAISING
    assert Permission.HALT not in denied_by("super-user")


def test_denying_a_role_leaves_what_everyone_has() -> None:
    """Who shall not operate production can still stop it; only a denied viewer is shut out."""
    for role in Role:
        taken = denied_by(role)
        if role is Role.VIEWER:
            assert taken == frozenset(Permission) - OPEN_TO_ALL
        else:
            assert taken == ROLES[role] - ROLES[Role.VIEWER]
