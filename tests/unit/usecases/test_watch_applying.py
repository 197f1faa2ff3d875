"""The watch while a later phase is applied: harm is seen, and shares in motion are no harm."""

from dataclasses import replace
from datetime import timedelta

from tidegate.documents.records import from_json
from tidegate.domain.plan.model import SignalKind, Tolerance, ToleranceUnit
from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import HaltCause
from tidegate.testing.builders import a_signal
from tidegate.testing.simulation.bench import SOURCE
from tidegate.testing.simulation.situations import a_quick_plan
from tidegate.testing.simulation.traffic import Behaviour
from tidegate.usecases.evidence import TickRecord

ANOTHER = "sha256:" + "9" * 64


def is_in(state, phase_index=None):
    def holds(rollout):
        return rollout.state is state and phase_index in (None, rollout.phase_index)

    return holds


async def an_applying(make_bench, **changes):
    """Return a bench with a rollout whose second phase one member doesn't follow."""
    plan = replace(a_quick_plan(**changes), apply_within=timedelta(minutes=30))
    bench = await make_bench(plan)
    started = await bench.start()
    waiting = await bench.until(started.id, is_in(State.WAITING, 1))
    applying = await bench.step(waiting.id)
    assert applying.state is State.APPLYING
    for place in plan.placements():
        bench.component.drift(place, Arm.CANDIDATE, ANOTHER)
    return bench, applying


async def test_harm_is_found_while_a_target_is_waited_for(make_bench):
    """What turns harmful is withdrawn from those who meet it, however long the others take."""
    bench, rollout = await an_applying(make_bench)
    (version,) = [part.to for part in rollout.change.components]
    bench.traffic.behaves(version, Behaviour(error_rate=0.5))

    halted = await bench.until(rollout.id, is_in(State.HALTED), turns=60)

    assert halted.halt.cause is HaltCause.HARM
    assert bench.exposes_nobody()


async def test_the_time_it_takes_is_no_bake_and_no_proof(make_bench):
    """The phase before was passed; looking on adds nothing to it and starts nothing anew."""
    bench, rollout = await an_applying(make_bench)

    for _ in range(10):
        rollout = await bench.tick(rollout.id)

    assert rollout.state is State.APPLYING
    with bench.store.begin(read_only=True) as transaction:
        stored = transaction.ticks(rollout.id, rollout.attempt)
    ticks = [from_json(TickRecord, tick.tick_json) for tick in stored]
    assert [tick.counting for tick in ticks[-10:]] == [False] * 10
    assert {tick.phase_index for tick in ticks[-10:]} == {0}


async def test_what_is_tested_against_its_share_waits_until_the_share_is_known(make_bench):
    """Each target has the old share or the new one: usage says nothing until all have it."""
    loss = Tolerance(value=0.5, unit=ToleranceUnit.RELATIVE)
    signals = (
        a_signal(source=SOURCE),
        a_signal("usage", kind=SignalKind.USAGE, source=SOURCE, tolerance=loss),
    )
    bench, rollout = await an_applying(make_bench, signals=signals)

    for _ in range(3):
        rollout = await bench.tick(rollout.id)

    with bench.store.begin(read_only=True) as transaction:
        last = transaction.ticks(rollout.id, rollout.attempt)[-1]
    inputs = {given.signal: given for given in from_json(TickRecord, last.tick_json).inputs}
    assert inputs["errors"].strata
    assert inputs["usage"].strata == ()
