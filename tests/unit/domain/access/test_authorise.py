"""The ruling on single requests, case by case. What holds for all of them is in tests/property."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.access.authorise import authorise
from tidegate.domain.access.model import (
    Caller,
    CallerKind,
    Grant,
    GrantEffect,
    Resource,
)
from tidegate.domain.access.permissions import RAISING, Permission
from tidegate.domain.access.roles import Role
from tidegate.testing.builders import START

ALICE = Caller(
    name="alice",
    kind=CallerKind.PERSON,
    person="alice",
    organisation="acme",
    groups=("sre",),
    is_verified=True,
)
BOT = Caller(
    name="deployer",
    kind=CallerKind.PROGRAM,
    person="alice",
    organisation="acme",
    is_verified=True,
)


def a_grant(
    role: Role,
    scope: str,
    *,
    subject: str = "person:alice",
    effect: GrantEffect = GrantEffect.ALLOW,
    **changed: object,
) -> Grant:
    grant = Grant(
        id="g-1",
        subject=subject,
        role=role,
        scope=scope,
        effect=effect,
        granted_by="root",
        granted_at=START,
    )
    return replace(grant, **changed)  # type: ignore[arg-type]


def a_deny(role: Role, scope: str, *, subject: str = "person:alice") -> Grant:
    return a_grant(role, scope, subject=subject, effect=GrantEffect.DENY)


def the_shop(*places: tuple[str, str], organisation: str = "acme") -> Resource:
    return Resource(
        organisation=organisation,
        project="pay",
        service="shop",
        environments=tuple(environment for environment, _ in places),
        targets=tuple(target for _, target in places),
    )


PRODUCTION = the_shop(("production", "eu"))
STAGING = the_shop(("staging", "test-1"))
BOTH = the_shop(("staging", "test-1"), ("production", "eu"))
EVERYTHING = Resource(organisation="acme")


def may(permission: Permission, resource: Resource, *grants: Grant, caller: Caller = ALICE) -> bool:
    return authorise(caller, permission, resource, grants, START).is_allowed


def test_nothing_is_granted_to_whoever_has_no_grant() -> None:
    """Default deny, for every permission but those that are open to all."""
    for permission in Permission:
        is_open = permission in (Permission.LOGIN, Permission.PUBLIC)
        assert may(permission, PRODUCTION) is is_open, permission


def test_a_role_is_had_where_it_was_granted() -> None:
    """And nowhere else, and nothing else."""
    grant = a_grant(Role.OPERATOR, "acme/pay/staging")

    assert may(Permission.RESUME, STAGING, grant)
    assert not may(Permission.APPROVE, STAGING, grant)
    assert not may(Permission.RESUME, PRODUCTION, grant)


def test_every_target_must_be_granted() -> None:
    """A rollout that also reaches production isn't started with a right to staging."""
    staging = a_grant(Role.DEVELOPER, "acme/pay/staging")
    production = a_grant(Role.DEVELOPER, "acme/pay/production")

    assert not may(Permission.START, BOTH, staging)
    assert may(Permission.START, BOTH, staging, production)


def test_a_deny_of_one_target_refuses_all() -> None:
    """Whatever else was granted, before or after."""
    allow = a_grant(Role.DEVELOPER, "acme/*/production")
    also = a_grant(Role.DEVELOPER, "acme/*/staging")
    deny = a_deny(Role.DEVELOPER, "acme/pay/production/eu")

    for grants in ((allow, also, deny), (deny, also, allow), (also, deny, allow)):
        assert not may(Permission.START, BOTH, *grants)
        assert not may(Permission.ROLLBACK, BOTH, *grants)
    assert may(Permission.START, STAGING, allow, also, deny)


def test_one_target_is_enough_to_see_and_to_stop() -> None:
    """Whoever is at one end of a rollout sees it whole and stops it whole."""
    grant = a_grant(Role.VIEWER, "acme/pay/staging")

    for permission in (Permission.READ, Permission.HALT, Permission.ALARM):
        assert may(permission, BOTH, grant)
        assert not may(permission, PRODUCTION, grant)


def test_whoever_may_stop_anything_may_stop_everything() -> None:
    """A stop of the whole organisation holds their part of it; going on needs the whole."""
    grant = a_grant(Role.OPERATOR, "acme/pay/staging")

    assert may(Permission.HALT, EVERYTHING, grant)
    assert not may(Permission.RESUME, EVERYTHING, grant)
    assert may(Permission.RESUME, EVERYTHING, a_grant(Role.OPERATOR, "acme"))


def test_a_denied_role_leaves_stopping() -> None:
    """Only a denied viewer is shut out, and sees nothing either."""
    allow = a_grant(Role.OPERATOR, "acme/*/production")

    halting = may(Permission.HALT, PRODUCTION, allow, a_deny(Role.OPERATOR, "acme"))
    shut_out = a_deny(Role.VIEWER, "acme")

    assert halting
    for permission in (Permission.HALT, Permission.READ, Permission.RESUME):
        assert not may(permission, PRODUCTION, allow, shut_out)
        assert not may(permission, EVERYTHING, allow, shut_out)


def test_who_is_shut_out_of_one_part_still_stops_the_rest() -> None:
    """A deny of one project doesn't take the stop of everything away."""
    allow = a_grant(Role.VIEWER, "acme")
    deny = a_deny(Role.VIEWER, "acme/pay")

    assert may(Permission.HALT, EVERYTHING, allow, deny)
    assert not may(Permission.HALT, PRODUCTION, allow, deny)


