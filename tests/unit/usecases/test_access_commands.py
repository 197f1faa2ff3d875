"""Giving access and taking it away: nobody gives what they don't hold, nor to themselves."""

from datetime import timedelta

import pytest

from tidegate.domain.access.model import Caller, CallerKind, Grant, GrantEffect
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.roles import Role
from tidegate.errors import ForbiddenError, InvalidRequestError, NotFoundError
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.access import GRANTS
from tidegate.usecases.access_commands import GrantRole, RevokeGrant
from tidegate.usecases.access_reads import check_access, resource_to_check, visible_grants
from tidegate.usecases.bus import perform

ROOT = Caller(name="root", kind=CallerKind.PERSON, person="root", organisation="acme", is_root=True)


def a_person(name: str, *groups: str, organisation: str = "acme") -> Caller:
    return Caller(
        name=name,
        kind=CallerKind.PERSON,
        person=name,
        organisation=organisation,
        groups=groups,
        is_verified=True,
    )


ADA = a_person("ada", "leads")
BOB = a_person("bob")
EVE = a_person("eve", organisation="umbrella")


async def give(
    world: MemoryWorld,
    subject: str,
    role: str,
    scope: str,
    *,
    by: Caller = ROOT,
    effect: GrantEffect = GrantEffect.ALLOW,
    lasts: timedelta | None = None,
    reason: str = "joins the team",
) -> Grant:
    return await perform(
        world.outside,
        by,
        GrantRole(
            subject=subject, role=role, scope=scope, effect=effect, reason=reason, lasts=lasts
        ),
    )


def ledger(world: MemoryWorld) -> list[tuple[str, str, str]]:
    """Return who did what and why, of every entry that there is."""
    found: list[tuple[str, str, str]] = []
    with world.store.begin(read_only=True) as transaction:
        while True:
            try:
                entry = transaction.ledger_entry(len(found) + 1)
            except NotFoundError:
                return found
            found.append((entry.actor, entry.rule, entry.because))


async def test_what_was_given_is_on_file_and_in_the_ledger() -> None:
    """With who gave it and why, in one transaction."""
    world = MemoryWorld()

    grant = await give(world, "person:bob", "viewer", "acme/pay")

    with world.store.begin(read_only=True) as transaction:
        assert GRANTS.get(transaction, grant.id) == grant
    assert ledger(world) == [
        (
            "root",
            "grant-role",
            f"grant {grant.id} allows person:bob viewer on acme/pay: joins the team",
        )
    ]


async def test_giving_it_again_changes_nothing() -> None:
    """One grant, one entry."""
    world = MemoryWorld()

    first = await give(world, "person:bob", "viewer", "acme")
    again = await give(world, "person:bob", "viewer", "acme")

    assert again == first
    assert len(ledger(world)) == 1


async def test_a_length_is_counted_by_the_servers_clock() -> None:
    """From the moment that it was given."""
    world = MemoryWorld()

    grant = await give(world, "person:bob", "viewer", "acme", lasts=timedelta(hours=8))

    assert grant.expires_at == world.clock.now() + timedelta(hours=8)


@pytest.mark.parametrize(
    ("subject", "role", "scope"),
    [
        ("bob", "viewer", "acme"),
        ("person:", "viewer", "acme"),
        ("person:a b", "viewer", "acme"),
        ("robot:bob", "viewer", "acme"),
        ("person:bob", "god", "acme"),
        ("person:bob", "viewer", "*"),
        ("person:bob", "viewer", "acme/pay/*"),
        ("group:a\nb", "viewer", "acme"),
    ],
)
async def test_what_makes_no_sense_is_refused(subject: str, role: str, scope: str) -> None:
    """And nothing is written."""
    world = MemoryWorld()

    with pytest.raises(InvalidRequestError):
        await give(world, subject, role, scope)

    assert ledger(world) == []


@pytest.mark.parametrize("lasts", [timedelta(0), timedelta(seconds=-1), timedelta(days=4000)])
async def test_a_length_that_is_none_is_refused(lasts: timedelta) -> None:
    """Neither over already, nor for longer than anybody means."""
    with pytest.raises(InvalidRequestError):
        await give(MemoryWorld(), "person:bob", "viewer", "acme", lasts=lasts)


async def test_a_reason_is_needed() -> None:
    """Both ways."""
    world = MemoryWorld()
    grant = await give(world, "person:bob", "viewer", "acme")

    with pytest.raises(InvalidRequestError):
        await give(world, "person:ann", "viewer", "acme", reason=" ")
    with pytest.raises(InvalidRequestError):
        await perform(world.outside, ROOT, RevokeGrant(grant=grant.id, reason=""))


