"""The watch: from readings of many rollouts to stored evidence, once per source and tick."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.documents.records import from_json
from tidegate.domain.health.evidence import Evidence
from tidegate.domain.health.readings import Quality
from tidegate.domain.plan.model import ExerciseSpec
from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode
from tidegate.errors import SignalSourceError
from tidegate.testing.builders import a_placement, a_signal
from tidegate.testing.simulation.bench import DRIVER, NEW, SOURCE
from tidegate.testing.simulation.failpoints import InterruptedComponent, InterruptedSignals
from tidegate.testing.simulation.situations import a_quick_plan
from tidegate.testing.simulation.traffic import Behaviour, Fault
from tidegate.usecases.explain import replay_decision
from tidegate.usecases.halt import halt_rollout
from tidegate.usecases.resume import resume_rollout
from tidegate.usecases.watch import Watch

EU, US = a_placement(), a_placement(target="us")


def is_in(state, phase_index=None):
    def holds(rollout):
        return rollout.state is state and phase_index in (None, rollout.phase_index)

    return holds


async def a_baking(bench):
    started = await bench.start()
    return await bench.until(started.id, is_in(State.BAKING))


def stored(bench, rollout_id):
    with bench.store.begin() as transaction:
        return transaction.evidence(rollout_id)


def evidence(bench, rollout_id):
    return from_json(Evidence, stored(bench, rollout_id).evidence_json)


async def look(bench, rollout_id, ticks=1):
    """Let *ticks* pass with a look at each, and return what the last look named."""
    for _ in range(ticks):
        bench.pass_time(bench.plan.tick)
        named = await bench.work.watch([rollout_id])
    return named


async def test_two_looks_make_evidence(make_bench):
    """The first reading is where counting begins; the second says what happened since."""
    bench = await make_bench()
    rollout = await a_baking(bench)

    await look(bench, rollout.id)
    first = evidence(bench, rollout.id)
    await look(bench, rollout.id)
    second = evidence(bench, rollout.id)

    assert first.signals[0].candidate_total == 0
    assert second.signals[0].candidate_total > 0
    assert second.ticks == first.ticks + 1
    assert second.last_tick_at == bench.clock.now()


async def test_ticks_are_stored_with_the_evidence_they_led_to(make_bench):
    """Every number of the evidence can be made again from what is stored."""
    bench = await make_bench()
    rollout = await a_baking(bench)

    await look(bench, rollout.id, 3)

    with bench.store.begin() as transaction:
        ticks = transaction.ticks(rollout.id, 1)
    assert [tick.number for tick in ticks] == list(range(1, stored(bench, rollout.id).ticks + 1))


async def test_every_decision_of_a_rollout_can_be_made_again(make_bench):
    """Evidence from its ticks and decision from its observation, the same to the letter."""
    bench = await make_bench()
    started = await bench.start()
    await bench.until(started.id, lambda rollout: rollout.is_final)

    replays = [
        replay_decision(bench.outside, entry.number)
        for entry in bench.ledger(started.id)
        if entry.kind == "decision"
    ]

    assert replays
    assert all(again.same_decision for again in replays)
    assert {again.same_evidence for again in replays} == {None, True}


async def test_too_early_a_look_reads_nothing(make_bench):
    """However often it is asked, a source is read once a tick."""
    bench = await make_bench()
    rollout = await a_baking(bench)
    await look(bench, rollout.id)
    calls = len(bench.signals.calls)

    await bench.work.watch([rollout.id])

    assert len(bench.signals.calls) == calls


async def test_one_call_asks_for_every_signal_of_a_source(make_bench):
    """Two targets and two signals are four questions in one call."""
    signals = (a_signal("errors", source=SOURCE), a_signal("more", source=SOURCE))
    bench = await make_bench(a_quick_plan(placements=[EU, US], signals=signals))
    rollout = await a_baking(bench)
    bench.signals.calls.clear()

    await look(bench, rollout.id)

    (call,) = bench.signals.calls
    assert {(query.placement, query.signal) for query in call} == {
        (place, name) for place in (EU, US) for name in ("errors", "more")
    }


async def test_only_what_is_exposed_is_read(make_bench):
    """A rollout that exposes nobody costs no source a call."""
    bench = await make_bench()
    started = await bench.start()

    await look(bench, started.id)

    assert bench.signals.calls == []


async def test_a_halted_rollout_is_not_read(make_bench):
    """What was withdrawn has nothing to compare."""
    bench = await make_bench()
    rollout = await a_baking(bench)
    await halt_rollout(bench.outside, rollout.id, actor="bob", reason="stop")
    bench.signals.calls.clear()

    assert await look(bench, rollout.id) == ()
    assert bench.signals.calls == []


async def test_a_rollout_that_does_not_exist_is_ignored(make_bench):
    """A wake-up may come late."""
    bench = await make_bench()

    assert await look(bench, RolloutId("gone")) == ()


async def test_a_changed_verdict_wakes_the_rollout(make_bench):
    """A step is asked for when what is proven has changed, and not at every tick."""
    bench = await make_bench(a_quick_plan(minimum_requests=10_000_000))
    rollout = await a_baking(bench)
    await look(bench, rollout.id, 2)

    unchanged = await look(bench, rollout.id)
    bench.traffic.fault = Fault.GAP
    changed = await look(bench, rollout.id)

    assert unchanged == []
    assert changed == [rollout.id]


async def test_proven_harm_wakes_the_rollout_at_every_tick(make_bench):
    """A step that failed to halt is asked for again until one does."""
    bench = await make_bench()
    bench.traffic.behaves(await bench.component.resolve(NEW, "{}"), Behaviour(error_rate=0.5))
    rollout = await a_baking(bench)

    await look(bench, rollout.id, 3)

    assert await look(bench, rollout.id) == [rollout.id]


@pytest.mark.parametrize(
    ("fault", "quality"),
    [
        (Fault.GAP, Quality.MISSING),
        (Fault.NO_CANDIDATE, Quality.MISSING),
        (Fault.NOT_A_NUMBER, Quality.NOT_A_NUMBER),
        (Fault.CONTRADICTORY, Quality.CONTRADICTORY),
        (Fault.FROZEN, Quality.STALE),
        (Fault.FUTURE, Quality.CONTRADICTORY),
    ],
)
async def test_what_is_wrong_with_a_reading_becomes_the_signals_quality(make_bench, fault, quality):
    """Each way in which a source fails has its name, and none of them is good."""
    bench = await make_bench()
    rollout = await a_baking(bench)
    await look(bench, rollout.id, 2)
    baked = evidence(bench, rollout.id).baked_for

    bench.traffic.fault = fault
    await look(bench, rollout.id, 5)

    assert evidence(bench, rollout.id).signals[0].quality is quality
    assert evidence(bench, rollout.id).baked_for - baked <= bench.plan.stale_after


async def test_one_service_with_nonsense_does_not_stop_the_watch_of_another(make_bench):
    """A source that tells NaN holds its own rollout; the watch goes on with the others."""
    bench = await make_bench(a_quick_plan(placements=[EU]))
    rollout = await a_baking(bench)
    await look(bench, rollout.id)
    bench.traffic.fault = Fault.NOT_A_NUMBER
    await look(bench, rollout.id)

    bench.traffic.fault = Fault.NONE
    await look(bench, rollout.id, 2)

    assert evidence(bench, rollout.id).signals[0].quality is Quality.GOOD


async def test_a_restarted_process_counts_from_zero(make_bench):
    """Counters that begin again aren't negative requests."""
    bench = await make_bench()
    rollout = await a_baking(bench)
    await look(bench, rollout.id, 2)

    bench.traffic.forget(EU)
    await look(bench, rollout.id)

    assert evidence(bench, rollout.id).signals[0].quality is Quality.GOOD


