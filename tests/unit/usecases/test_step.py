"""Whole rollouts, turn by turn: what is done, in which order, and what is recorded of it."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.plan.model import Recovery
from tidegate.domain.quantities import NO_EXPOSURE, Arm, Exposure
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import HaltCause, ReasonCode
from tidegate.drivers.component.memory import MemoryComponent, Mishap
from tidegate.errors import SignalSourceError, StateMovedError, StoreError
from tidegate.store.ledger import verify_chain
from tidegate.testing.builders import a_placement
from tidegate.testing.simulation.bench import DRIVER, NEW, OLD
from tidegate.testing.simulation.failpoints import (
    CrashedError,
    InterruptedComponent,
    InterruptedStore,
)
from tidegate.testing.simulation.situations import a_quick_plan
from tidegate.testing.simulation.traffic import Behaviour, Fault
from tidegate.usecases.halt import halt_rollout
from tidegate.usecases.roll_back import roll_back
from tidegate.usecases.step import step
from tidegate.usecases.work import EngineWork

HARMFUL = Behaviour(error_rate=0.2)
EU = a_placement()
TWO_TARGETS = [a_placement(target="eu"), a_placement(target="us")]


def is_final(rollout):
    return rollout.is_final


def is_in(state, phase_index=None):
    def holds(rollout):
        return rollout.state is state and phase_index in (None, rollout.phase_index)

    return holds


async def make_harmful(bench, version=NEW):
    bench.traffic.behaves(await bench.component.resolve(version, "{}"), HARMFUL)


def rules(bench, rollout_id):
    return [entry.rule for entry in bench.ledger(rollout_id)]


async def test_a_healthy_rollout_goes_all_the_way(make_bench):
    """Rehearsed, then exposed phase by phase exactly as planned, then the new baseline."""
    bench = await make_bench()
    started = await bench.start()

    done = await bench.until(started.id, is_final)

    assert done.state is State.COMPLETED
    assert [(exposure.internal, exposure.weight_bps) for _, exposure, _ in bench.component.log] == [
        (True, 0),
        (False, 0),
        (True, 500),
        (True, 2_500),
        (True, 10_000),
        (False, 0),
    ]
    assert bench.component.served(EU).baseline == started.change.version_of("code")
    assert [passed.phase_index for passed in done.passes] == [0, 1, 2]


async def test_every_transition_is_in_the_ledger_with_what_it_was_made_from(make_bench):
    """The ledger tells the whole story, each line continuing the one before, and its chain holds."""
    bench = await make_bench()
    started = await bench.start()

    await bench.until(started.id, is_final)

    # Facts beside its way, such as what it was started without, have no state.
    entries = [entry for entry in bench.ledger(started.id) if entry.state_after]
    assert verify_chain(bench.ledger()) is None
    states = [entry.state_before for entry in entries] + [entries[-1].state_after]
    assert states[1:] == [entry.state_after for entry in entries]
    assert all(entry.observation_json for entry in entries if entry.kind == "decision")


async def test_a_harmful_rollout_is_halted_and_taken_back(make_bench):
    """Harm at 5 % stops it there, withdraws it, and everything serves what it did before."""
    bench = await make_bench()
    await make_harmful(bench)
    started = await bench.start()

    done = await bench.until(started.id, is_final)

    assert done.state is State.ROLLED_BACK
    assert done.halt.cause is HaltCause.HARM
    assert max(exposure.weight_bps for _, exposure, _ in bench.component.log) == 500
    assert bench.exposes_nobody()
    assert bench.component.served(EU).baseline.name == OLD
    assert bench.component.served(EU).candidate is None


async def test_harm_that_begins_later_is_found_later(make_bench):
    """A phase that was passed is no promise: the next one is watched as closely."""
    bench = await make_bench()
    started = await bench.start()
    await bench.until(started.id, is_in(State.BAKING, 1))
    await make_harmful(bench)

    done = await bench.until(started.id, is_final)

    assert done.state is State.ROLLED_BACK
    assert len(done.passes) == 1


async def test_recovery_is_left_to_a_person_where_the_plan_says_so(make_bench):
    """Withdrawn at once all the same; only what follows waits."""
    bench = await make_bench(replace(a_quick_plan(), recovery=Recovery.HOLD))
    await make_harmful(bench)
    started = await bench.start()

    stopped = await bench.until(
        started.id, lambda rollout: rollout.waiting_on.reason is ReasonCode.PERSON_AFTER_HALT
    )

    assert stopped.state is State.HALTED
    assert bench.exposes_nobody()


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE])
async def test_without_usable_data_it_is_held_and_then_halted(make_bench, fault):
    """Whatever is wrong with the data, exposure doesn't rise, and when it lasts it is withdrawn."""
    bench = await make_bench()
    started = await bench.start()
    await bench.until(started.id, is_in(State.BAKING))
    bench.traffic.fault = fault

    held = await bench.until(started.id, is_in(State.HELD))
    exposures = dict(bench.exposures())
    halted = await bench.until(started.id, is_in(State.HALTED))

    assert held.waiting_on.reason is ReasonCode.NO_DATA
    assert exposures[EU].weight_bps == 500
    assert halted.halt.cause is HaltCause.NO_DATA
    assert halted.halt.at - held.state_since >= bench.plan.no_data_halt_after
    assert bench.exposes_nobody()


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE])
async def test_it_goes_on_when_the_data_comes_back(make_bench, fault):
    """A gap costs time and nothing else."""
    bench = await make_bench()
    started = await bench.start()
    await bench.until(started.id, is_in(State.BAKING))
    bench.traffic.fault = fault
    await bench.until(started.id, is_in(State.HELD))
    bench.traffic.fault = Fault.NONE

    done = await bench.until(started.id, is_final)

    assert done.state is State.COMPLETED


