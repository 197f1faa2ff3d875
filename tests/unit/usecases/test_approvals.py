"""Who can agree to a change, what their yes is bound to, and what ends it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tidegate.api.showing.look import look_at, show_now
from tidegate.documents.canonical import change_digest
from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.policy.model import KnownPerson, KnownProgram, Policy, PolicyVersion
from tidegate.domain.quantities import Version
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode, Rollout
from tidegate.drivers.clock.memory import MemoryClock
from tidegate.drivers.component.memory import MemoryComponent
from tidegate.errors import (
    ForbiddenError,
    InvalidRequestError,
    RefusedError,
    VersionNotFoundError,
)
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, the_shop
from tidegate.usecases.approvals import ground_of
from tidegate.usecases.approve import ApproveRollout, RejectRollout, TakeBackWord
from tidegate.usecases.artifacts import LOOKED_UP_EVERY
from tidegate.usecases.awaited import awaited_approvals
from tidegate.usecases.bus import perform
from tidegate.usecases.policies import POLICIES
from tidegate.usecases.rollout_commands import HaltRollout, ResumeRollout, StartRollout
from tidegate.usecases.work import EngineWork

TWO_PERSONS = DOCUMENT.replace("1 of team-release", "2 of team-release")


class MovingComponent(MemoryComponent):
    """Targets whose versions can come to mean something else, or nothing that can be known."""

    def __init__(self) -> None:
        super().__init__()
        self.built_again = ""
        self.unreachable = False
        self.looked_up = 0

    async def resolve(self, version: str, settings_json: str) -> Version:
        self.looked_up += 1
        if self.unreachable:
            raise VersionNotFoundError("the registry doesn't answer", hint="wait")
        found = await super().resolve(version, settings_json)
        return replace(found, digest=found.digest + self.built_again)


def person(name: str, **more: Any) -> Caller:
    return Caller(name=name, kind=CallerKind.PERSON, person=name, is_root=True, **more)


def program(name: str, owner: str | None = None) -> Caller:
    return Caller(name=name, kind=CallerKind.PROGRAM, person=owner, is_root=True)


def put_policy(world: MemoryWorld, policy: Policy, *, editor: str | None = None) -> None:
    with world.store.begin() as transaction:
        latest = POLICIES.latest(transaction, limit=1)
        for before in POLICIES.open(transaction):
            POLICIES.put(transaction, replace(before, is_in_force=False))
        POLICIES.put(
            transaction,
            PolicyVersion(
                organisation="default",
                number=latest[0].number + 1 if latest else 1,
                text="",
                policy=policy,
                by=editor or "root",
                person=editor,
                reason="",
                at=world.clock.now(),
                is_in_force=True,
            ),
        )


TEAM = Policy(
    digest="sha256:team",
    people=(
        KnownPerson(name="alice", accounts=("alice-admin",), groups=("team-release",)),
        KnownPerson(name="bob", groups=("team-release",)),
        KnownPerson(name="carol", groups=("team-release",)),
        KnownPerson(name="mallory"),
    ),
    programs=(KnownProgram(name="ci-shop", owner="alice"),),
)


async def waiting(
    *, document: str = DOCUMENT, starter: Caller | None = None, policy: Policy | None = None
) -> tuple[MemoryWorld, Rollout, MovingComponent]:
    """Return a world whose rollout waits for an approval of its second phase."""
    component = MovingComponent()
    world = MemoryWorld(component=component, clock=MemoryClock())
    if policy is not None:
        put_policy(world, policy)
    await world.installed(document=document)
    command = StartRollout(resolved=the_shop(document), versions={"code": "1.1.0"})
    started = await perform(world.outside, starter or person("alice"), command)
    rollout = await world.run(
        started.id, until=lambda now: now.waiting_on.reason is ReasonCode.APPROVAL
    )
    return world, rollout, component


async def approve(world: MemoryWorld, rollout: Rollout, by: Caller) -> Rollout:
    return await perform(world.outside, by, ApproveRollout(rollout=rollout.id, comment="fine"))


async def reject(world: MemoryWorld, rollout: Rollout, by: Caller) -> Rollout:
    return await perform(world.outside, by, RejectRollout(rollout=rollout.id, comment="not now"))


# --- separation of duties, in persons --------------------------------------------------------


@pytest.mark.parametrize(
    ("starter", "approver", "policy", "why"),
    [
        (person("alice"), person("alice"), None, "alice's own change"),
        (program("ci", "alice"), person("alice"), None, "alice's own change"),
        (person("alice"), program("bot", "alice"), None, "own change .bot is alice"),
        (person("alice"), person("alice-admin"), TEAM, "own change .alice-admin is alice"),
        (person("alice-admin"), person("alice"), TEAM, "alice's own change"),
        (program("ci-shop"), person("alice"), TEAM, "alice's own change"),
        # Whose token it is and whose program the policy says it is both count.
        (program("ci-shop", "bob"), person("bob"), TEAM, "bob's own change"),
        (program("ci-shop", "bob"), person("alice"), TEAM, "alice's own change"),
        (program("nobody's"), person("bob"), None, "nobody is known to stand behind nobody's"),
        (person("alice"), program("bot"), None, "no person stands behind bot"),
        (person("alice"), person("mallory"), TEAM, "mallory isn't in team-release"),
    ],
)
async def test_nobody_approves_their_own_change(
    starter: Caller, approver: Caller, policy: Policy | None, why: str
) -> None:
    """Not under another account, not through a program, and not when it can't be known whose it is."""
    world, rollout, _ = await waiting(starter=starter, policy=policy)

    with pytest.raises(ForbiddenError, match=why):
        await approve(world, rollout, approver)

    assert world.rollout(rollout.id).approvals == ()
    assert (await world.turns(rollout.id)).state is State.WAITING