async def test_an_administrator_gives_what_they_hold_and_nothing_else() -> None:
    """Being an administrator is no way to approve, also not through somebody else."""
    world = MemoryWorld()
    await give(world, "person:ada", "administrator", "acme")

    viewer = await give(world, "person:bob", "viewer", "acme", by=ADA)
    with pytest.raises(ForbiddenError, match="doesn't hold approve on acme/pay/production"):
        await give(world, "person:bob", "approver", "acme/pay/production", by=ADA)
    await give(world, "person:ada", "approver", "acme/*/production")
    approver = await give(world, "person:bob", "approver", "acme/pay/production", by=ADA)

    assert (viewer.granted_by, approver.granted_by) == ("ada", "ada")


async def test_nobody_gives_access_without_being_let_to() -> None:
    """An approver doesn't make approvers."""
    world = MemoryWorld()
    await give(world, "person:bob", "approver", "acme/*/production")

    with pytest.raises(ForbiddenError):
        await give(world, "person:ann", "approver", "acme/pay/production", by=BOB)


async def test_access_is_given_no_wider_than_it_is_held() -> None:
    """Neither by a scope that is wider, nor by a star that reaches further."""
    world = MemoryWorld()
    await give(world, "person:ada", "administrator", "acme/pay-*")

    for scope in ("acme", "acme/*", "acme/pay", "acme/search"):
        with pytest.raises(ForbiddenError):
            await give(world, "person:bob", "viewer", scope, by=ADA)
    for scope in ("acme/pay-*", "acme/pay-api", "acme/pay-*-eu", "acme/pay-x/staging"):
        await give(world, "person:bob", "viewer", scope, by=ADA)


async def test_a_star_doesnt_reach_round_a_deny() -> None:
    """Who is denied one project can't give it away as one of many."""
    world = MemoryWorld()
    await give(world, "person:ada", "administrator", "acme")
    await give(world, "person:ada", "administrator", "acme/pay", effect=GrantEffect.DENY)

    for scope in ("acme", "acme/*", "acme/p*", "acme/pay"):
        with pytest.raises(ForbiddenError):
            await give(world, "person:bob", "viewer", scope, by=ADA)
    await give(world, "person:bob", "viewer", "acme/search", by=ADA)


async def test_an_environment_isnt_given_away_unnamed_either() -> None:
    """Whoever is an approver everywhere doesn't hold it in production, and can't pass that on."""
    world = MemoryWorld()
    await give(world, "person:ada", "administrator", "acme")
    await give(world, "person:ada", "approver", "acme")

    with pytest.raises(ForbiddenError):
        await give(world, "person:bob", "approver", "acme/pay/production", by=ADA)


async def test_access_is_given_no_longer_than_it_is_held() -> None:
    """What ends on Friday ends on Friday for those it was passed on to."""
    world = MemoryWorld()
    await give(world, "person:ada", "administrator", "acme", lasts=timedelta(days=3))

    await give(world, "person:bob", "viewer", "acme", by=ADA, lasts=timedelta(days=2))
    for lasts in (timedelta(days=4), None):
        with pytest.raises(ForbiddenError):
            await give(world, "person:ann", "viewer", "acme", by=ADA, lasts=lasts)


@pytest.mark.parametrize("subject", ["person:ada", "group:leads"])
async def test_nobody_gives_anything_to_themselves(subject: str) -> None:
    """Neither by name nor by a group that they are in."""
    world = MemoryWorld()
    await give(world, "person:ada", "administrator", "acme")

    with pytest.raises(ForbiddenError, match="themselves"):
        await give(world, subject, "viewer", "acme", by=ADA)


async def test_nothing_is_given_in_another_organisation() -> None:
    """Whatever one is at home."""
    world = MemoryWorld()
    await give(world, "person:eve", "administrator", "umbrella")
    grant = await give(world, "person:bob", "viewer", "acme")

    with pytest.raises(ForbiddenError):
        await give(world, "person:eve-2", "viewer", "acme", by=EVE)
    with pytest.raises(NotFoundError):
        await perform(world.outside, EVE, RevokeGrant(grant=grant.id, reason="mine now"))


async def test_a_revoked_grant_is_over_at_once() -> None:
    """The next request is refused, and revoking again changes nothing."""
    world = MemoryWorld()
    grant = await give(world, "person:ada", "administrator", "acme")

    revoked = await perform(world.outside, ROOT, RevokeGrant(grant=grant.id, reason="left"))
    again = await perform(world.outside, ROOT, RevokeGrant(grant=grant.id, reason="left"))

    assert revoked.revoked_at == world.clock.now()
    assert again == revoked
    assert [rule for _, rule, _ in ledger(world)] == ["grant-role", "revoke-grant"]
    with pytest.raises(ForbiddenError):
        await give(world, "person:bob", "viewer", "acme", by=ADA)