async def test_a_source_that_breaks_down_holds_it(make_bench):
    """No answer is no data."""
    bench = await make_bench()
    started = await bench.start()
    await bench.until(started.id, is_in(State.BAKING))
    bench.signals.break_down(SignalSourceError("no answer", hint="wait"))

    held = await bench.until(started.id, is_in(State.HELD))

    assert "no answer" in held.waiting_on.detail


async def test_a_target_that_never_serves_it_stops_it(make_bench):
    """What was asked for must be seen to be served within the plan's bound; else it is taken back."""
    bench = await make_bench(component=MemoryComponent(lag_observes=1_000))
    started = await bench.start()

    done = await bench.until(started.id, lambda rollout: rollout.halt is not None)

    assert done.halt.cause is HaltCause.NOT_APPLIED


async def test_a_cut_off_candidate_stops_it(make_bench):
    """The proxy's own protection counts as harm, whatever the signals say."""
    bench = await make_bench()
    started = await bench.start()
    await bench.until(started.id, is_in(State.BAKING))
    bench.component.trip(EU)

    halted = await bench.step(started.id)

    assert halted.state is State.HALTED
    assert halted.halt.cause is HaltCause.HARM
    assert bench.exposes_nobody()


async def test_drift_freezes_it(make_bench):
    """A member changed by hand holds the rollout until it serves again what it should."""
    bench = await make_bench()
    started = await bench.start()
    await bench.until(started.id, is_in(State.BAKING))
    bench.component.drift(EU, Arm.CANDIDATE)

    held = await bench.step(started.id)

    assert held.state is State.HELD
    assert "serves sha256:0000" in held.waiting_on.detail


async def test_a_lie_about_being_settled_is_not_believed(make_bench):
    """A phase is complete when every member shows the right digest, not when the driver says so."""
    lying = False

    def mishap(method):
        return Mishap.LIE if lying and method == "observe" else Mishap.NONE

    bench = await make_bench(component=MemoryComponent(mishap=mishap))
    started = await bench.start()
    await bench.until(started.id, is_in(State.APPLYING))
    lying = True

    rollout = await bench.step(started.id)

    assert rollout.state is State.APPLYING
    lying = False
    assert (await bench.step(started.id)).state is State.BAKING