async def test_another_person_lets_the_phase_begin() -> None:
    """The same change, approved by somebody else, goes on; the record says who is counted."""
    world, rollout, _ = await waiting(policy=TEAM)

    approved = await approve(world, rollout, person("bob"))
    moved = await world.turns(rollout.id, lambda now: now.state is State.APPLYING)

    assert moved.state is State.APPLYING
    [given] = approved.approvals
    assert (given.by, given.person) == ("bob", "bob")
    assert given.expires_at == world.clock.now() + timedelta(hours=24)
    assert given.binding is not None
    assert given.binding.change == change_digest(rollout.change)
    assert (given.binding.environment, given.binding.exposure) == ("lab", "50%")
    assert (given.binding.verdict, given.binding.policy) == ("pass", "sha256:team")


async def test_what_a_program_says_its_owner_has_said() -> None:
    """A bot that approves somebody else's change counts as the person who owns it, and only once."""
    world, rollout, _ = await waiting(document=TWO_PERSONS, starter=person("bob"), policy=TEAM)

    approved = await approve(world, rollout, program("ci-shop"))
    with pytest.raises(RefusedError, match="has approved half already"):
        await approve(world, rollout, person("alice"))

    assert [(one.by, one.person) for one in approved.approvals] == [("ci-shop", "alice")]


async def test_two_names_of_one_person_are_one_approval() -> None:
    """A quorum of two is two persons, not an account and its second."""
    two_of_carol = replace(
        TEAM,
        people=(
            *TEAM.people[:2],
            KnownPerson(name="carol", accounts=("c2",), groups=("team-release",)),
        ),
    )
    world, rollout, _ = await waiting(document=TWO_PERSONS, policy=two_of_carol)
    await approve(world, rollout, person("carol"))

    with pytest.raises(RefusedError, match="has approved half already"):
        await approve(world, rollout, person("c2"))
    still = await world.turns(rollout.id)
    await approve(world, rollout, person("bob"))
    moved = await world.turns(rollout.id, lambda now: now.state is State.APPLYING)

    assert still.state is State.WAITING
    assert moved.state is State.APPLYING


async def test_who_edited_the_policy_waits_a_day_before_approving_by_it() -> None:
    """Nobody makes a rule and agrees by it at once."""
    world, rollout, _ = await waiting(document=TWO_PERSONS)
    put_policy(world, TEAM, editor="bob")

    with pytest.raises(ForbiddenError, match="bob edited the policy"):
        await approve(world, rollout, person("bob"))
    world.clock.advance(timedelta(hours=24))
    approved = await approve(world, rollout, person("bob"))

    assert len(approved.approvals) == 1


async def test_who_let_it_go_on_after_a_halt_does_not_approve_it_too() -> None:
    """Overriding a stop and agreeing to what follows takes two persons."""
    world, rollout, _ = await waiting()
    await perform(world.outside, person("carol"), HaltRollout(rollout=rollout.id, reason="stop"))
    await world.run(
        rollout.id, until=lambda now: now.waiting_on.reason is ReasonCode.PERSON_AFTER_HALT
    )
    await perform(world.outside, person("bob"), ResumeRollout(rollout=rollout.id, reason="ours"))

    with pytest.raises(ForbiddenError, match="bob's own change"):
        await approve(world, rollout, person("bob"))
    assert len((await approve(world, rollout, person("carol"))).approvals) == 1


