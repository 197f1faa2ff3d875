"""Production needs a second person where names are verified, unless an organisation says otherwise."""

from dataclasses import replace

import pytest

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.proof import IdentityMode
from tidegate.domain.plan.model import Plan
from tidegate.domain.rollout.model import ReasonCode, Rollout
from tidegate.errors import ForbiddenError
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, the_shop
from tidegate.usecases.approve import ApproveRollout
from tidegate.usecases.bus import perform
from tidegate.usecases.policy_commands import ApplyPolicy
from tidegate.usecases.start import propose, start_rollout

PLAN = """\
plan:
  phases:
    - {name: few, traffic: 10%, bake: 1h}
    - {name: half, traffic: 50%, bake: 2h}
    - {name: all, traffic: 100%, bake: 3h}
"""
PRODUCTION = DOCUMENT.replace("environment: lab", "environment: production").partition("plan:")[0]
PRODUCTION += PLAN
ASKED_BY_THE_PLAN = PRODUCTION.replace("bake: 1h}", "bake: 1h, approve: 2 of team-release}")
PEOPLE = "version: 1\npeople: {alice: {groups: [team-release]}, bob: {groups: [team-release]}}\n"
NOBODY_IS_ASKED = PEOPLE + "approvals: {rules: []}\n"
ROOT = Caller(name="olga", kind=CallerKind.PERSON, person="olga", is_root=True)
STRANGER = Caller(
    name="bob",
    kind=CallerKind.PERSON,
    person="bob",
    is_verified=True,
    granted=frozenset({Permission.READ, Permission.APPROVE}),
    is_root=True,
)
"""Somebody whom nobody counts to any group."""


async def a_world(names: IdentityMode, *, policy: str = "") -> MemoryWorld:
    world = MemoryWorld()
    world.outside = replace(world.outside, identity_mode=names)
    if policy:
        await perform(world.outside, ROOT, ApplyPolicy(text=policy, at="", reason="because"))
    return world


async def proposed(world: MemoryWorld, document: str = PRODUCTION) -> Plan:
    return (await propose(world.outside, the_shop(document), {"code": "1.0.0"})).plan


@pytest.mark.parametrize(
    ("names", "policy", "document", "wanted"),
    [
        (IdentityMode.VERIFIED, "", PRODUCTION, (1, "the others", True)),
        (IdentityMode.VERIFIED, PEOPLE, PRODUCTION, (1, "the others", True)),
        (IdentityMode.VERIFIED, NOBODY_IS_ASKED, PRODUCTION, (0, "", False)),
        (IdentityMode.VERIFIED, "", ASKED_BY_THE_PLAN, (2, "team-release", False)),
        (IdentityMode.VERIFIED, "", DOCUMENT, (0, "", False)),
        (IdentityMode.CLAIMED, "", PRODUCTION, (0, "", False)),
    ],
    ids=["no-policy", "policy-without-rules", "no-rules", "plan-asks", "lab", "claimed"],
)
async def test_where_a_second_person_is_demanded(
    names: IdentityMode, policy: str, document: str, wanted: tuple[int, str, bool]
) -> None:
    """Once, before the first phase in production; never less than a plan asks for by itself."""
    plan = await proposed(await a_world(names, policy=policy), document)

    first, *rest = plan.phases
    assert (first.approvals, first.approvers, first.unless_reviewed) == wanted
    assert document == DOCUMENT or not any(phase.approvals for phase in rest)


async def waiting(world: MemoryWorld) -> Rollout:
    rollout = await start_rollout(
        world.outside, the_shop(PRODUCTION), {"code": "1.0.0"}, actor="alice", person="alice"
    )
    return await world.run(
        rollout.id, until=lambda now: now.waiting_on.reason is ReasonCode.APPROVAL
    )


async def approved(world: MemoryWorld, rollout: Rollout, caller: Caller) -> None:
    command = ApproveRollout(rollout=rollout.id, comment="looked at it")
    await perform(world.outside, caller, command)


async def test_the_second_person_is_anybody_but_an_author() -> None:
    """Whoever may approve can, in whichever group; the author can't, and it waits for as long."""
    world = await a_world(IdentityMode.VERIFIED)
    rollout = await waiting(world)
    author = replace(STRANGER, name="alice", person="alice")

    with pytest.raises(ForbiddenError, match="it is alice's own change") as refused:
        await approved(world, rollout, author)
    still = await world.turns(rollout.id)
    await approved(world, rollout, STRANGER)
    begun = await world.turns(rollout.id)

    assert refused.value.hint == "who could: somebody else who may approve"
    assert still.waiting_on.reason is ReasonCode.APPROVAL
    assert "1 of the others unless reviewed" in still.plan.phases[0].demanded_by
    assert begun.waiting_on.reason is not ReasonCode.APPROVAL
