"""The queue: turns are taken in order, target by target, from what is served then; and nothing is lost."""

from collections.abc import Callable

import pytest

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.health.evidence import NO_EVIDENCE
from tidegate.domain.quantities import NO_EXPOSURE, RolloutId
from tidegate.domain.rollout.decisions import Observation
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import HaltCause, ReasonCode, Rollout
from tidegate.domain.stops.model import Queued
from tidegate.drivers.component.memory import MemoryComponent, Mishap
from tidegate.errors import RefusedError, StateMovedError
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases.abandon import abandon_rollout
from tidegate.usecases.approve import approve_rollout
from tidegate.usecases.halt import halt_rollout
from tidegate.usecases.observe import observe
from tidegate.usecases.queue import queued_behind, take_turn
from tidegate.usecases.reading import find_rollout
from tidegate.usecases.roll_back import roll_back

ONE_PHASE = DOCUMENT.replace(
    """    - {name: few, traffic: 10%, bake: 10s}
    - {name: half, traffic: 50%, bake: 20s, approve: 1 of team-release}
    - {name: all, traffic: 100%, bake: 20s}
""",
    """    - {name: few, traffic: 10%, bake: 10s}
    - {name: all, traffic: 100%, bake: 20s}
""",
)
TWO_TARGETS = ONE_PHASE.replace(
    "targets: [{name: eu, environment: lab}]",
    "targets: [{name: eu, environment: lab}, {name: us, environment: lab, settings:"
    ' {listen: "127.0.0.1:18081"}}]',
)

ROOT = Caller(name="alice", kind=CallerKind.PERSON, person="alice", is_root=True)


def policy(word: str) -> str:
    return ONE_PHASE.replace("plan:\n", f"plan:\n  supersede: {word}\n")


def state(world: MemoryWorld, rollout_id: RolloutId) -> State:
    return world.rollout(rollout_id).state


def is_over(rollout: Rollout) -> bool:
    return rollout.is_final


def is_begun(rollout: Rollout) -> bool:
    return rollout.state is not State.PLANNED


@pytest.fixture
async def world() -> MemoryWorld:
    made = MemoryWorld()
    await made.installed(document=ONE_PHASE)
    return made


async def test_a_second_start_waits_and_moves_nothing(world: MemoryWorld) -> None:
    """It has no claim, no generation and no say on the target while another moves it."""
    first = await world.start("1.1.0", document=ONE_PHASE)
    second = await world.start("1.2.0", document=ONE_PHASE)

    baking = await world.run(first.id, until=[State.BAKING])

    queued = world.rollout(second.id)
    assert queued.state is State.PLANNED
    assert queued.waiting_on.reason is ReasonCode.QUEUE
    assert first.id in queued.waiting_on.detail
    assert queued.generations == ()
    assert world.component.served(baking.plan.placements()[0]).candidate.name == "1.1.0"


async def test_its_turn_comes_and_its_baseline_is_what_is_served_then(world: MemoryWorld) -> None:
    """The version before it at the start isn't what it is compared with: 1.1.0 came in between."""
    first = await world.start("1.1.0", document=ONE_PHASE)
    second = await world.start("1.2.0", document=ONE_PHASE)
    assert {version.name for _, version in second.baselines} == {"1.0.0"}

    await world.run(first.id, until=[State.COMPLETED])
    begun = await world.run(second.id, until=is_begun)

    assert {version.name for _, version in begun.baselines} == {"1.1.0"}
    done = await world.run(second.id, until=[State.COMPLETED])
    assert world.component.served(done.plan.placements()[0]).baseline.name == "1.2.0"


async def test_after_a_rollback_it_begins_from_what_was_served_before(world: MemoryWorld) -> None:
    """The one before it came to nothing; that doesn't stop the queue."""
    first = await world.start("1.1.0", document=ONE_PHASE)
    second = await world.start("1.2.0", document=ONE_PHASE)
    await world.run(first.id, until=[State.BAKING])
    await roll_back(world.outside, first.id, actor="alice", reason="not wanted")

    await world.run(first.id, until=[State.ROLLED_BACK])
    begun = await world.run(second.id, until=is_begun)

    assert {version.name for _, version in begun.baselines} == {"1.0.0"}


