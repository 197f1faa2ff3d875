"""What people can say to a rollout, when it is heard, and what it leaves in the ledger."""

import asyncio
from dataclasses import replace

import pytest

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.quantities import NO_EXPOSURE, RolloutId
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import HaltCause, ReasonCode
from tidegate.errors import (
    IllegalTransitionError,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    StateMovedError,
    StoreError,
)
from tidegate.testing.builders import a_placement
from tidegate.testing.simulation.bench import DRIVER, NEW, OLD
from tidegate.testing.simulation.failpoints import InterruptedComponent, InterruptedStore
from tidegate.testing.simulation.situations import a_quick_plan
from tidegate.testing.simulation.traffic import Behaviour, Fault
from tidegate.usecases.abandon import abandon_rollout
from tidegate.usecases.approve import approve_rollout, approved_phase
from tidegate.usecases.commands import At
from tidegate.usecases.halt import halt_rollout
from tidegate.usecases.reading import find_rollout
from tidegate.usecases.resume import resume_rollout
from tidegate.usecases.roll_back import roll_back
from tidegate.usecases.step import step

EU = a_placement()

ROOT = Caller(name="alice", kind=CallerKind.PERSON, person="alice", is_root=True)


def is_in(state, phase_index=None):
    def holds(rollout):
        return rollout.state is state and phase_index in (None, rollout.phase_index)

    return holds


def is_final(rollout):
    return rollout.is_final


async def halt(bench, rollout_id, reason="users complain"):
    return await halt_rollout(bench.outside, rollout_id, actor="bob", reason=reason)


async def a_baking(bench, phase_index=0):
    started = await bench.start()
    return await bench.until(started.id, is_in(State.BAKING, phase_index))


async def a_withdrawn(bench, phase_index=0):
    """Return a rollout that a person halted and that was seen to expose nobody."""
    rollout = await a_baking(bench, phase_index)
    await halt(bench, rollout.id)
    return await bench.until(
        rollout.id, lambda found: found.waiting_on.reason is ReasonCode.PERSON_AFTER_HALT
    )


async def a_completed(bench, version=NEW):
    started = await bench.start(version)
    return await bench.until(started.id, is_final)


# --- halt ------------------------------------------------------------------------------------


async def test_a_halt_withdraws_at_once(make_bench):
    """When the command has returned nobody meets the candidate, and the ledger says who and why."""
    bench = await make_bench()
    rollout = await a_baking(bench, 1)

    halted = await halt(bench, rollout.id)

    assert bench.exposes_nobody()
    assert halted.state is State.HALTED
    assert (halted.halt.cause, halted.halt.by) == (HaltCause.PERSON, "bob")
    entry = bench.ledger(rollout.id)[-1]
    assert (entry.actor, entry.rule, entry.because) == ("bob", "halt", "users complain")
    assert bench.woken[-1] == rollout.id


@pytest.mark.parametrize(
    "reach", [State.WAITING, State.APPLYING, State.BAKING, State.HELD, State.HALTED]
)
async def test_a_person_can_halt_whatever_is_not_over(make_bench, reach):
    """There is no state in which a rollout goes on although someone said stop."""
    bench = await make_bench()
    started = await bench.start()
    if reach in (State.HELD, State.HALTED):
        await bench.until(started.id, is_in(State.BAKING))
        bench.traffic.fault = Fault.GAP
    await bench.until(started.id, is_in(reach))

    halted = await halt(bench, started.id)

    assert halted.state is State.HALTED
    assert bench.exposes_nobody()


async def test_halting_again_changes_nothing_and_is_no_error(make_bench):
    """Whoever halts need not look first."""
    bench = await make_bench()
    rollout = await a_withdrawn(bench)

    again = await halt(bench, rollout.id, reason="me too")

    assert again.state is State.HALTED
    assert again.halt == rollout.halt


async def test_halting_what_is_over_is_no_error(make_bench):
    """It has stopped already; the present state comes back."""
    bench = await make_bench()
    done = await a_completed(bench)

    assert (await halt(bench, done.id)) == done


async def test_halting_what_does_not_exist_is_an_error(make_bench):
    """A mistyped id isn't taken for a stop."""
    bench = await make_bench()

    with pytest.raises(NotFoundError):
        await halt(bench, RolloutId("nothing"))


