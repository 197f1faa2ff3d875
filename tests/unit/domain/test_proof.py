"""How fresh a proof of who somebody is must be, for each permission; and what breaks the glass."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.proof import BREAK_GLASS, IdentityRules, why_not_fresh
from tidegate.testing.builders import START

ALICE = Caller(
    name="alice",
    kind=CallerKind.PERSON,
    person="sub-1",
    is_verified=True,
    authenticated_at=START,
)
WITH_LOGIN = IdentityRules(can_log_in=True)
HEAVY = {
    "approve",
    "resume",
    "emergency.declare",
    "emergency.approve",
    "policy.edit",
}


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize(
    ("ago_seconds", "is_fresh"),
    [(0, True), (300, True), (301, False), (12 * 3600, False), (-30, True), (-31, False)],
)
def test_what_weighs_much_takes_a_proof_of_minutes_ago(
    permission: Permission, ago_seconds: int, is_fresh: bool
) -> None:
    """Five minutes, and none from the future; everything else takes none at all."""
    now = START + timedelta(seconds=ago_seconds)

    why_not = why_not_fresh(WITH_LOGIN, ALICE, permission, now)

    assert (why_not is None) is (is_fresh or permission.value not in HEAVY)


@pytest.mark.parametrize("permission", [Permission.HALT, Permission.ALARM, Permission.ROLLBACK])
def test_stopping_and_going_back_never_wait_for_a_proof(permission: Permission) -> None:
    """However long ago it was, and when there was none."""
    for at in (None, START - timedelta(days=300)):
        caller = replace(ALICE, authenticated_at=at)
        assert why_not_fresh(WITH_LOGIN, caller, permission, START) is None


def test_a_token_proves_nothing_freshly() -> None:
    """Where people can log in they approve by that, and not with a token that may have been copied."""
    token = replace(ALICE, authenticated_at=None)

    assert why_not_fresh(WITH_LOGIN, token, Permission.APPROVE, START) is not None
    assert why_not_fresh(IdentityRules(), token, Permission.APPROVE, START) is None


def test_the_servers_own_token_raises_nothing_where_names_are_verified() -> None:
    """It reads, stops, and lets people in again."""
    assert {one.value for one in BREAK_GLASS} == {
        "read",
        "halt",
        "alarm",
        "access.grant",
        "token.issue",
    }
