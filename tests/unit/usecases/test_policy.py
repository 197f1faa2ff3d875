"""Putting a policy in force: one after the other, by persons, on record; and what it changes at once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.documents.canonical import change_digest
from tidegate.domain.access.model import Caller, CallerKind, Grant, GrantEffect
from tidegate.domain.gates.model import GateEvidence, GateMoment, GateSpec, GateVerdict
from tidegate.domain.policy.model import NO_POLICY
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode, Rollout
from tidegate.domain.stops.model import StopScope
from tidegate.errors import (
    ForbiddenError,
    InvalidDocumentError,
    InvalidRequestError,
    RefusedError,
    StateMovedError,
)
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, the_shop
from tidegate.usecases.access import GRANTS, access_in
from tidegate.usecases.approvals import ground_of, void_approvals
from tidegate.usecases.approve import ApproveRollout
from tidegate.usecases.bus import perform
from tidegate.usecases.gate_records import binding_of, file_evidence
from tidegate.usecases.policies import (
    editors_lately,
    policy_in_force,
    readable_policies,
    readable_policy,
)
from tidegate.usecases.policy_commands import ApplyPolicy
from tidegate.usecases.start import propose, start_rollout
from tidegate.usecases.stop_commands import GiveStopOrder, LiftStopOrder

ROOT = Caller(name="olga", kind=CallerKind.PERSON, person="olga", is_root=True)
FIRST = "version: 1\npeople: {alice: {accounts: [a2]}, bob: {}}\nprograms: {ci: {owner: alice}}\n"
SECOND = FIRST.replace("bob: {}", "bob: {groups: [team-release]}")


def as_(name: str) -> Caller:
    return replace(ROOT, name=name, person=name)


async def apply(world: MemoryWorld, text: str, *, at: str, by: Caller = ROOT) -> str:
    command = ApplyPolicy(text=text, at=at, reason="because")
    return (await perform(world.outside, by, command)).policy.digest


async def test_each_version_replaces_the_one_before_and_stays_on_record() -> None:
    """One is in force, all are known with their texts, and the ledger has each with what changed."""
    world = MemoryWorld()
    first = await apply(world, FIRST, at="")
    second = await apply(world, SECOND, at=first, by=as_("a2"))

    with world.store.begin(read_only=True) as transaction:
        in_force = policy_in_force(transaction)
        history = readable_policies(
            transaction, access_in(transaction, ROOT, world.clock.now()), limit=10
        )
        facts = [one for one in transaction.ledger() if one.rule == "apply-policy"]

    assert in_force.digest == second
    assert [(one.number, one.text, one.by, one.person) for one in history] == [
        (2, SECOND, "a2", "alice"),
        (1, FIRST, "olga", "olga"),
    ]
    assert [one.is_in_force for one in history] == [True, False]
    assert len(facts) == 2
    assert first in str(facts[1].details_json)
    assert second in str(facts[1].details_json)


async def test_two_editors_cannot_overwrite_one_another() -> None:
    """Who edited what isn't in force any more is told so, and nothing changes."""
    world = MemoryWorld()
    first = await apply(world, FIRST, at="")

    for at in ("", "sha256:other"):
        with pytest.raises(StateMovedError):
            await apply(world, SECOND, at=at)

    with world.store.begin(read_only=True) as transaction:
        assert policy_in_force(transaction).digest == first


async def test_applying_the_same_again_changes_nothing() -> None:
    """No second version, and nobody's approval lapses for it."""
    world = MemoryWorld()
    first = await apply(world, FIRST, at="")
    await apply(world, FIRST, at=first)

    with world.store.begin(read_only=True) as transaction:
        assert (
            len(
                readable_policies(
                    transaction, access_in(transaction, ROOT, world.clock.now()), limit=10
                )
            )
            == 1
        )


@pytest.mark.parametrize(
    ("text", "caller", "error"),
    [
        ("version: 1\npeople: {a: {b: c}}\n", ROOT, InvalidDocumentError),
        ("version: 1\norganisation: others\n", ROOT, ForbiddenError),
        (
            FIRST,
            Caller(name="bot", kind=CallerKind.PROGRAM, person=None, is_root=True),
            ForbiddenError,
        ),
        (FIRST, replace(ROOT, is_root=False), ForbiddenError),
    ],
)
async def test_what_cannot_be_put_in_force(
    text: str, caller: Caller, error: type[Exception]
) -> None:
    """A broken file, another organisation's, a program that nobody stands behind, a stranger."""
    world = MemoryWorld()

    with pytest.raises(error):
        await apply(world, text, at="", by=caller)

    with world.store.begin(read_only=True) as transaction:
        assert policy_in_force(transaction) == NO_POLICY