async def test_a_target_that_does_not_answer_is_withdrawn_later(make_bench):
    """The stop is recorded with what is left to do, and the next steps do it."""
    bench = await make_bench()
    rollout = await a_baking(bench)

    async def unreachable(point):
        if point == "before withdraw":
            raise StoreError("no route to the target", hint="wait")

    outside = replace(
        bench.outside, components={DRIVER: InterruptedComponent(bench.component, unreachable)}
    )
    halted = await halt_rollout(outside, rollout.id, actor="bob", reason="stop")
    assert "couldn't be withdrawn" in halted.waiting_on.detail
    assert not bench.exposes_nobody()

    await bench.step(rollout.id)

    assert bench.exposes_nobody()


async def test_a_halt_without_a_store_is_in_force_at_the_targets(make_bench):
    """No record, but no exposure either, and no generation that was issued before can bring it back."""
    bench = await make_bench()
    rollout = await a_baking(bench)
    transactions = 0

    def reached(point):
        nonlocal transactions
        transactions += 1
        if transactions > 2:
            raise StoreError("the disk is full", hint="make room")

    outside = replace(bench.outside, store=InterruptedStore(bench.store, reached))

    with pytest.raises(StoreError):
        await halt_rollout(outside, rollout.id, actor="bob", reason="stop")

    assert bench.exposes_nobody()
    assert (await bench.step(rollout.id)).state is State.HALTED
    assert bench.exposes_nobody()


async def test_a_rise_that_was_recorded_while_a_halt_was_under_way_never_happens(make_bench):
    """Once the halt is recorded, exposure only falls: also against a rise recorded just before it."""
    bench = await make_bench()
    started = await bench.start()
    await bench.until(started.id, is_in(State.WAITING, 1))
    withdrawn, recorded = asyncio.Event(), asyncio.Event()
    applying, goes_on = asyncio.Event(), asyncio.Event()
    withdrawals = 0

    async def halting(point):
        nonlocal withdrawals
        if point == "after withdraw":
            withdrawals += 1
            if withdrawals == 1:
                withdrawn.set()
                await recorded.wait()

    async def stepping(point):
        if point == "before apply":
            applying.set()
            await goes_on.wait()

    def through(reached):
        return replace(
            bench.outside, components={DRIVER: InterruptedComponent(bench.component, reached)}
        )

    # The step observes before the halt withdraws, and records its rise after that.
    observed, records = asyncio.Event(), asyncio.Event()

    async def step_and_wait(point):
        if point == "after observe":
            observed.set()
            await records.wait()
        await stepping(point)

    rise = asyncio.create_task(step(through(step_and_wait), started.id))
    await observed.wait()
    stop = asyncio.create_task(
        halt_rollout(through(halting), started.id, actor="bob", reason="stop")
    )
    await withdrawn.wait()
    records.set()
    await applying.wait()
    recorded.set()
    halted = await stop
    exposed_at_halt = dict(bench.exposures())
    goes_on.set()
    await rise

    assert halted.state is State.HALTED
    assert exposed_at_halt[EU] == NO_EXPOSURE
    assert bench.exposes_nobody()
    assert halted.generation_on("eu") == bench.component.served(EU).generation


# --- resume ----------------------------------------------------------------------------------


async def test_a_resume_proves_the_phase_again_as_a_new_attempt(make_bench):
    """Nothing that was shown before the stop lets exposure rise after it."""
    bench = await make_bench()
    rollout = await a_withdrawn(bench, 1)

    resumed = resume_rollout(bench.outside, rollout.id, actor="bob", reason="not ours")

    assert (resumed.state, resumed.attempt, resumed.phase_index) == (State.WAITING, 2, 1)
    assert resumed.halt is None
    done = await bench.until(rollout.id, is_final)
    assert done.state is State.COMPLETED
    assert [(passed.phase_index, passed.attempt) for passed in done.passes] == [
        (0, 1),
        (1, 2),
        (2, 2),
    ]


async def test_a_resume_needs_a_reason(make_bench):
    """What the person knows that the engine doesn't belongs in the ledger."""
    bench = await make_bench()
    rollout = await a_withdrawn(bench)

    with pytest.raises(InvalidRequestError):
        resume_rollout(bench.outside, rollout.id, actor="bob", reason="  ")


async def test_a_rollout_held_for_its_data_cannot_be_resumed(make_bench):
    """It goes on by itself when the data is back; a person's word makes no data."""
    bench = await make_bench()
    rollout = await a_baking(bench)
    bench.traffic.fault = Fault.GAP
    await bench.until(rollout.id, is_in(State.HELD))

    with pytest.raises(IllegalTransitionError):
        resume_rollout(bench.outside, rollout.id, actor="bob", reason="go")