@pytest.mark.parametrize("lag", [1, 2, 5])
async def test_its_turn_waits_for_answers_from_after_the_rollout_before(lag: int) -> None:
    """A target that lags shows 1.0.0 for a while: nobody could go back to what isn't served any more."""
    world = MemoryWorld(component=MemoryComponent(lag_observes=lag))
    await world.installed(document=ONE_PHASE)
    first = await world.start("1.1.0", document=ONE_PHASE)
    second = await world.start("1.2.0", document=ONE_PHASE)

    await world.run(first.id, until=[State.COMPLETED])
    begun = await world.run(second.id, until=is_begun)

    assert {version.name for _, version in begun.baselines} == {"1.1.0"}
    await roll_back(world.outside, second.id, actor="alice", reason="not wanted")
    await world.run(second.id, until=[State.ROLLED_BACK])


async def test_a_start_right_after_an_end_is_put_off_until_the_target_shows_it() -> None:
    """It isn't refused, and it doesn't begin from what was served a moment ago."""
    world = MemoryWorld(component=MemoryComponent(lag_observes=3))
    await world.installed(document=ONE_PHASE)
    first = await world.start("1.1.0", document=ONE_PHASE)
    await world.run(first.id, until=[State.COMPLETED])

    second = await world.start("1.2.0", document=ONE_PHASE)

    assert second.state is State.PLANNED
    assert f"doesn't show yet what rollout {first.id} ended with" in second.waiting_on.detail
    begun = await world.run(second.id, until=is_begun)
    assert {version.name for _, version in begun.baselines} == {"1.1.0"}


async def test_what_was_just_deployed_for_the_first_time_is_not_deployed_so_again() -> None:
    """An old answer says that nothing is served there; nobody would be compared with anything."""
    answers = {"observe": Mishap.NONE}
    component = MemoryComponent(mishap=lambda method: answers.get(method, Mishap.NONE))
    world = MemoryWorld(component=component)
    first = await world.start("1.0.0", document=ONE_PHASE)
    await world.run(first.id, until=[State.COMPLETED])
    answers["observe"] = Mishap.OLD_READ

    with pytest.raises(StateMovedError, match="doesn't show yet"):
        await world.start("1.1.0", document=ONE_PHASE)

    answers["observe"] = Mishap.NONE
    assert not (await world.start("1.1.0", document=ONE_PHASE)).is_install


async def test_a_halted_rollout_keeps_its_place_until_somebody_acts(world: MemoryWorld) -> None:
    """Nothing begins on a target that isn't cleared up."""
    first = await world.start("1.1.0", document=ONE_PHASE)
    second = await world.start("1.2.0", document=ONE_PHASE)
    await world.run(first.id, until=[State.BAKING])
    await halt_rollout(world.outside, first.id, actor="alice", reason="look first")

    for _ in range(50):
        await world.turn()
        world.clock.advance(first.plan.tick)

    assert state(world, first.id) is State.HALTED
    assert state(world, second.id) is State.PLANNED
    await abandon_rollout(world.outside, first.id, actor="alice", reason="given up")
    assert second.id in world.woken[-3:]
    await world.run(second.id, until=is_begun)


async def test_turns_are_taken_in_the_order_of_the_starts(world: MemoryWorld) -> None:
    """The third begins after the second, though both have waited for the first."""
    first = await world.start("1.1.0", document=ONE_PHASE)
    second = await world.start("1.2.0", document=ONE_PHASE)
    world.clock.advance(first.plan.tick)
    third = await world.start("1.3.0", document=ONE_PHASE)

    await world.run(first.id, until=[State.COMPLETED])
    await world.run(second.id, until=[State.BAKING])
    assert state(world, third.id) is State.PLANNED

    await world.run(second.id, until=[State.COMPLETED])
    last = await world.run(third.id, until=[State.COMPLETED])
    assert {version.name for _, version in last.baselines} == {"1.2.0"}