async def test_a_source_that_breaks_down_is_missing_data(make_bench):
    """No answer is no data, with the reason."""
    bench = await make_bench()
    rollout = await a_baking(bench)
    await look(bench, rollout.id, 2)
    bench.signals.break_down(SignalSourceError("connection refused", hint="wait"))

    await look(bench, rollout.id)

    (signal,) = evidence(bench, rollout.id).signals
    assert (signal.quality, signal.quality_note) == (Quality.MISSING, "connection refused")


async def test_a_bad_target_makes_the_whole_signal_bad(make_bench):
    """What isn't seen at one target isn't known to be well there."""
    bench = await make_bench(a_quick_plan(placements=[EU, US]))
    rollout = await a_baking(bench)
    await look(bench, rollout.id, 2)
    bench.pass_time(bench.plan.tick)
    bench.signals.put(US, "errors", None)

    await bench.work.watch([rollout.id])

    assert evidence(bench, rollout.id).signals[0].quality is Quality.MISSING


async def test_a_held_rollout_is_watched_and_its_clock_stands(make_bench):
    """Harm doesn't wait for a person; time does."""
    bench = await make_bench(a_quick_plan(minimum_requests=10_000_000))
    started = await bench.start()
    await bench.until(started.id, lambda found: found.waiting_on.reason is ReasonCode.INCONCLUSIVE)
    before = evidence(bench, started.id)

    await look(bench, started.id, 3)

    after = evidence(bench, started.id)
    assert after.signals[0].candidate_total > before.signals[0].candidate_total
    assert after.baked_for == before.baked_for


async def test_while_the_next_phase_waits_the_last_one_is_watched(make_bench):
    """Users still meet the candidate while an approval is waited for, and harm still halts."""
    plan = a_quick_plan()
    second = replace(plan.phases[1], approvals=1, approvers="team")
    bench = await make_bench(replace(plan, phases=(plan.phases[0], second, *plan.phases[2:])))
    started = await bench.start()
    await bench.until(started.id, lambda found: found.waiting_on.reason is ReasonCode.APPROVAL)
    bench.traffic.behaves(await bench.component.resolve(NEW, "{}"), Behaviour(error_rate=0.5))

    halted = await bench.until(started.id, is_in(State.HALTED), turns=60)

    assert halted.halt.cause.value == "harm"