async def test_an_undecided_bake_gets_as_much_time_again(make_bench):
    """More time is all that a resume of an undecided bake gives: the proof is still needed."""
    bench = await make_bench(a_quick_plan(minimum_requests=10_000_000))
    started = await bench.start()
    held = await bench.until(
        started.id, lambda found: found.waiting_on.reason is ReasonCode.INCONCLUSIVE
    )

    resumed = resume_rollout(bench.outside, started.id, actor="bob", reason="quiet night")

    assert (resumed.state, resumed.attempt) == (State.BAKING, held.attempt)
    assert resumed.bake_allowance == 2
    again = await bench.until(started.id, is_in(State.HELD))
    assert again.waiting_on.reason is ReasonCode.INCONCLUSIVE


async def test_a_rehearsal_that_was_halted_is_rehearsed_again(make_bench):
    """A resume before the way back was proven begins its proof anew."""
    bench = await make_bench()
    started = await bench.start()
    await bench.step(started.id)
    await halt(bench, started.id)
    await bench.until(
        started.id, lambda found: found.waiting_on.reason is ReasonCode.PERSON_AFTER_HALT
    )

    resume_rollout(bench.outside, started.id, actor="bob", reason="go")
    done = await bench.until(started.id, is_final)

    assert done.state is State.COMPLETED


async def test_a_resume_before_everyone_was_withdrawn_exposes_nobody_meanwhile(make_bench):
    """Users don't stay exposed and unwatched while a resumed rollout waits for an approval."""
    bench = await make_bench(a_quick_plan(approvals=1, approvers="team"))
    started = await bench.start()
    await bench.until(started.id, lambda found: found.waiting_on.reason is ReasonCode.APPROVAL)
    approve_rollout(bench.outside, started.id, actor="carol", comment="")
    await bench.until(started.id, is_in(State.BAKING))

    async def unreachable(point):
        if point == "before withdraw":
            raise StoreError("no route to the target", hint="wait")

    outside = replace(
        bench.outside, components={DRIVER: InterruptedComponent(bench.component, unreachable)}
    )
    await halt_rollout(outside, started.id, actor="bob", reason="stop")
    resume_rollout(bench.outside, started.id, actor="bob", reason="go")

    await bench.step(started.id)
    await bench.step(started.id)

    assert bench.rollout(started.id).state is State.WAITING
    assert bench.exposes_nobody()


# --- approve ---------------------------------------------------------------------------------


async def a_bench_that_asks(make_bench, count=1):
    return await make_bench(a_quick_plan(approvals=count, approvers="team"))


async def test_an_approval_lets_the_phase_begin(make_bench):
    """Without it nothing rises, however good the evidence."""
    bench = await a_bench_that_asks(make_bench)
    started = await bench.start()
    await bench.until(started.id, lambda found: found.waiting_on.reason is ReasonCode.APPROVAL)
    for _ in range(5):
        waiting = await bench.tick(started.id)
    assert waiting.state is State.WAITING

    approve_rollout(bench.outside, started.id, actor="carol", comment="looks good")

    said_at = bench.clock.now()
    assert (await bench.step(started.id)).state is State.APPLYING
    approval = bench.ledger(started.id)[-2]
    assert (approval.rule, approval.at) == ("approve", said_at)
    assert said_at > started.created_at


async def test_two_approvals_are_two_persons(make_bench):
    """One person can't agree twice."""
    bench = await a_bench_that_asks(make_bench, 2)
    started = await bench.start()
    approve_rollout(bench.outside, started.id, actor="carol", comment="")

    with pytest.raises(RefusedError, match="carol has approved"):
        approve_rollout(bench.outside, started.id, actor="carol", comment="")


async def test_an_approval_may_be_given_while_the_phase_before_bakes(make_bench):
    """Nobody has to stay awake for the end of a bake."""
    bench = await a_bench_that_asks(make_bench)
    started = await bench.start()
    approve_rollout(bench.outside, started.id, actor="carol", comment="")
    await bench.until(started.id, is_in(State.BAKING, 0))

    approved = approve_rollout(bench.outside, started.id, actor="carol", comment="")

    assert approved.approvals[-1].phase_index == 1
    assert (await bench.until(started.id, is_in(State.BAKING, 1))).state is State.BAKING