async def test_rollouts_that_share_no_target_never_wait_for_each_other() -> None:
    """A rollout that is stuck on one target delays none on another one."""
    world = MemoryWorld()
    document = TWO_TARGETS
    await world.installed(document=document)
    only = {name: _only(document, name) for name in ("eu", "us")}
    stuck = await world.start("1.1.0", document=only["eu"])
    await world.run(stuck.id, until=[State.BAKING])
    await halt_rollout(world.outside, stuck.id, actor="alice", reason="stuck")

    other = await world.start("1.1.0", document=only["us"])

    assert other.state is State.WAITING
    done = await world.run(other.id, until=[State.COMPLETED])
    assert done.finished_at is not None
    assert state(world, stuck.id) is State.HALTED


def _only(document: str, target: str) -> str:
    """Return *document* with nothing but *target*, as somebody has it who looks after that one."""
    begin, end = document.index("targets:"), document.index("health:")
    settings = "" if target == "eu" else ', settings: {listen: "127.0.0.1:18081"}'
    return (
        document[:begin]
        + f"targets: [{{name: {target}, environment: lab{settings}}}]\n"
        + document[end:]
    )


async def test_halting_the_service_halts_what_moves_and_not_what_waits(world: MemoryWorld) -> None:
    """The newest rollout is the queued one; a person who names the service means the other."""
    first = await world.start("1.1.0", document=ONE_PHASE)
    await world.start("1.2.0", document=ONE_PHASE)
    await world.run(first.id, until=[State.BAKING])

    assert find_rollout(world.outside, ROOT, "shop").id == first.id


async def test_halting_what_is_queued_takes_it_out_and_leaves_the_target_alone(
    world: MemoryWorld,
) -> None:
    """A stop of the one that waits must not withdraw the one that moves."""
    first = await world.start("1.1.0", document=ONE_PHASE)
    second = await world.start("1.2.0", document=ONE_PHASE)
    baking = await world.run(first.id, until=[State.BAKING])
    place = baking.plan.placements()[0]
    before = world.component.served(place)

    out = await halt_rollout(world.outside, second.id, actor="bob", reason="not today")

    assert out.state is State.ABANDONED
    assert out.halt is not None
    assert out.halt.by == "bob"
    assert world.component.served(place) == before
    assert before.exposure != NO_EXPOSURE
    assert state(world, first.id) is State.BAKING


async def test_an_alarm_leaves_the_queue_as_it_is(world: MemoryWorld) -> None:
    """It is a level: it is asked again when the turn comes."""
    await world.start("1.1.0", document=ONE_PHASE)
    second = await world.start("1.2.0", document=ONE_PHASE)

    after = await halt_rollout(
        world.outside, second.id, actor="pager", reason="PayErr", cause=HaltCause.ALARM
    )

    assert after.state is State.PLANNED


async def test_a_queued_rollout_has_nothing_to_roll_back(world: MemoryWorld) -> None:
    """The refusal says how it is taken out of the queue."""
    await world.start("1.1.0", document=ONE_PHASE)
    second = await world.start("1.2.0", document=ONE_PHASE)

    with pytest.raises(RefusedError, match="waits in the queue") as refused:
        await roll_back(world.outside, second.id, actor="bob", reason="no")

    assert f"tidegate halt {second.id}" in refused.value.hint


async def test_what_is_served_already_by_then_ends_as_superseded(world: MemoryWorld) -> None:
    """Two people bring the same version: the second has nothing left to do, and says so."""
    first = await world.start("1.1.0", document=ONE_PHASE)
    second = await world.start("1.1.0", document=ONE_PHASE, actor="bob")

    await world.run(first.id, until=[State.COMPLETED])
    ended = await world.run(second.id, until=is_over)

    assert ended.state is State.SUPERSEDED
    assert "served already" in ended.waiting_on.detail
    assert state(world, first.id) is not State.SUPERSEDED


async def test_a_replacing_change_has_what_moves_rolled_back_and_begins(
    world: MemoryWorld,
) -> None:
    """What waits is dropped at once; what moves goes back first, seen at the target."""
    first = await world.start("1.1.0", document=ONE_PHASE)
    waiting = await world.start("1.2.0", document=ONE_PHASE)
    await world.run(first.id, until=[State.BAKING])

    hotfix = await world.start("1.1.1", document=policy("replace"), actor="bob")

    assert hotfix.state is State.PLANNED
    assert state(world, waiting.id) is State.SUPERSEDED
    begun = await world.run(hotfix.id, until=is_begun)
    replaced = world.rollout(first.id)
    assert replaced.state is State.ROLLED_BACK
    assert replaced.halt is not None
    assert hotfix.id in replaced.halt.because
    assert {version.name for _, version in begun.baselines} == {"1.0.0"}
    await world.run(hotfix.id, until=[State.COMPLETED])