# --- order of effects and records ------------------------------------------------------------


async def test_a_rise_is_recorded_before_it_is_made(make_bench):
    """Whoever finds more exposure at a target finds in the ledger why."""
    bench = await make_bench()
    started = await bench.start()
    recorded = []

    async def reached(point):
        if point == "before apply":
            recorded.append(bench.ledger(started.id)[-1].rule)

    outside = replace(
        bench.outside, components={DRIVER: InterruptedComponent(bench.component, reached)}
    )
    work = EngineWork(outside)

    while bench.rollout(started.id).state is not State.APPLYING:
        await work.step(started.id)

    assert recorded == ["rehearse-way-back", "enter-phase"]


async def test_a_withdrawal_is_made_before_it_is_recorded(make_bench):
    """Nothing is waited for where users are harmed: not even the record."""
    bench = await make_bench()
    started = await bench.start()
    await bench.until(started.id, is_in(State.BAKING))
    bench.component.trip(EU)
    states = []

    async def reached(point):
        if point == "before withdraw":
            states.append(bench.rollout(started.id).state)

    outside = replace(
        bench.outside, components={DRIVER: InterruptedComponent(bench.component, reached)}
    )

    await step(outside, started.id)

    assert states == [State.BAKING]
    assert bench.rollout(started.id).state is State.HALTED


async def test_harm_is_withdrawn_although_the_store_does_not_answer(make_bench):
    """A stop needs no store; it is latched at the target, and recorded when there is a store again."""
    bench = await make_bench()
    started = await bench.start()
    await bench.until(started.id, is_in(State.BAKING))
    bench.component.trip(EU)
    transactions = []

    def reached(point):
        transactions.append(point)
        if len(transactions) > 2:
            raise StoreError("the disk is full", hint="make room")

    outside = replace(bench.outside, store=InterruptedStore(bench.store, reached))

    with pytest.raises(StoreError):
        await step(outside, started.id)

    assert bench.exposes_nobody()
    assert bench.rollout(started.id).state is State.BAKING
    halted = await bench.step(started.id)
    assert halted.state is State.HALTED
    again = await bench.until(
        started.id, lambda r: r.waiting_on.reason is not ReasonCode.WITHDRAWING
    )
    assert again.generation_on("eu") >= bench.component.served(EU).stopped_at_generation


async def test_the_loser_of_a_race_does_nothing_twice(make_bench):
    """Two servers that step at once make one transition; the other is told to look again."""
    bench = await make_bench()
    started = await bench.start()
    while bench.rollout(started.id).rehearsal != "proven":
        await bench.step(started.id)
    arrived = 0
    both = asyncio.Event()

    async def reached(point):
        nonlocal arrived
        if point == "after observe":
            arrived += 1
            if arrived == 2:
                both.set()
            await both.wait()

    outside = replace(
        bench.outside, components={DRIVER: InterruptedComponent(bench.component, reached)}
    )

    answers = await asyncio.gather(
        step(outside, started.id), step(outside, started.id), return_exceptions=True
    )

    assert sum(isinstance(answer, StateMovedError) for answer in answers) == 1
    assert rules(bench, started.id).count("enter-phase") == 1


async def test_a_late_apply_of_a_stopped_server_changes_nothing(make_bench):
    """A server that was stopped before an apply and goes on after a halt raises nothing."""
    bench = await make_bench()
    started = await bench.start()
    while bench.rollout(started.id).rehearsal != "proven":
        await bench.step(started.id)
    stopped, goes_on = asyncio.Event(), asyncio.Event()

    async def reached(point):
        if point == "before apply":
            stopped.set()
            await goes_on.wait()

    outside = replace(
        bench.outside, components={DRIVER: InterruptedComponent(bench.component, reached)}
    )
    late = asyncio.create_task(step(outside, started.id))
    await stopped.wait()
    bench.clock.advance(timedelta(minutes=5))
    await bench.until(started.id, lambda rollout: rollout.is_final)

    goes_on.set()
    await late

    assert bench.exposes_nobody()
    assert bench.rollout(started.id).state is not State.APPLYING