async def test_a_halt_voids_the_approval(make_bench):
    """What is proven again must be agreed to again."""
    bench = await a_bench_that_asks(make_bench)
    started = await bench.start()
    approve_rollout(bench.outside, started.id, actor="carol", comment="")
    await bench.until(started.id, is_in(State.BAKING, 0))
    await halt(bench, started.id)
    await bench.until(
        started.id, lambda found: found.waiting_on.reason is ReasonCode.PERSON_AFTER_HALT
    )

    resume_rollout(bench.outside, started.id, actor="bob", reason="go")

    await bench.step(started.id)
    assert bench.rollout(started.id).waiting_on.reason is ReasonCode.APPROVAL


async def test_nothing_can_be_approved_that_needs_no_approval_or_does_not_wait(make_bench):
    """An approval that would mean nothing is refused, so that nobody thinks it did."""
    bench = await make_bench()
    rollout = await a_baking(bench)

    with pytest.raises(RefusedError, match="needs no approval"):
        approve_rollout(bench.outside, rollout.id, actor="carol", comment="")
    await halt(bench, rollout.id)
    with pytest.raises(RefusedError, match="no phase is waiting"):
        approve_rollout(bench.outside, rollout.id, actor="carol", comment="")


async def test_the_last_phase_has_no_next_to_approve(make_bench):
    """There is nothing after the last phase."""
    bench = await make_bench()
    rollout = await a_baking(bench, 2)

    assert approved_phase(rollout) is None


async def test_a_command_says_what_its_person_saw(make_bench):
    """A decision that was made on an old screen is refused; a halt never is."""
    bench = await a_bench_that_asks(make_bench)
    started = await bench.start()
    await bench.step(started.id)
    old = At(phase=1, revision=started.revision)

    with pytest.raises(StateMovedError):
        approve_rollout(bench.outside, started.id, actor="carol", comment="", at=old)


# --- roll back -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reach", [State.WAITING, State.APPLYING, State.BAKING, State.HELD, State.HALTED]
)
async def test_whatever_is_not_over_can_be_rolled_back(make_bench, reach):
    """A person's rollback ends it, and everything serves what it did before."""
    bench = await make_bench()
    started = await bench.start()
    if reach in (State.HELD, State.HALTED):
        await bench.until(started.id, is_in(State.BAKING))
        bench.traffic.fault = Fault.GAP
    await bench.until(started.id, is_in(reach))

    recovering = await roll_back(bench.outside, started.id, actor="bob", reason="no")

    assert recovering.state is State.RECOVERING
    assert bench.exposes_nobody()
    done = await bench.until(started.id, is_final)
    assert done.state is State.ROLLED_BACK
    assert bench.component.served(EU).baseline.name == OLD
    assert bench.component.served(EU).candidate is None


async def test_a_completed_rollout_is_returned_from_at_once(make_bench):
    """The way back after completion is a rollout of its own that serves the earlier version."""
    bench = await make_bench()
    done = await a_completed(bench)

    returning = await roll_back(bench.outside, done.id, actor="bob", reason="slow leak")
    back = await bench.until(returning.id, is_final)

    assert back.is_return
    assert back.state is State.ROLLED_BACK
    assert bench.component.served(EU).baseline.name == OLD
    assert bench.exposes_nobody()
    assert bench.rollout(done.id).settled


async def test_a_return_goes_to_the_last_known_good(make_bench):
    """Not to what was merely served before, when that never outlived its quarantine."""
    bench = await make_bench()
    good = await a_completed(bench, "1.1.0")
    bench.clock.advance(bench.plan.quarantine)
    await bench.step(good.id)
    await a_completed(bench, "1.2.0")
    third = await a_completed(bench, "1.3.0")

    returning = await roll_back(bench.outside, third.id, actor="bob", reason="no")
    await bench.until(returning.id, is_final)

    assert bench.component.served(EU).baseline.name == "1.1.0"


async def test_a_return_is_not_undone_by_the_next_one(make_bench):
    """A version that was returned from isn't where a later return leads to."""
    bench = await make_bench()
    for version in ("1.1.0", "1.2.0"):
        settled = await a_completed(bench, version)
        bench.clock.advance(bench.plan.quarantine)
        await bench.step(settled.id)
    back = await roll_back(bench.outside, settled.id, actor="bob", reason="1.2.0 leaks")
    await bench.until(back.id, is_final)
    third = await a_completed(bench, "1.3.0")

    again = await roll_back(bench.outside, third.id, actor="bob", reason="no")
    await bench.until(again.id, is_final)

    assert bench.component.served(EU).baseline.name == "1.1.0"