async def test_a_policy_is_not_edited_without_a_reason() -> None:
    """Whoever reads the history wants to know."""
    with pytest.raises(InvalidRequestError):
        await perform(MemoryWorld().outside, ROOT, ApplyPolicy(text=FIRST, at="", reason=" "))


async def test_an_editor_stays_one_whatever_they_make_of_their_names() -> None:
    """Renaming oneself in the policy that one edits doesn't let one approve by it."""
    world = MemoryWorld()
    first = await apply(world, FIRST, at="", by=as_("alice"))
    await apply(world, FIRST.replace("[a2]", "[a3]"), at=first, by=as_("a2"))

    with world.store.begin(read_only=True) as transaction:
        editors = editors_lately(transaction, "default", world.clock.now())

    assert {"alice", "a2"} <= editors


async def test_a_rollout_records_the_policy_it_was_started_under() -> None:
    """And its authors are found by the policy of now."""
    world = MemoryWorld()
    digest = await apply(world, FIRST, at="")
    rollout = await world.start("1.0.0", actor="a2")

    with world.store.begin(read_only=True) as transaction:
        ground = ground_of(transaction, rollout, 0, world.clock.now())

    assert rollout.policy_digest == ground.binding.policy == digest
    assert "alice" in ground.authors


async def test_two_accounts_of_one_person_lift_no_wide_stop_order() -> None:
    """The second word has to be another person's."""
    world = MemoryWorld()
    await apply(world, FIRST, at="")
    stop = GiveStopOrder(scope=StopScope.EVERYTHING, name="", withdraw=False, reason="")
    given = await perform(world.outside, ROOT, stop)
    lift = LiftStopOrder(number=given.order.number, reason="over")
    await perform(world.outside, as_("alice"), lift)

    for name in ("a2", "ci"):
        with pytest.raises(RefusedError, match="alice said already"):
            await perform(world.outside, as_(name), lift)
    lifted = await perform(world.outside, as_("bob"), lift)

    assert not lifted.order.is_in_force
    assert [one.person for one in lifted.order.lifts] == ["alice", "bob"]


# --- approvals that a policy demands ---------------------------------------------------------

DEMANDING = """\
version: 1
people: {alice: {groups: [team-release]}, bob: {groups: [team-release]}}
approvals:
  within: 2h
  rules:
    - {environments: [lab], approve: 1 of team-release, unless: reviewed}
"""
UNASKED = DOCUMENT.replace(", approve: 1 of team-release", "")


async def a_demanded_rollout(world: MemoryWorld) -> Rollout:
    await world.installed(document=UNASKED)
    await apply(world, DEMANDING, at="")
    rollout = await world.start("1.1.0", document=UNASKED)
    return await world.run(
        rollout.id, until=lambda now: now.waiting_on.reason is ReasonCode.APPROVAL
    )


async def test_what_a_policy_demands_stands_in_the_plan_and_its_hash() -> None:
    """A document that asks for nothing still waits, for what the policy of the start said."""
    world = MemoryWorld()
    await world.installed(document=UNASKED)
    before = await propose(world.outside, the_shop(UNASKED), {"code": "1.1.0"})
    await apply(world, DEMANDING, at="")
    after = await propose(world.outside, the_shop(UNASKED), {"code": "1.1.0"})

    assert before.plan_hash != after.plan_hash
    assert [phase.approvals for phase in after.plan.phases] == [1, 0, 0]
    with pytest.raises(RefusedError, match="the plan is"):
        await start_rollout(
            world.outside,
            the_shop(UNASKED),
            {"code": "1.1.0"},
            actor="alice",
            expected_plan_hash=before.plan_hash,
        )


async def test_what_a_policy_demands_waits_for_another_person() -> None:
    """Not for the author; and the approval holds as long as the policy says."""
    world = MemoryWorld()
    rollout = await a_demanded_rollout(world)

    with pytest.raises(ForbiddenError, match="alice's own change"):
        await perform(world.outside, as_("alice"), ApproveRollout(rollout=rollout.id, comment=""))
    approved = await perform(
        world.outside, as_("bob"), ApproveRollout(rollout=rollout.id, comment="")
    )
    moved = await world.turns(rollout.id, lambda now: now.state is State.APPLYING)

    assert approved.approvals[0].expires_at == world.clock.now() + timedelta(hours=2)
    assert moved.state is State.APPLYING