async def test_whoever_started_what_is_carried_along_does_not_approve_it_either() -> None:
    """A change that was joined with another's is that one's own change, too."""
    bundling = DOCUMENT.replace("plan:\n", "plan:\n  supersede: bundle\n")
    world = MemoryWorld()
    await world.installed(document=bundling)
    await world.start("1.1.0", document=bundling, actor="alice")
    await world.start("1.2.0", document=bundling, actor="bob")

    joined = await world.start("1.3.0", document=bundling, actor="carol")

    with world.store.begin(read_only=True) as transaction:
        ground = ground_of(transaction, joined, 1, world.clock.now())
    assert joined.joined == (("bob", "bob"),)
    assert ground.authors == {"carol", "bob"}


async def test_a_vouched_name_must_be_in_the_group_that_is_asked_for() -> None:
    """Where somebody vouches for a name, their groups count; a claimed name has none that prove anything."""
    world, rollout, _ = await waiting()
    outsider = person("bob", is_verified=True, groups=("team-shop",))
    member = person("carol", is_verified=True, groups=("team-release",))

    with pytest.raises(ForbiddenError, match="bob isn't in team-release"):
        await approve(world, rollout, outsider)
    assert len((await approve(world, rollout, member)).approvals) == 1


# --- what an approval is bound to ------------------------------------------------------------


async def approved_and_closed(**how: Any) -> tuple[MemoryWorld, Rollout, MovingComponent]:
    """Return a rollout of which one of two approvals is given, so that it still waits."""
    world, rollout, component = await waiting(document=TWO_PERSONS, **how)
    await approve(world, rollout, person("bob"))
    return world, rollout, component


async def with_the_second(world: MemoryWorld, rollout: Rollout) -> Rollout:
    """Put a second approval on record by hand, so that only the first one's state decides."""
    before = world.rollout(rollout.id)
    [first] = before.approvals
    with world.store.begin() as transaction:
        transaction.save_rollout(
            replace(before, approvals=(first, replace(first, by="dora", person="dora")))
        )
    return await world.turns(rollout.id)


async def test_an_approval_lapses_when_the_artifact_moves() -> None:
    """A name that means something else by now isn't what was agreed to; that it moved is in the ledger."""
    world, rollout, component = await approved_and_closed()
    component.built_again = "f00d"
    world.clock.advance(timedelta(seconds=30))

    after = await with_the_second(world, rollout)

    assert after.state is State.WAITING
    assert "the artifact moved" in await _detail(world, rollout)
    assert _facts(world)[-1] == "artifact-moved"
    with pytest.raises(RefusedError, match="the artifact moved"):
        await approve(world, rollout, person("carol"))


async def test_an_artifact_that_moved_and_came_back_needs_a_new_yes() -> None:
    """Between the two it could have been anything, so nobody's old yes counts for it."""
    world, rollout, component = await approved_and_closed()
    component.built_again = "f00d"
    world.clock.advance(timedelta(seconds=30))
    await with_the_second(world, rollout)
    component.built_again = ""
    world.clock.advance(timedelta(seconds=30))

    still = await world.turns(rollout.id)
    await approve(world, rollout, person("bob"))
    await approve(world, rollout, person("dora"))
    moved = await world.turns(rollout.id, lambda now: now.state is State.APPLYING)

    assert still.state is State.WAITING
    assert moved.state is State.APPLYING


async def test_an_artifact_that_cannot_be_looked_up_holds_and_voids_nothing() -> None:
    """Unknown is never green, and a registry that is down costs nobody their approval."""
    world, rollout, component = await approved_and_closed()
    component.unreachable = True
    world.clock.advance(timedelta(seconds=30))

    held = await with_the_second(world, rollout)
    detail = await _detail(world, rollout)
    component.unreachable = False
    world.clock.advance(timedelta(seconds=30))
    moved = await world.turns(rollout.id, lambda now: now.state is State.APPLYING)

    assert held.state is State.WAITING
    assert "the registry doesn't answer" in detail
    assert moved.state is State.APPLYING


async def test_an_artifact_is_looked_up_at_a_bounded_pace() -> None:
    """A rollout that is stepped all the time doesn't ask its registry all the time."""
    world, _, component = await approved_and_closed()
    before = component.looked_up

    for _ in range(50):
        await world.turn()
        world.clock.advance(timedelta(seconds=1))

    seconds = LOOKED_UP_EVERY / timedelta(seconds=1)
    assert 1 <= component.looked_up - before <= 50 / seconds + 1