async def test_an_administrator_takes_away_what_they_dont_hold() -> None:
    """Taking away needs less than giving: only an allow, though."""
    world = MemoryWorld()
    await give(world, "person:ada", "administrator", "acme")
    approver = await give(world, "person:bob", "approver", "acme/pay/production")
    deny = await give(
        world, "person:ann", "approver", "acme/pay/production", effect=GrantEffect.DENY
    )

    revoked = await perform(world.outside, ADA, RevokeGrant(grant=approver.id, reason="left"))

    assert revoked.revoked_at is not None
    with pytest.raises(ForbiddenError):
        await perform(world.outside, ADA, RevokeGrant(grant=deny.id, reason="she may again"))


async def test_nobody_ends_what_is_denied_to_themselves() -> None:
    """Also not an administrator who would otherwise hold it."""
    world = MemoryWorld()
    await give(world, "person:ada", "administrator", "acme")
    await give(world, "person:ada", "operator", "acme/pay/production")
    deny = await give(
        world, "group:leads", "operator", "acme/pay/production", effect=GrantEffect.DENY
    )

    with pytest.raises(ForbiddenError):
        await perform(world.outside, ADA, RevokeGrant(grant=deny.id, reason="let me"))


async def test_grants_are_seen_by_whoever_may_see_what_they_are_about() -> None:
    """And one's own; nobody sees those of another organisation."""
    world = MemoryWorld()
    of_bob = await give(world, "person:bob", "viewer", "acme/pay")
    wide = await give(world, "group:sre", "operator", "acme/*/production")
    search = await give(world, "person:ann", "viewer", "acme/search")
    await give(world, "person:eve", "viewer", "umbrella")

    def seen(caller: Caller) -> set[str]:
        return {grant.id for grant in visible_grants(world.outside, caller)}

    assert seen(BOB) == {of_bob.id, wide.id}
    assert seen(a_person("nobody")) == set()
    assert seen(a_person("ann")) == {wide.id, search.id}
    assert not seen(EVE) & {of_bob.id, wide.id, search.id}
    assert len(seen(ROOT)) == 4


async def test_what_is_over_is_left_out_unless_it_is_asked_for() -> None:
    """Ran out or revoked."""
    world = MemoryWorld()
    kept = await give(world, "person:bob", "viewer", "acme")
    short = await give(world, "person:ann", "viewer", "acme", lasts=timedelta(hours=1))
    gone = await give(world, "person:kim", "viewer", "acme")
    await perform(world.outside, ROOT, RevokeGrant(grant=gone.id, reason="left"))
    world.clock.advance(timedelta(hours=2))

    assert [one.id for one in visible_grants(world.outside, BOB)] == [kept.id]
    every = visible_grants(world.outside, BOB, over_too=True)
    assert {one.id for one in every} == {kept.id, short.id, gone.id}


async def test_a_check_says_why_and_who_may() -> None:
    """By the rules that rule on requests."""
    world = MemoryWorld()
    await give(world, "person:bob", "viewer", "acme")
    await give(world, "group:sre", "operator", "acme/pay/production")
    await give(world, "person:kim", "operator", "acme/pay/production")
    await give(world, "person:kim", "operator", "acme", effect=GrantEffect.DENY)

    resource = resource_to_check(world.outside, BOB, service=None, scope="acme/pay/production")
    checked = check_access(world.outside, BOB, Permission.RESUME, resource)

    assert not checked.ruling.is_allowed
    assert checked.ruling.because == "bob isn't granted resume on acme/pay/production"
    assert checked.granted_to == ("group:sre",)


async def test_a_check_tells_of_no_service_that_isnt_seen() -> None:
    """It is missing in the same words as one that was never there."""
    world = MemoryWorld()
    await world.installed()

    with pytest.raises(NotFoundError, match="there is no service 'shop'"):
        resource_to_check(world.outside, BOB, service="shop", scope=None)
    with pytest.raises(NotFoundError, match="there is no service 'shpo'"):
        resource_to_check(world.outside, ROOT, service="shpo", scope=None)


@pytest.mark.parametrize("role", Role)
async def test_whoever_holds_a_role_and_gives_access_can_pass_it_on(role: Role) -> None:
    """For every role: nothing but holding it and giving access is needed."""
    world = MemoryWorld()
    await give(world, "person:ada", "administrator", "acme")
    await give(world, "person:ada", role, "acme/pay/production")

    grant = await give(world, "person:bob", role, "acme/pay/production/eu", by=ADA)

    assert grant.role == role