async def test_a_return_that_is_stopped_at_the_target_comes_to_its_end(make_bench):
    """A late withdrawal of another server doesn't keep the good version from being served."""
    bench = await make_bench()
    done = await a_completed(bench)
    returning = await roll_back(bench.outside, done.id, actor="bob", reason="no")
    await bench.step(returning.id)
    await bench.component.withdraw(EU, done.generation_on("eu"))

    back = await bench.until(returning.id, is_final, turns=100)

    assert back.state is State.ROLLED_BACK
    assert bench.component.served(EU).baseline.name == OLD


async def test_only_the_latest_rollout_can_be_returned_from(make_bench):
    """Taking back an earlier one would take back what came after it as well."""
    bench = await make_bench()
    first = await a_completed(bench)
    await a_completed(bench, "1.2.0")

    with pytest.raises(RefusedError, match="isn't the latest"):
        await roll_back(bench.outside, first.id, actor="bob", reason="no")


async def a_taken_back(bench, version):
    """Start *version*, and let it go back once users have it."""
    started = await bench.start(version)
    await bench.until(started.id, is_in(State.BAKING))
    await roll_back(bench.outside, started.id, actor="bob", reason="no")
    return await bench.until(started.id, is_final)


async def an_abandoned(bench, version):
    """Start *version*, halt it and give it up."""
    started = await bench.start(version)
    await bench.until(started.id, is_in(State.BAKING))
    await halt_rollout(bench.outside, started.id, actor="bob", reason="no")
    for _ in range(3):
        await bench.step(started.id)
    return await abandon_rollout(bench.outside, started.id, actor="bob", reason="no")


async def a_returned(bench, version):
    """Let *version* complete, and return from it."""
    done = await a_completed(bench, version)
    back = await roll_back(bench.outside, done.id, actor="bob", reason="no")
    return await bench.until(back.id, is_final)


@pytest.mark.parametrize(
    "later",
    [
        [a_taken_back],
        [an_abandoned],
        [a_taken_back, an_abandoned, a_taken_back],
        [a_returned],
        [a_taken_back, a_returned],
        [a_returned, a_taken_back],
    ],
    ids=lambda one: "-".join(each.__name__ for each in one),
)
async def test_what_came_and_went_keeps_nothing_from_being_returned_from(make_bench, later):
    """What is served is the completed version again, so it can be taken back: to what was before it."""
    bench = await make_bench()
    done = await a_completed(bench)
    for number, come_and_go in enumerate(later, 2):
        await come_and_go(bench, f"1.{number}.0")
    assert bench.component.served(EU).baseline.name == "1.1.0"

    returning = await roll_back(bench.outside, done.id, actor="bob", reason="slow leak")
    back = await bench.until(returning.id, is_final)

    assert back.state is State.ROLLED_BACK
    assert bench.component.served(EU).baseline.name == OLD
    assert bench.exposes_nobody()


async def test_what_is_under_way_is_rolled_back_first(make_bench):
    """Its way back would lead to a version that isn't there any more."""
    bench = await make_bench()
    done = await a_completed(bench)
    started = await bench.start("1.2.0")
    await bench.until(started.id, is_in(State.BAKING))

    with pytest.raises(RefusedError, match=f"{started.id} came after it") as refusal:
        await roll_back(bench.outside, done.id, actor="bob", reason="no")

    assert refusal.value.hint == f"roll back {started.id} instead"


async def test_nobody_returns_twice_from_the_same(make_bench):
    """Nor after an attempt that began from the earlier version and went back to it."""
    bench = await make_bench()
    done = await a_completed(bench)
    back = await roll_back(bench.outside, done.id, actor="bob", reason="no")
    await bench.until(back.id, is_final)
    with pytest.raises(RefusedError, match="came after it"):
        await roll_back(bench.outside, done.id, actor="bob", reason="again")

    await a_taken_back(bench, "1.2.0")

    with pytest.raises(RefusedError, match="came after it"):
        await roll_back(bench.outside, done.id, actor="bob", reason="again")
    assert bench.component.served(EU).baseline.name == OLD