async def test_a_replacing_change_never_begins_before_the_other_is_back(
    world: MemoryWorld,
) -> None:
    """Turn by turn: as long as anything of the first is exposed, the hotfix is queued."""
    first = await world.start("1.1.0", document=ONE_PHASE)
    baking = await world.run(first.id, until=[State.BAKING])
    place = baking.plan.placements()[0]
    hotfix = await world.start("1.1.1", document=policy("replace"))

    for _ in range(60):
        await world.turn()
        if is_begun(world.rollout(hotfix.id)):
            break
        world.clock.advance(first.plan.tick)

    assert is_begun(world.rollout(hotfix.id))
    assert world.rollout(first.id).is_final
    assert world.component.served(place).exposure == NO_EXPOSURE


async def test_a_bundle_joins_what_waits_and_leaves_what_moves(world: MemoryWorld) -> None:
    """The one that moves ends by itself; the queued one lives on inside the new one."""
    document = policy("bundle")
    first = await world.start("1.1.0", document=document)
    await world.run(first.id, until=[State.BAKING])
    waiting = await world.start("1.2.0", document=document)

    bundle = await world.start("1.3.0", document=document)

    assert state(world, waiting.id) is State.SUPERSEDED
    assert state(world, first.id) is State.BAKING
    assert [part.to.name for part in bundle.change.components] == ["1.3.0"]
    await world.run(first.id, until=[State.COMPLETED])
    await world.run(bundle.id, until=[State.COMPLETED])


async def test_every_step_of_the_queue_is_in_the_ledger(world: MemoryWorld) -> None:
    """Who dropped what, and why a turn came, can be read afterwards."""
    first = await world.start("1.1.0", document=ONE_PHASE)
    waiting = await world.start("1.2.0", document=ONE_PHASE)
    hotfix = await world.start("1.1.1", document=policy("replace"), actor="bob")
    await world.run(hotfix.id, until=is_begun)

    told = _ledger_of(world)

    assert ("bob", "supersede", f"superseded by rollout {hotfix.id}") in told(waiting.id)
    assert ("bob", "rollback", f"replaced by rollout {hotfix.id}") in told(first.id)
    assert ("tidegate", "queue", "nothing else moves its targets") in told(hotfix.id)


def _ledger_of(world: MemoryWorld) -> Callable[[RolloutId], set[tuple[str, str, str]]]:
    def told(rollout_id: RolloutId) -> set[tuple[str, str, str]]:
        with world.store.begin(read_only=True) as transaction:
            entries = transaction.ledger(rollout_id=rollout_id)
        return {(entry.actor, entry.rule, entry.because) for entry in entries}

    return told


async def test_a_turn_is_lost_when_someone_took_the_target_meanwhile(world: MemoryWorld) -> None:
    """What was free when it was decided is claimed in the transaction that records the turn."""
    first = await world.start("1.1.0", document=ONE_PHASE)
    second = await world.start("1.2.0", document=ONE_PHASE)
    seen = Observation(
        now=world.clock.now(),
        rollout=second,
        placements=await observe(world.outside, second),
        evidence=NO_EVIDENCE,
    )

    with world.store.begin() as transaction, pytest.raises(StateMovedError, match="lost its turn"):
        take_turn(transaction, seen)

    assert world.rollout(second.id) == second
    assert first.id in str(queued(world, second))


def queued(world: MemoryWorld, rollout: Rollout) -> Queued | None:
    with world.store.begin(read_only=True) as transaction:
        return queued_behind(transaction, rollout, world.clock.now())


async def test_an_approval_isnt_taken_for_a_queued_rollout(world: MemoryWorld) -> None:
    """What it will be compared with isn't known yet, so there is nothing to say yes to."""
    await world.start("1.1.0", document=ONE_PHASE)
    second = await world.start("1.2.0")

    with pytest.raises(RefusedError, match="no phase is waiting"):
        approve_rollout(world.outside, second.id, actor="bob", comment="yes")