def test_going_on_with_everything_is_denied_by_a_deny_of_a_part() -> None:
    """What is wider than a deny holds what is denied."""
    allow = a_grant(Role.OPERATOR, "acme")

    assert not may(Permission.RESUME, EVERYTHING, allow, a_deny(Role.OPERATOR, "acme/pay"))


@pytest.mark.parametrize("permission", sorted(RAISING))
def test_an_environment_is_never_reached_unnamed(permission: Permission) -> None:
    """A wide grant of any role lets nobody raise exposure in production by the way."""
    wide = [a_grant(role, scope) for role in Role for scope in ("acme", "acme/*", "acme/pay")]
    named = [a_grant(role, "acme/*/production") for role in Role]

    assert not may(permission, PRODUCTION, *wide)
    assert may(permission, PRODUCTION, *named)
    refused = authorise(ALICE, permission, PRODUCTION, wide, START)
    assert "doesn't name the environment production" in refused.because


def test_taking_back_needs_no_name_of_an_environment() -> None:
    """The way down is never the one that lacks a grant."""
    grant = a_grant(Role.DEVELOPER, "acme")

    assert may(Permission.ROLLBACK, PRODUCTION, grant)
    assert may(Permission.ABANDON, PRODUCTION, grant)


def test_a_grant_that_is_over_or_revoked_counts_no_more() -> None:
    """From the very instant on."""
    grant = a_grant(Role.VIEWER, "acme")

    assert may(Permission.READ, PRODUCTION, replace(grant, expires_at=START + timedelta(seconds=1)))
    assert not may(Permission.READ, PRODUCTION, replace(grant, expires_at=START))
    assert not may(Permission.READ, PRODUCTION, replace(grant, revoked_at=START))


def test_a_group_holds_for_those_in_it() -> None:
    """And for nobody else."""
    grant = a_grant(Role.VIEWER, "acme", subject="group:sre")

    assert may(Permission.READ, PRODUCTION, grant)
    assert not may(Permission.READ, PRODUCTION, grant, caller=replace(ALICE, groups=("dev",)))


def test_a_program_has_its_own_grants_and_its_owners_denies() -> None:
    """Nobody gets round a deny by a program of theirs, nor widens a program by being somebody."""
    of_alice = a_grant(Role.DEVELOPER, "acme/pay/production")
    of_bot = replace(of_alice, subject="program:deployer")
    deny = a_deny(Role.DEVELOPER, "acme/pay/production")

    assert not may(Permission.START, PRODUCTION, of_alice, caller=BOT)
    assert may(Permission.START, PRODUCTION, of_bot, caller=BOT)
    assert not may(Permission.START, PRODUCTION, of_bot, deny, caller=BOT)
    assert not may(Permission.START, PRODUCTION, of_bot, caller=replace(ALICE, name="deployer"))


def test_a_second_name_of_a_denied_person_is_denied() -> None:
    """What counts is the person behind."""
    second = replace(ALICE, name="alice-2", person="alice")
    allow = a_grant(Role.DEVELOPER, "acme/pay/production", subject="person:alice-2")

    assert may(Permission.START, PRODUCTION, allow, caller=second)
    deny = a_deny(Role.DEVELOPER, "acme")
    assert not may(Permission.START, PRODUCTION, allow, deny, caller=second)


def test_a_claimed_name_has_no_grants() -> None:
    """Nobody vouches for it; what is denied to the name stays denied."""
    claimed = replace(ALICE, is_verified=False)

    assert not may(Permission.READ, PRODUCTION, a_grant(Role.VIEWER, "acme"), caller=claimed)


def test_a_token_is_good_for_what_it_was_issued_for() -> None:
    """Also when its holder may more, and also when the holder is the server's own."""
    limited = replace(ALICE, granted=frozenset({Permission.READ}))
    grant = a_grant(Role.OPERATOR, "acme/pay/staging")

    assert may(Permission.READ, STAGING, grant, caller=limited)
    assert not may(Permission.RESUME, STAGING, grant, caller=limited)
    assert not may(Permission.HALT, STAGING, caller=replace(limited, is_root=True))


def test_the_servers_own_token_opens_everything_and_the_ruling_says_so() -> None:
    """The embedded default: no grants at all."""
    root = replace(ALICE, is_root=True, is_verified=False)

    ruling = authorise(root, Permission.START, PRODUCTION, (), START)

    assert ruling.is_allowed
    assert ruling.because == "alice holds the server's own token"


def test_another_organisation_is_never_reached() -> None:
    """Not by its own name in a scope either."""
    other = the_shop(("production", "eu"), organisation="umbrella")
    grants = [a_grant(role, "umbrella/pay/production") for role in Role]

    assert not any(may(permission, other, *grants) for permission in RAISING)
    assert not may(Permission.READ, other, *grants)
    assert not may(Permission.HALT, other, *grants)


def test_the_ruling_names_the_grant() -> None:
    """So that whoever asks why gets something to look up."""
    allow = a_grant(Role.OPERATOR, "acme/pay/staging")
    deny = a_deny(Role.OPERATOR, "acme/pay/staging", subject="group:sre")

    allowed = authorise(ALICE, Permission.RESUME, STAGING, [allow], START)
    denied = authorise(ALICE, Permission.RESUME, STAGING, [allow, deny], START)
    missing = authorise(ALICE, Permission.RESUME, STAGING, [], START)

    assert allowed.because == "grant g-1 allows person:alice operator on acme/pay/staging"
    assert denied.because == "grant g-1 denies group:sre operator on acme/pay/staging"
    assert missing.because == "alice isn't granted resume on acme/pay/staging/test-1"