async def test_a_lost_acknowledgement_costs_a_turn_and_nothing_else(make_bench):
    """Every effect may be done and reported as failed; doing it again changes nothing."""
    calls = 0

    def mishap(method):
        nonlocal calls
        calls += 1
        return (
            Mishap.LOST_ACKNOWLEDGEMENT if calls % 3 == 0 and method != "observe" else Mishap.NONE
        )

    bench = await make_bench(component=MemoryComponent(mishap=mishap))
    started = await bench.start()

    done = await _until_final_with_retries(bench, started.id)

    assert done.state is State.COMPLETED


async def _until_final_with_retries(bench, rollout_id):
    for _ in range(2_000):
        bench.pass_time(bench.plan.tick)
        try:
            await bench.work.watch([rollout_id])
            await bench.work.step(rollout_id)
        except Exception as exc:
            if not getattr(exc, "retryable", False):
                raise
        rollout = bench.rollout(rollout_id)
        if rollout.is_final:
            return rollout
    raise AssertionError(f"still {rollout.state}: {rollout.waiting_on}")


@pytest.mark.parametrize("crash_at", range(1, 5))
async def test_a_server_killed_while_completing_leaves_a_rollout_that_completes(
    make_bench, crash_at
):
    """Killed before, between or after the effects of completing, the next server completes it."""
    bench = await make_bench(a_quick_plan(placements=TWO_TARGETS))
    started = await bench.start()
    await bench.until(started.id, is_in(State.BAKING, 2))
    reached_points = 0

    async def reached(point):
        nonlocal reached_points
        if point.endswith("finish"):
            reached_points += 1
            if reached_points == crash_at:
                raise CrashedError(point)

    killed = EngineWork(
        replace(bench.outside, components={DRIVER: InterruptedComponent(bench.component, reached)})
    )
    while reached_points < crash_at:
        bench.pass_time(bench.plan.tick)
        await bench.work.watch([started.id])
        try:
            await killed.step(started.id)
        except CrashedError:
            break

    done = await bench.until(started.id, is_final)

    assert done.state is State.COMPLETED
    assert {bench.component.served(place).baseline.name for place in TWO_TARGETS} == {NEW}


async def test_a_stop_while_completing_brings_back_what_was_finished(make_bench):
    """Halted between two targets, the one that has completed serves the old version again."""
    bench = await make_bench(a_quick_plan(placements=TWO_TARGETS))
    started = await bench.start()
    await bench.until(started.id, is_in(State.BAKING, 2))
    finished = 0

    async def reached(point):
        nonlocal finished
        if point == "after finish":
            finished += 1
            raise CrashedError(point)

    killed = EngineWork(
        replace(bench.outside, components={DRIVER: InterruptedComponent(bench.component, reached)})
    )
    while not finished:
        bench.pass_time(bench.plan.tick)
        await bench.work.watch([started.id])
        with suppress(CrashedError):
            await killed.step(started.id)

    await halt_rollout(bench.outside, started.id, actor="bob", reason="wait")
    await roll_back(bench.outside, started.id, actor="bob", reason="wait")
    done = await bench.until(started.id, is_final)

    assert done.state is State.ROLLED_BACK
    assert bench.exposes_nobody()
    assert {bench.component.served(place).baseline.name for place in TWO_TARGETS} == {OLD}


# --- after the end ---------------------------------------------------------------------------


async def test_it_is_last_known_good_only_after_its_quarantine(make_bench):
    """What completed isn't trusted at once: it has to outlive its quarantine."""
    bench = await make_bench()
    started = await bench.start()
    done = await bench.until(started.id, is_final)

    bench.clock.advance(timedelta(hours=23))
    await bench.step(started.id)
    with bench.store.begin() as transaction:
        too_early = transaction.last_known_good(EU)
    bench.clock.advance(timedelta(hours=1))
    settled = await bench.step(started.id)

    assert too_early == ()
    assert settled.settled
    with bench.store.begin() as transaction:
        (good,) = transaction.last_known_good(EU)
    assert good.version == done.change.version_of("code")
    assert good.since - done.finished_at >= timedelta(hours=24)
    assert bench.component.served(EU).warm == ()


