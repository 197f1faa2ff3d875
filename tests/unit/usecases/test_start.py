"""Starting: what is refused before anything is written, and what is recorded when it isn't."""

from dataclasses import replace

import pytest

from tidegate.domain.plan.model import Move
from tidegate.domain.quantities import NO_EXPOSURE, Environment
from tidegate.domain.rollout.machine import State
from tidegate.drivers.component.memory import MemoryComponent
from tidegate.errors import (
    ActiveRolloutError,
    InvalidRequestError,
    RefusedError,
    VersionNotFoundError,
)
from tidegate.testing.builders import a_placement
from tidegate.testing.simulation.bench import NEW, OLD, Bench
from tidegate.testing.simulation.situations import a_quick_plan
from tidegate.usecases.start import propose, start_rollout

EU, US = a_placement(), a_placement(target="us")
CODE, FLAG = a_placement(), a_placement(component="flag")


async def test_a_start_records_and_moves_nothing(make_bench):
    """The first step does the rest; until then nothing has changed but the record."""
    bench = await make_bench()

    started = await bench.start()

    assert started.state is State.WAITING
    assert bench.exposes_nobody()
    assert bench.component.log == []
    entry, waiver = bench.ledger(started.id)
    assert (entry.rule, entry.actor, entry.because) == ("start", "alice", f"code={NEW}")
    assert (waiver.rule, waiver.actor) == ("waive-gate", "alice")
    assert bench.woken == [started.id]


async def test_what_was_served_is_noted_as_the_way_back(make_bench):
    """The baseline of each placement is what the target said it serves."""
    bench = await make_bench()

    started = await bench.start()

    assert started.baseline_of(EU).name == OLD


async def test_a_proposal_is_what_a_start_runs(make_bench):
    """The plan that was looked at is the plan that runs, by its hash."""
    bench = await make_bench()
    proposal = await propose(bench.outside, bench.resolved, {"code": NEW})

    started = await start_rollout(
        bench.outside,
        bench.resolved,
        {"code": NEW},
        actor="alice",
        expected_plan_hash=proposal.plan_hash,
    )

    assert started.plan_hash == proposal.plan_hash
    assert started.plan == proposal.plan


async def test_a_plan_that_moved_since_is_refused(make_bench):
    """What was agreed to isn't what would run."""
    bench = await make_bench()

    with pytest.raises(RefusedError, match="the plan is"):
        await start_rollout(
            bench.outside,
            bench.resolved,
            {"code": NEW},
            actor="alice",
            expected_plan_hash="sha256:other",
        )
    assert bench.ledger() == []


@pytest.mark.parametrize(
    ("versions", "error"),
    [({}, "no version was given"), ({"data": "1"}, "has no component 'data'")],
)
async def test_a_change_of_nothing_or_of_the_unknown_is_refused(make_bench, versions, error):
    """A typo in a component's name starts nothing."""
    bench = await make_bench()

    with pytest.raises(InvalidRequestError, match=error):
        await propose(bench.outside, bench.resolved, versions)


async def test_a_version_that_does_not_exist_is_refused():
    """What can't be had can't be rolled out."""
    bench = Bench(a_quick_plan(), component=MemoryComponent(missing={"9.9.9"}))
    await bench.install()

    with pytest.raises(VersionNotFoundError):
        await propose(bench.outside, bench.resolved, {"code": "9.9.9"})


async def test_what_is_served_already_is_not_rolled_out_again(make_bench):
    """There is nothing to do."""
    bench = await make_bench()

    with pytest.raises(RefusedError, match=r"serves code=1\.0\.0 already"):
        await propose(bench.outside, bench.resolved, {"code": OLD})


async def test_a_lab_target_needs_a_lab_server(make_bench):
    """No author of a document can mark production's rules away."""
    bench = await make_bench()
    spec = bench.resolved.spec
    lab = replace(spec.targets[0], environment=Environment.LAB)
    resolved = replace(bench.resolved, spec=replace(spec, targets=(lab,)))
    outside = replace(bench.outside, lab_allowed=False)

    with pytest.raises(RefusedError, match="this server isn't a lab"):
        await propose(outside, resolved, {"code": NEW})


async def test_a_service_that_is_served_only_in_parts_is_refused():
    """A first deployment and an update are two different things."""
    bench = Bench(a_quick_plan(placements=[EU, US]))
    whole = bench.plan
    bench.plan = a_quick_plan(placements=[EU])
    await bench.install()
    bench.plan = whole

    with pytest.raises(RefusedError, match="nothing is served at shop/code@us"):
        await propose(bench.outside, bench.resolved, {"code": NEW})


async def test_behind_a_first_deployment_nothing_is_queued():
    """There is no baseline yet; the refusal records nothing."""
    bench = Bench(a_quick_plan(placements=[CODE]))
    await bench.start()
    before = len(bench.ledger())

    with pytest.raises(ActiveRolloutError, match="for the first time"):
        await bench.start("1.2.0")

    assert len(bench.ledger()) == before


async def test_only_what_changes_is_moved():
    """Phases keep only the moves of components that the change changes."""
    bench = Bench(a_quick_plan(placements=[CODE, FLAG]))
    await bench.install()

    proposal = await propose(bench.outside, bench.resolved, {"flag": NEW})

    assert proposal.plan.placements() == (FLAG,)


async def test_a_change_that_no_phase_moves_is_refused():
    """A plan that leaves the change out can't carry it."""
    plan = a_quick_plan(placements=[CODE, FLAG])
    only_code = replace(
        plan,
        phases=tuple(
            replace(phase, moves=tuple(move for move in phase.moves if move.placement == CODE))
            for phase in plan.phases
        ),
    )
    bench = Bench(plan)
    await bench.install()
    resolved = replace(bench.resolved, spec=replace(bench.resolved.spec, plan=only_code))

    with pytest.raises(InvalidRequestError, match="no phase of the plan moves"):
        await propose(bench.outside, resolved, {"flag": NEW})


async def test_a_first_deployment_exposes_nobody_to_anything_new():
    """Without a baseline there is one phase that brings the service up."""
    bench = Bench(a_quick_plan())

    proposal = await propose(bench.outside, bench.resolved, {"code": NEW})

    assert proposal.is_install
    (phase,) = proposal.plan.phases
    assert phase.moves == (Move(placement=EU, exposure=NO_EXPOSURE),)


async def test_every_target_has_a_generation_from_the_start(make_bench):
    """Stops that earlier rollouts left lie below it, and late writes of theirs too."""
    bench = await make_bench()

    started = await bench.start()

    assert started.generation_on("eu") > bench.component.served(EU).generation


async def test_ids_are_short_and_never_repeat(make_bench):
    """An id can be typed, and means one rollout only."""
    bench = await make_bench()
    ids = set()
    for number in range(3):
        started = await bench.start(f"2.{number}")
        ids.add(started.id)
        await bench.until(started.id, lambda rollout: rollout.is_final)

    assert len(ids) == 3
    assert all(len(rollout_id) == 6 for rollout_id in ids)