async def test_of_the_same_version_twice_the_later_is_returned_from(make_bench):
    """The earlier one's record says nothing of what is in quarantine now."""
    bench = await make_bench()
    first = await a_completed(bench)
    back = await roll_back(bench.outside, first.id, actor="bob", reason="no")
    await bench.until(back.id, is_final)
    second = await a_completed(bench)
    await a_taken_back(bench, "1.2.0")

    with pytest.raises(RefusedError, match=f"{second.id} came after it"):
        await roll_back(bench.outside, first.id, actor="bob", reason="no")
    returning = await roll_back(bench.outside, second.id, actor="bob", reason="no")

    await bench.until(returning.id, is_final)
    assert bench.component.served(EU).baseline.name == OLD


async def test_what_serves_nobody_cannot_be_rolled_back(make_bench):
    """A rollout that was taken back already has nothing left to take back."""
    bench = await make_bench()
    started = await bench.start()
    await roll_back(bench.outside, started.id, actor="bob", reason="no")
    await bench.until(started.id, is_final)

    with pytest.raises(RefusedError, match="serves nobody"):
        await roll_back(bench.outside, started.id, actor="bob", reason="no")


async def test_rolling_back_a_return_leaves_it_as_it_is(make_bench):
    """It is on its way back already."""
    bench = await make_bench()
    done = await a_completed(bench)
    returning = await roll_back(bench.outside, done.id, actor="bob", reason="no")

    again = await roll_back(bench.outside, returning.id, actor="bob", reason="no")

    assert again.id == returning.id


# --- abandon ---------------------------------------------------------------------------------


async def test_a_halted_rollout_can_be_given_up(make_bench):
    """The candidate is taken away, and the target is free for the next rollout."""
    bench = await make_bench()
    rollout = await a_withdrawn(bench)

    abandoned = await abandon_rollout(bench.outside, rollout.id, actor="bob", reason="no use")

    assert abandoned.state is State.ABANDONED
    assert bench.component.served(EU).candidate is None
    assert (await bench.start("1.2.0")).state is State.WAITING


async def test_what_still_exposes_someone_cannot_be_given_up(make_bench):
    """Giving up is no way to leave users exposed."""
    bench = await make_bench()
    rollout = await a_baking(bench)

    async def unreachable(point):
        if point == "before withdraw":
            raise StoreError("no route to the target", hint="wait")

    outside = replace(
        bench.outside, components={DRIVER: InterruptedComponent(bench.component, unreachable)}
    )
    await halt_rollout(outside, rollout.id, actor="bob", reason="stop")

    with pytest.raises(IllegalTransitionError, match="still exposes"):
        await abandon_rollout(bench.outside, rollout.id, actor="bob", reason="no use")


async def test_only_what_is_halted_can_be_given_up(make_bench):
    """What is on its way is halted first."""
    bench = await make_bench()
    rollout = await a_baking(bench)

    with pytest.raises(IllegalTransitionError):
        await abandon_rollout(bench.outside, rollout.id, actor="bob", reason="no use")


async def test_giving_up_needs_a_reason(make_bench):
    """As every word of a person that a rule wouldn't have said."""
    bench = await make_bench()
    rollout = await a_withdrawn(bench)

    with pytest.raises(InvalidRequestError):
        await abandon_rollout(bench.outside, rollout.id, actor="bob", reason="")


# --- finding ---------------------------------------------------------------------------------


async def test_a_rollout_is_found_by_id_by_its_beginning_and_by_its_service(make_bench):
    """People type as little as they can."""
    bench = await make_bench()
    started = await bench.start()

    found = [
        find_rollout(bench.outside, ROOT, name).id for name in (started.id, started.id[:3], "shop")
    ]

    assert set(found) == {started.id}
    with pytest.raises(NotFoundError):
        find_rollout(bench.outside, ROOT, "nothing")


async def test_a_harmful_rollout_can_be_resumed_by_a_person_and_is_halted_again(make_bench):
    """A person's word doesn't switch the watch off."""
    bench = await make_bench(replace(a_quick_plan(), recovery="hold"))
    bench.traffic.behaves(await bench.component.resolve(NEW, "{}"), Behaviour(error_rate=0.2))
    started = await bench.start()
    await bench.until(
        started.id, lambda found: found.waiting_on.reason is ReasonCode.PERSON_AFTER_HALT
    )

    resume_rollout(bench.outside, started.id, actor="bob", reason="it's fine")
    again = await bench.until(started.id, is_in(State.HALTED))

    assert again.attempt == 2
    assert again.halt.cause is HaltCause.HARM
    assert bench.exposes_nobody()