@pytest.mark.parametrize(
    ("verdict", "expires_in", "about", "state"),
    [
        (GateVerdict.GREEN, timedelta(hours=1), "", State.APPLYING),
        (GateVerdict.RED, timedelta(hours=1), "", State.WAITING),
        (GateVerdict.UNKNOWN, timedelta(hours=1), "", State.WAITING),
        (GateVerdict.GREEN, timedelta(0), "", State.WAITING),
        (GateVerdict.GREEN, timedelta(hours=1), "sha256:another change", State.WAITING),
    ],
)
async def test_a_green_review_stands_for_the_second_person(
    verdict: GateVerdict, expires_in: timedelta, about: str, state: State
) -> None:
    """Only while it is green, young, and about this very change; anything else needs a person."""
    world = MemoryWorld()
    rollout = await a_demanded_rollout(world)
    # Of a later phase, so that only the approval can keep the first one from beginning.
    gate = GateSpec(
        name="review",
        kind="review",
        moment=GateMoment.BEFORE_PHASE,
        settings_json="{}",
        lasts=timedelta(hours=1),
        phases=("all",),
    )
    with world.store.begin() as transaction:
        asked = replace(rollout, plan=replace(rollout.plan, gates=(gate,)))
        transaction.save_rollout(asked)
        file_evidence(
            transaction,
            GateEvidence(
                id="e1",
                gate="review",
                kind="review",
                service=rollout.service,
                change_digest=about or change_digest(rollout.change),
                verdict=verdict,
                because="",
                facts=(),
                documents=(),
                measured_at=world.clock.now(),
                expires_at=world.clock.now() + expires_in,
                by="test",
                bound_to=binding_of(asked, gate),
            ),
        )

    after = await world.turns(rollout.id, lambda now: now.state is State.APPLYING)

    assert after.state is state


async def test_an_approval_lapses_when_its_giver_may_not_approve_any_more() -> None:
    """What was granted then and is taken away now gives no consent now."""
    world = MemoryWorld()
    rollout = await a_demanded_rollout(world)
    granted = Grant(
        id="g1",
        subject="person:bob",
        role="approver",
        scope="default/default/lab",
        effect=GrantEffect.ALLOW,
        granted_by="olga",
        granted_at=world.clock.now(),
    )
    with world.store.begin() as transaction:
        GRANTS.put(transaction, granted)
    bob = replace(as_("bob"), is_root=False, is_verified=True)
    await perform(world.outside, bob, ApproveRollout(rollout=rollout.id, comment=""))
    approved = world.rollout(rollout.id)
    with world.store.begin() as transaction:
        counted = void_approvals(transaction, approved, world.clock.now())
        GRANTS.put(transaction, replace(granted, revoked_at=world.clock.now()))
        lapsed = void_approvals(transaction, approved, world.clock.now())

    assert counted == ()
    assert "may not approve it any more" in lapsed[0].because


async def test_a_policy_is_shown_to_who_may_read_the_organisation() -> None:
    """Who its people are is nobody else's business; for others it is as if there were none."""
    world = MemoryWorld()
    await apply(world, FIRST, at="")
    stranger = replace(ROOT, name="eve", person="eve", is_root=False, is_verified=True)

    with world.store.begin(read_only=True) as transaction:
        for caller, seen in ((ROOT, 1), (stranger, 0), (replace(ROOT, organisation="x"), 0)):
            access = access_in(transaction, caller, world.clock.now())
            assert len(readable_policies(transaction, access, limit=10)) == seen
            assert (readable_policy(transaction, access) is not None) is bool(seen)


async def test_a_policy_holds_in_its_own_organisation_only() -> None:
    """What acme demands of itself is demanded of nobody else's plan."""
    world = MemoryWorld()
    await world.installed(document=UNASKED)
    acme = replace(ROOT, organisation="acme")
    await apply(
        world, DEMANDING.replace("version: 1", "version: 1\norganisation: acme"), at="", by=acme
    )
    elsewhere = UNASKED.replace("service: shop", "service: other")

    ours = await propose(world.outside, the_shop(UNASKED), {"code": "1.1.0"}, organisation="acme")
    theirs = await propose(
        world.outside, the_shop(elsewhere), {"code": "1.1.0"}, organisation="acme"
    )

    # The shop is of the default organisation, whoever asks; the other service would begin in acme.
    assert [phase.approvals for phase in ours.plan.phases] == [0, 0, 0]
    assert theirs.plan.phases[0].approvals == 1
