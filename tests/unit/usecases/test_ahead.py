"""What lies ahead of a rollout: a time only where one can be said, and every need by its name."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.documents.records import from_json
from tidegate.domain.health.evidence import NO_EVIDENCE, Evidence
from tidegate.domain.plan.model import ExerciseSpec
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases.ahead import Ahead, look_ahead, next_phase_index
from tidegate.usecases.approve import approve_rollout
from tidegate.usecases.halt import halt_rollout
from tidegate.usecases.meter import measure, stored_state

LATE_WINDOW = DOCUMENT.replace(
    "traffic: 50%, bake: 20s",
    'traffic: 50%, bake: 20s, window: {days: mon-sun, hours: "22:00-23:00"}',
)


def ahead(world: MemoryWorld, rollout: Rollout) -> Ahead:
    with world.store.begin(read_only=True) as transaction:
        stored = transaction.evidence(rollout.id)
    evidence = NO_EVIDENCE if stored is None else from_json(Evidence, stored.evidence_json)
    meter = measure(
        rollout, evidence, stored_state(rollout, stored), now=world.clock.now(), hours=()
    )
    return look_ahead(world.outside, rollout, evidence, meter)


async def baked_a_while(world: MemoryWorld, document: str = DOCUMENT) -> Rollout:
    """Return a rollout that bakes, has proven everything, and needs more time."""
    await world.installed()
    rollout = await world.start("1.1.0", document=document)
    rollout = await world.run(rollout.id, until={State.BAKING})
    later = world.clock.now() + 4 * rollout.plan.tick
    return await world.run(rollout.id, until=lambda _: world.clock.now() >= later)


async def test_a_bake_ends_when_its_time_and_its_proof_are_there() -> None:
    """The next rise is expected when the slowest need is met."""
    world = MemoryWorld()
    rollout = await baked_a_while(world)

    found = ahead(world, rollout).rise

    assert found is not None
    assert found.phase is rollout.plan.phases[1]
    takes = [need.takes for need in found.needs if need.takes is not None]
    assert found.at == world.clock.now() + max(takes)
    assert "bake" in {need.what for need in found.needs}


async def test_an_approval_is_a_need_of_somebody() -> None:
    """It has no time of its own: the time is said for when it is given by then."""
    world = MemoryWorld()
    rollout = await baked_a_while(world)
    before = ahead(world, rollout).rise

    approve_rollout(world.outside, rollout.id, actor="lead-a", comment="")
    after = ahead(world, world.rollout(rollout.id)).rise

    assert before is not None
    assert after is not None
    assert [need.by for need in before.needs if need.by] == ["team-release"]
    assert [need.by for need in after.needs if need.by] == []
    assert before.at == after.at is not None


async def test_a_path_that_nobody_uses_has_no_end_in_sight() -> None:
    """The forecast of the whole is as unknown as its least known part."""
    world = MemoryWorld()
    rollout = await baked_a_while(world)
    refund = ExerciseSpec(name="refund", minimum_count=100, source="envoy")
    first = replace(rollout.plan.phases[0], exercises=(refund,))
    plan = replace(rollout.plan, phases=(first, *rollout.plan.phases[1:]))

    found = ahead(world, replace(rollout, plan=plan)).rise

    assert found is not None
    assert found.at is None
    assert "exercise refund: 0 of 100" in {need.what for need in found.needs}


async def test_a_closed_window_is_waited_for() -> None:
    """Ready or not: before the window opens nothing rises."""
    world = MemoryWorld()
    rollout = await baked_a_while(world, LATE_WINDOW)

    found = ahead(world, rollout).rise

    assert found is not None
    assert found.at is not None
    assert found.at.hour == 22
    assert "the window" in {need.what for need in found.needs}


async def test_after_the_last_phase_comes_the_end() -> None:
    """There is no phase any more, and still a time."""
    world = MemoryWorld()
    rollout = await baked_a_while(world)
    approve_rollout(world.outside, rollout.id, actor="lead-a", comment="")
    rollout = await world.run(
        rollout.id, until=lambda now: now.phase_index == 2 and now.state is State.BAKING
    )

    found = ahead(world, rollout).rise

    assert found is not None
    assert found.phase is None
    assert found.at is not None


async def test_what_is_halted_does_not_rise_by_itself() -> None:
    """So nothing is foreseen of it, and nobody is exposed."""
    world = MemoryWorld()
    rollout = await baked_a_while(world)
    await halt_rollout(world.outside, rollout.id, actor="lead-a", reason="orders fail")
    rollout = world.rollout(rollout.id)

    found = ahead(world, rollout)

    assert found.rise is None
    assert found.progress is None
    assert found.blast.now is None
    assert next_phase_index(rollout) is None


async def test_a_fault_is_foreseen_from_the_traffic_of_the_rollout_itself() -> None:
    """Larger faults are halted sooner; whom they hurt is of the phase, and more in the next."""
    world = MemoryWorld()
    rollout = await baked_a_while(world)

    blast = ahead(world, rollout).blast

    assert blast.now is not None
    assert blast.following is not None
    small, large = (fault.halted_after for fault in blast.now.faults)
    assert small is not None
    assert large is not None
    assert timedelta(0) < large < small
    assert blast.now.requests_per_second == pytest.approx(40.0, rel=0.5)
    assert blast.following.requests_per_second == pytest.approx(
        5 * blast.now.requests_per_second  # type: ignore[operator]
    )


async def test_without_traffic_nothing_is_foreseen_of_faults() -> None:
    """Before anybody has seen a request, a number would be made up."""
    world = MemoryWorld()
    await world.installed()
    rollout = await world.start("1.1.0")

    blast = ahead(world, rollout).blast

    assert blast.traffic is None
    assert blast.following is not None
    assert blast.following.faults == ()
    assert blast.following.people is None