async def test_an_artifact_that_moves_during_the_bake_is_seen_before_the_rise() -> None:
    """The look at the time of the approval is no answer to a rise, however short ago it was."""
    component = MovingComponent()
    world = MemoryWorld(component=component, clock=MemoryClock())
    await world.installed()
    command = StartRollout(resolved=the_shop(), versions={"code": "1.1.0"})
    started = await perform(world.outside, person("alice"), command)
    rollout = await world.run(
        started.id,
        until=lambda now: (
            now.state is State.BAKING
            and world.clock.now() - now.state_since >= timedelta(seconds=8)
        ),
    )
    await approve(world, rollout, person("bob"))
    component.built_again = "f00d"

    after = await world.run(rollout.id, until=lambda now: now.state is not State.BAKING)
    after = await world.turns(rollout.id)

    assert after.state is State.WAITING
    assert after.phase.name == "half"
    assert "the artifact moved" in await _detail(world, after)


async def test_an_approval_lapses_when_the_policy_changes() -> None:
    """What was agreed to under one set of rules isn't agreed to under another."""
    world, rollout, _ = await approved_and_closed(policy=TEAM)
    put_policy(world, replace(TEAM, digest="sha256:other"))

    after = await with_the_second(world, rollout)

    assert after.state is State.WAITING
    assert "the policy changed" in await _detail(world, rollout)


async def test_an_approval_lapses_when_its_person_leaves_the_group() -> None:
    """Who couldn't approve now has not approved."""
    world, rollout, _ = await approved_and_closed(policy=TEAM)
    left = replace(
        TEAM,
        people=tuple(replace(one, groups=()) if one.name == "bob" else one for one in TEAM.people),
    )
    put_policy(world, left)

    await with_the_second(world, rollout)

    assert "bob isn't in team-release" in await _detail(world, rollout)


async def test_an_approval_lapses_while_the_evidence_is_worse() -> None:
    """Whoever said yes to a pass didn't say yes to no data; when it is a pass again, the yes is one, too."""
    world, rollout, _ = await approved_and_closed()
    silent = EngineWork(world.outside)
    while _verdict(world, rollout) == "pass":
        world.clock.advance(rollout.plan.tick)
        await silent.watch([rollout.id])

    blind = await with_the_second(world, rollout)
    detail = await _detail(world, rollout)
    moved = await world.run(rollout.id, until={State.APPLYING})

    assert blind.state is State.WAITING
    assert "the evidence says unusable now; it said pass when it was given" in detail
    assert moved.state is State.APPLYING


async def test_an_approval_lapses_with_time() -> None:
    """A yes of the day before yesterday is none."""
    short = TWO_PERSONS.replace(
        "approve: 2 of team-release", "approve: {count: 2, of: team-release, within: 1h}"
    )
    world, rollout, _ = await waiting(document=short)
    await approve(world, rollout, person("bob"))
    world.clock.advance(timedelta(minutes=59, seconds=50))
    await world.turn()
    [counting] = _awaited(world)
    world.clock.advance(timedelta(seconds=10))

    [lapsed] = _awaited(world)

    assert (counting.counting, lapsed.counting) == (1, 0)
    assert lapsed.words[0].void_because == "it has expired"
    assert len((await approve(world, rollout, person("bob"))).approvals) == 2


async def test_an_approval_without_a_binding_counts_for_nothing() -> None:
    """A record of before approvals were bound can't be known to be about this."""
    world, rollout, _ = await approved_and_closed()
    before = world.rollout(rollout.id)
    [first] = before.approvals
    unbound = [replace(first, by=name, person=name, binding=None) for name in ("dora", "erin")]
    with world.store.begin() as transaction:
        transaction.save_rollout(replace(before, approvals=tuple(unbound)))

    after = await world.turns(rollout.id)

    assert after.state is State.WAITING
    assert "isn't on record" in await _detail(world, rollout)


# --- saying no, and taking it back -----------------------------------------------------------