async def test_a_restarted_watch_goes_on_where_the_store_says(make_bench):
    """Nothing that was proven is proven twice or lost by a restart."""
    bench = await make_bench(a_quick_plan(minimum_requests=10_000_000))
    rollout = await a_baking(bench)
    await look(bench, rollout.id, 3)
    before = evidence(bench, rollout.id)

    restarted = Watch(bench.outside)
    for _ in range(2):
        bench.pass_time(bench.plan.tick)
        await restarted.look([rollout.id])

    after = evidence(bench, rollout.id)
    assert after.ticks == before.ticks + 2
    assert after.signals[0].candidate_total > before.signals[0].candidate_total
    assert after.baked_for > before.baked_for


async def test_two_watches_fold_each_tick_once(make_bench):
    """Of two servers that watch the same rollout, one tick is stored at a time."""
    bench = await make_bench(a_quick_plan(minimum_requests=10_000_000))
    rollout = await a_baking(bench)
    one, other = Watch(bench.outside), Watch(bench.outside)

    for _ in range(6):
        bench.pass_time(bench.plan.tick)
        await one.look([rollout.id])
        await other.look([rollout.id])

    with bench.store.begin() as transaction:
        ticks = transaction.ticks(rollout.id, 1)
    assert len(ticks) == stored(bench, rollout.id).ticks
    assert evidence(bench, rollout.id).baked_for <= bench.plan.tick * 7


async def test_a_late_tick_of_an_earlier_attempt_does_not_replace_the_evidence(make_bench):
    """A watch that slept through a halt and a resume brings nothing back."""
    bench = await make_bench(a_quick_plan(minimum_requests=10_000_000))
    rollout = await a_baking(bench)
    reading, goes_on = asyncio.Event(), asyncio.Event()

    async def reached(point):
        if point == "after read":
            reading.set()
            await goes_on.wait()

    slow = Watch(
        replace(bench.outside, signals={SOURCE: InterruptedSignals(bench.signals, reached)})
    )
    bench.pass_time(bench.plan.tick)
    late = asyncio.create_task(slow.look([rollout.id]))
    await reading.wait()
    await halt_rollout(bench.outside, rollout.id, actor="bob", reason="stop")
    await bench.until(rollout.id, lambda r: r.waiting_on.reason is ReasonCode.PERSON_AFTER_HALT)
    resume_rollout(bench.outside, rollout.id, actor="bob", reason="go")
    await bench.until(rollout.id, is_in(State.BAKING))
    await look(bench, rollout.id, 3)
    before = stored(bench, rollout.id)

    goes_on.set()
    await late

    assert before.attempt == 2
    assert stored(bench, rollout.id) == before


async def test_a_target_whose_arms_cannot_be_told_apart_is_missing(make_bench):
    """Without knowing who is who, nothing is compared."""
    bench = await make_bench()
    rollout = await a_baking(bench)

    async def unreachable(point):
        if point == "before observe":
            raise SignalSourceError("no answer", hint="wait")

    blind = Watch(
        replace(
            bench.outside, components={DRIVER: InterruptedComponent(bench.component, unreachable)}
        )
    )
    bench.pass_time(bench.plan.tick)
    await blind.look([rollout.id])

    assert all(query.arms == {} for query in bench.signals.calls[-1])


async def test_exercises_are_counted_for_the_candidate_only(make_bench):
    """The changed path is proven used by those who have the change."""
    exercise = ExerciseSpec(name="checkout", minimum_count=1, source=SOURCE)
    bench = await make_bench(a_quick_plan(exercises=(exercise,), minimum_requests=10_000_000))
    rollout = await a_baking(bench)

    await look(bench, rollout.id, 3)

    (found,) = evidence(bench, rollout.id).exercises
    assert 0 < found.count < 200


async def test_a_source_that_this_server_cannot_read_holds_that_rollout_only(make_bench):
    """A plan that names an unknown source doesn't end the watch of the others."""
    bench = await make_bench(a_quick_plan(source="carrier-pigeon"))
    rollout = await a_baking(bench)

    await look(bench, rollout.id, 2)

    (signal,) = evidence(bench, rollout.id).signals
    assert signal.quality is Quality.MISSING


async def test_stored_evidence_is_plain_json(make_bench):
    """What is stored can be read by anyone, without this program."""
    bench = await make_bench()
    rollout = await a_baking(bench)
    await look(bench, rollout.id, 2)

    found = stored(bench, rollout.id)

    assert json.loads(found.state_json)["ticks"] == found.ticks
    assert json.loads(found.evidence_json)["attempt"] == 1
    assert found.at - rollout.phase_since <= timedelta(seconds=20)
