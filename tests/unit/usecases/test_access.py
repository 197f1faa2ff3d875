"""The ruling in the world: grants on file, and what is told to whoever may not even look."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.access.model import Caller, CallerKind, Grant, GrantEffect, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.roles import Role
from tidegate.errors import ForbiddenError, NotFoundError
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.access import GRANTS, access_of, may_read, refuse_unless_allowed, ruling_on
from tidegate.usecases.bus import perform
from tidegate.usecases.outside import unknown_service
from tidegate.usecases.resources import resource_of_rollout
from tidegate.usecases.rollout_commands import HaltRollout, ResumeRollout

BOB = Caller(name="bob", kind=CallerKind.PERSON, person="bob", is_verified=True)


def granted(
    world: MemoryWorld,
    role: Role,
    scope: str,
    *,
    effect: GrantEffect = GrantEffect.ALLOW,
    expires_in: timedelta | None = None,
) -> Grant:
    """File a grant to bob, as an administrator would have."""
    now = world.clock.now()
    grant = Grant(
        id=f"g-{role}-{scope}-{effect}",
        subject="person:bob",
        role=role,
        scope=scope,
        effect=effect,
        granted_by="root",
        granted_at=now,
        expires_at=None if expires_in is None else now + expires_in,
    )
    with world.store.begin() as transaction:
        GRANTS.put(transaction, grant)
    return grant


async def test_what_may_not_be_read_does_not_exist() -> None:
    """In the very words for a service that doesn't: nobody learns a name by asking."""
    world = MemoryWorld()
    touched = resource_of_rollout(await world.installed())
    truly_missing = unknown_service(touched.service or "")  # type: ignore[arg-type]

    with pytest.raises(NotFoundError) as refused:
        refuse_unless_allowed(world.outside, BOB, Permission.RESUME, touched)

    assert refused.value.message == truly_missing.message
    assert refused.value.hint == truly_missing.hint


async def test_what_may_be_read_is_refused_with_the_reason() -> None:
    """Whoever sees it is told what they lack."""
    world = MemoryWorld()
    touched = resource_of_rollout(await world.installed())
    granted(world, Role.VIEWER, "default")

    with pytest.raises(ForbiddenError, match="isn't granted resume on default/default/lab/eu"):
        refuse_unless_allowed(world.outside, BOB, Permission.RESUME, touched)


async def test_a_grant_counts_from_the_next_request_on_and_not_after_it_is_revoked() -> None:
    """Nothing is kept between two requests."""
    world = MemoryWorld()
    touched = resource_of_rollout(await world.installed())

    assert not may_read(world.outside, BOB, touched)
    grant = granted(world, Role.VIEWER, "default")
    assert may_read(world.outside, BOB, touched)
    with world.store.begin() as transaction:
        GRANTS.put(transaction, replace(grant, revoked_at=world.clock.now()))
    assert not may_read(world.outside, BOB, touched)


async def test_a_grant_ends_by_the_servers_clock() -> None:
    """Not by anybody's word."""
    world = MemoryWorld()
    touched = resource_of_rollout(await world.installed())
    granted(world, Role.VIEWER, "default", expires_in=timedelta(hours=1))

    assert may_read(world.outside, BOB, touched)
    world.clock.advance(timedelta(hours=1))
    assert not may_read(world.outside, BOB, touched)


async def test_a_viewer_stops_and_an_operator_goes_on() -> None:
    """Through the bus: stopping takes any role, going on the one that is for it."""
    world = MemoryWorld()
    rollout = await world.installed()
    second = await world.start("1.1.0")
    granted(world, Role.VIEWER, "default")
    resume = ResumeRollout(rollout=second.id, reason="looked at it")

    await perform(world.outside, BOB, HaltRollout(rollout=second.id, reason="looks bad"))
    with pytest.raises(ForbiddenError):
        await perform(world.outside, BOB, resume)
    granted(world, Role.OPERATOR, "default/default/lab")
    resumed = await perform(world.outside, BOB, resume)

    assert resumed.id == second.id
    assert rollout.organisation == second.organisation == "default"


async def test_an_explicit_deny_wins_in_the_world_too() -> None:
    """Whichever was filed first."""
    world = MemoryWorld()
    touched = resource_of_rollout(await world.installed())
    granted(world, Role.OPERATOR, "default/default/lab/eu", effect=GrantEffect.DENY)
    granted(world, Role.OPERATOR, "default/default/lab")

    ruling = ruling_on(world.outside, BOB, Permission.RESUME, touched)

    assert not ruling.is_allowed
    assert "denies person:bob operator" in ruling.because


def test_the_servers_own_token_needs_no_grants() -> None:
    """The embedded default: everything works before anybody granted anything."""
    world = MemoryWorld()
    root = replace(BOB, is_root=True, is_verified=False)

    access = access_of(world.outside, root)

    assert access.may_read(Resource(organisation="default", service="shop"))
    assert access.ruling(Permission.START, Resource(organisation="other")).is_allowed