async def test_a_no_keeps_the_phase_from_beginning_until_it_is_taken_back() -> None:
    """It outweighs any number of approvals, lapses with nothing, and ends with its person's word."""
    world, rollout, _ = await waiting()
    await reject(world, rollout, person("carol"))
    await approve(world, rollout, person("bob"))
    put_policy(world, replace(TEAM, digest="sha256:other"))
    world.clock.advance(timedelta(days=3))

    stopped = await world.turns(rollout.id)
    detail = await _detail(world, rollout)
    take = TakeBackWord(rollout=rollout.id, reason="looked again")
    await perform(world.outside, person("carol"), take)
    await approve(world, rollout, person("bob"))
    moved = await world.turns(rollout.id, lambda now: now.state is State.APPLYING)

    assert stopped.state is State.WAITING
    assert "rejected by carol: not now" in detail
    assert moved.state is State.APPLYING
    assert [rule for rule in _facts(world) if rule in ("reject", "approve", "take-back")] == [
        "reject",
        "approve",
        "take-back",
        "approve",
    ]


async def test_a_rejection_and_a_taking_back_say_why() -> None:
    """Both are for others to act on."""
    world, rollout, _ = await waiting()

    for command in (
        RejectRollout(rollout=rollout.id, comment=" "),
        TakeBackWord(rollout=rollout.id, reason=""),
    ):
        with pytest.raises(InvalidRequestError):
            await perform(world.outside, person("bob"), command)


async def test_only_ones_own_word_can_be_taken_back() -> None:
    """Nobody speaks for somebody else."""
    world, rollout, _ = await waiting()
    await reject(world, rollout, person("carol"))

    with pytest.raises(RefusedError, match="bob has said nothing"):
        await perform(world.outside, person("bob"), TakeBackWord(rollout=rollout.id, reason="mine"))

    assert len(world.rollout(rollout.id).approvals) == 1


async def test_taking_back_an_approval_closes_the_phase_again() -> None:
    """A yes that was taken back opens nothing."""
    world, rollout, _ = await approved_and_closed()
    await perform(world.outside, person("bob"), TakeBackWord(rollout=rollout.id, reason="not sure"))

    assert world.rollout(rollout.id).approvals == ()
    assert (await world.turns(rollout.id)).state is State.WAITING


async def test_a_no_of_the_author_counts_too() -> None:
    """Whoever started it may well say that it isn't ready."""
    world, rollout, _ = await waiting()
    await reject(world, rollout, person("alice"))
    await approve(world, rollout, person("bob"))

    assert (await world.turns(rollout.id)).state is State.WAITING


# --- what is waited for ----------------------------------------------------------------------


async def test_the_list_says_why_who_and_what_does_not_count() -> None:
    """Everybody finds what they can do, and why they can't."""
    world, rollout, _ = await approved_and_closed(policy=TEAM)

    [seen_by_alice] = _awaited(world, person("alice"))
    [seen_by_carol] = _awaited(world, person("carol"))
    [seen_by_bob] = _awaited(world, person("bob"))
    put_policy(world, replace(TEAM, digest="sha256:other"))
    [after] = _awaited(world, person("carol"))

    assert seen_by_alice.why_not == "it is alice's own change"
    assert seen_by_carol.why_not == ""
    assert seen_by_bob.why_not == "bob has approved it already"
    assert seen_by_carol.may == ("bob", "carol")
    assert (seen_by_carol.authors, seen_by_carol.counting) == (("alice",), 1)
    assert seen_by_carol.deadline == world.rollout(rollout.id).approvals[0].expires_at
    assert after.counting == 0
    assert after.words[0].void_because == "the policy changed since it was given"


async def test_the_list_keeps_to_ones_own_organisation() -> None:
    """Others' changes aren't shown to who isn't of theirs."""
    world, _, _ = await waiting()
    elsewhere = Caller(
        name="eve", kind=CallerKind.PERSON, person="eve", organisation="others", is_verified=True
    )

    assert len(_awaited(world)) == 1
    assert _awaited(world, elsewhere) == ()


def _awaited(world: MemoryWorld, caller: Caller | None = None) -> Any:
    with world.store.begin(read_only=True) as transaction:
        return awaited_approvals(transaction, caller or person("dora"), world.clock.now())


async def _detail(world: MemoryWorld, rollout: Rollout) -> str:
    """Return what the rollout waits for, in the words of a decision made now."""
    look = look_at(world.outside, world.rollout(rollout.id))
    return (await show_now(world.outside, look)).waiting_on.detail


def _facts(world: MemoryWorld) -> list[str]:
    with world.store.begin(read_only=True) as transaction:
        return [entry.rule for entry in transaction.ledger()]


def _verdict(world: MemoryWorld, rollout: Rollout) -> str:
    found = world.rollout(rollout.id)
    with world.store.begin(read_only=True) as transaction:
        return ground_of(transaction, found, 1, world.clock.now()).binding.verdict