async def test_a_new_rollout_ends_the_quarantine_of_the_one_before(make_bench):
    """What was replaced so soon doesn't become last known good."""
    bench = await make_bench()
    first = await bench.start()
    await bench.until(first.id, is_final)
    await bench.start("1.2.0")
    bench.clock.advance(timedelta(days=2))

    turn = await bench.work.step(first.id)

    assert turn.due_at is None
    with bench.store.begin() as transaction:
        assert transaction.last_known_good(EU) == ()


async def test_a_rollout_after_one_that_was_taken_back_goes_its_way(make_bench):
    """The stop that ended the one before is history: it doesn't stop the next one."""
    bench = await make_bench()
    await make_harmful(bench)
    first = await bench.start()
    await bench.until(first.id, is_final)

    second = await bench.start("1.2.0")
    done = await bench.until(second.id, is_final)

    assert done.state is State.COMPLETED


async def test_a_stop_at_the_target_before_the_first_step_is_heard(make_bench):
    """A stop that someone latched after the start stops a rollout that has moved nothing yet."""
    bench = await make_bench()
    await make_harmful(bench)
    first = await bench.start()
    await bench.until(first.id, is_final)
    second = await bench.start("1.2.0")
    await bench.component.withdraw(EU, None)

    stopped = await bench.step(second.id)

    assert stopped.state is State.HALTED
    assert stopped.halt.cause is HaltCause.PERSON


async def test_nothing_is_left_to_do_for_what_is_over(make_bench):
    """A step of a finished rollout does nothing and asks for no more turns."""
    bench = await make_bench()
    await make_harmful(bench)
    started = await bench.start()
    await bench.until(started.id, is_final)
    before = len(bench.ledger())

    turn = await bench.work.step(started.id)

    assert (turn.due_at, turn.watch) == (None, False)
    assert len(bench.ledger()) == before


async def test_a_first_deployment_exposes_nobody_and_completes(make_bench):
    """Where nothing is served there is nobody to expose: it is brought up and is the baseline."""
    bench = await make_bench()
    bench.component = MemoryComponent()
    empty = replace(bench.outside, components={DRIVER: bench.component})
    bench.outside, bench.work = empty, EngineWork(empty)

    started = await bench.start()
    done = await bench.until(started.id, is_final)

    assert done.plan.name == "install"
    assert done.state is State.COMPLETED
    assert bench.component.served(EU).baseline.name == NEW
    assert all(exposure == NO_EXPOSURE for _, exposure, _ in bench.component.log)


async def test_a_first_deployment_that_never_serves_comes_to_an_end(make_bench):
    """Nothing was served before, so nothing is verified; another start is possible at once."""
    bench = await make_bench()
    refuses = MemoryComponent(
        mishap=lambda method: Mishap.REFUSED if method == "apply" else Mishap.NONE
    )
    bench.component = refuses
    empty = replace(bench.outside, components={DRIVER: refuses})
    bench.outside, bench.work = empty, EngineWork(empty)

    started = await bench.start()
    done = await bench.until(started.id, is_final)

    assert done.state is State.ROLLED_BACK
    assert (await bench.start("1.2.0")).state is State.WAITING


async def test_two_targets_are_moved_and_watched_together(make_bench):
    """A phase over several targets is passed by all of them, and harm at one stops all."""
    bench = await make_bench(a_quick_plan(placements=TWO_TARGETS))
    started = await bench.start()
    await bench.until(started.id, is_in(State.BAKING, 1))
    await make_harmful(bench)

    done = await bench.until(started.id, is_final)

    assert done.state is State.ROLLED_BACK
    assert bench.exposes_nobody()
    assert {place for place, exposure, _ in bench.component.log if exposure.weight_bps} == set(
        TWO_TARGETS
    )
    assert Exposure(internal=True, weight_bps=2_500) in {e for _, e, _ in bench.component.log}
