"""What gates are told of rollouts on record, of targets and of sources, asked by the real gates."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.api.showing.look import look_at, show_now
from tidegate.documents.gate_kinds import GATE_KINDS
from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.plan.traffic import HOUR, TrafficHour
from tidegate.domain.quantities import Arm, ServiceName, TargetName
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode
from tidegate.domain.stops.model import StopScope
from tidegate.drivers.gate.every import every_gate
from tidegate.ports.gate import KnownFacts
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, the_shop
from tidegate.usecases.gate_facts import known_facts, with_what_is_asked
from tidegate.usecases.gate_standing import gate_standings
from tidegate.usecases.halt import halt_rollout
from tidegate.usecases.roll_back import roll_back
from tidegate.usecases.stops import give_stop_order

SHOP = DOCUMENT.replace(", approve: 1 of team-release", "")
AHEAD = SHOP.replace(
    "targets: [{name: eu, environment: lab}]",
    """targets:
  - {name: pre, ring: pre, environment: lab}
  - {name: eu, ring: eu, environment: lab, settings: {listen: "127.0.0.1:18081"}}""",
).replace(
    """    - {name: few, traffic: 10%, bake: 10s}
    - {name: half, traffic: 50%, bake: 20s}
    - {name: all, traffic: 100%, bake: 20s}
""",
    """    - {name: pre, to: pre, traffic: [10%, 100%], bake: 10s}
    - {name: eu, to: eu, traffic: [10%, 100%], bake: 20s}
""",
)


@pytest.fixture
async def world():
    made = MemoryWorld()
    made.gates.update(every_gate())
    return made


async def standing(world, rollout, name):
    """Let the gates be asked and return how one of them stands."""
    await world.turns(rollout.id)
    found = gate_standings(world.outside, world.rollout(rollout.id))
    return next(one.seen for one in found if one.seen.spec.name == name)


def gated(document, *gates, moment="before_start"):
    return f"{document}gates: {{{moment}: [{', '.join(gates)}]}}\n"


def test_every_kind_that_may_be_written_can_be_asked():
    """A file that is accepted mustn't wait for a gate that no server has."""
    assert set(every_gate()) == set(GATE_KINDS)


async def test_a_version_stands_for_what_it_stood_for(world):
    """Resolved once when it was proposed, and once more when the gate is asked."""
    await world.installed()
    rollout = await world.start("2.0.0", document=gated(SHOP, "digest"))

    seen = await standing(world, rollout, "digest")

    assert seen.is_green, seen.because
    assert rollout.change.components[0].to.digest in seen.because


async def test_a_version_that_is_gone_by_now_can_t_be_told(world):
    """Somebody removed it between the proposal and the start."""
    await world.installed()
    rollout = await world.start("2.0.0", document=gated(SHOP, "digest"))
    world.component._missing = {"2.0.0"}

    seen = await standing(world, rollout, "digest")

    assert (seen.state, "can't be told" in seen.because) == ("unknown", True)


async def test_what_passed_on_the_first_target_may_go_to_the_next(world):
    """In one rollout over both: before its later phases the first target has passed."""
    await world.installed(document=AHEAD)
    document = gated(AHEAD, "{staging-passed: {target: pre, phases: [eu]}}", moment="before_phase")
    rollout = await world.start("2.0.0", document=document)

    done = await world.run(rollout.id, until=[State.COMPLETED])

    assert done.state is State.COMPLETED


async def test_what_was_brought_back_from_staging_hasn_t_passed(world):
    """A later way back takes the word away that a version was good there."""
    await world.installed(document=SHOP)
    first = await world.start("2.0.0", document=SHOP)
    await world.run(first.id, until=lambda now: now.settled)
    back = await roll_back(world.outside, first.id, actor="bob", reason="INC-431")
    await world.run(back.id, until=lambda now: now.is_final)
    rollout = await world.start("2.0.0", document=gated(SHOP, "staging-passed"))

    seen = await standing(world, rollout, "staging-passed")

    assert (seen.state, "hasn't passed" in seen.because) == ("red", True)


async def test_what_completed_before_has_passed(world):
    """An earlier rollout of the very version counts, whatever its plan was called."""
    await world.installed(document=SHOP)
    for version in ("2.0.0", "3.0.0"):
        rollout = await world.start(version, document=SHOP)
        await world.run(rollout.id, until=lambda now: now.settled)
    rollout = await world.start("2.0.0", document=gated(SHOP, "staging-passed"))

    seen = await standing(world, rollout, "staging-passed")

    assert seen.is_green, seen.because


async def test_a_halted_rollout_has_passed_nothing(world):
    """Half of the way up is no way."""
    await world.installed(document=SHOP)
    first = await world.start("2.0.0", document=SHOP)
    await world.run(first.id, until=lambda now: now.phase_index == 2)
    await halt_rollout(world.outside, first.id, actor="bob", reason="INC-431")
    await world.run(first.id, until=[State.HALTED])

    with world.store.begin(read_only=True) as transaction:
        other = replace(first, id="other")
        spec = gate_spec(SHOP)
        known = known_facts(transaction, other, spec, world.clock.now())

    assert not [one for one in known.passed if one.version.name == "2.0.0"]
    assert known.halted == (f"rollout {first.id} is halted: INC-431",)


async def test_stop_orders_block_and_say_which(world):
    """So that whoever looks at the gate needn't look elsewhere."""
    await world.installed()
    rollout = await world.start("2.0.0", document=gated(SHOP, "blockers"))
    caller = Caller(name="bob", kind=CallerKind.PERSON, person="bob", is_root=True)
    await give_stop_order(
        world.outside, caller, scope=StopScope.EVERYTHING, name="", withdraw=False, reason="INC-1"
    )

    seen = await standing(world, rollout, "blockers")

    assert (seen.state, "stop order 1 for everything" in seen.because) == ("red", True)


async def test_the_traffic_of_this_moment_is_measured(world):
    """Two looks a tick apart; who serves badly isn't touched."""
    await world.installed()
    rollout = await world.start("2.0.0", document=gated(SHOP, "healthy"))
    world._feed(rollout.id, {})
    asking = asyncio.ensure_future(world._work.ask())
    await world._work.step(rollout.id)
    asking = asyncio.ensure_future(world._work.ask())
    for _ in range(20):
        await asyncio.sleep(0)
    world.clock.advance(rollout.plan.tick)
    world._feed(rollout.id, {Arm.BASELINE: 0.5})
    await asking

    seen = await standing(world, rollout, "healthy")

    assert (seen.state, "200 of 400 requests of this moment failed" in seen.because) == (
        "red",
        True,
    ), seen.because


async def test_the_hours_that_were_seen_make_the_error_budget(world):
    """From what the watch has written down of earlier rollouts."""
    await world.installed()
    rollout = await world.start("2.0.0", document=gated(SHOP, "{error-budget: {over: 1d}}"))
    now = world.clock.now().replace(minute=0, second=0, microsecond=0)
    with world.store.begin() as transaction:
        transaction.add_traffic(
            ServiceName("shop"),
            [
                TrafficHour(
                    target=TargetName("eu"),
                    hour=now - (number + 1) * HOUR,
                    watched=HOUR,
                    requests=1_000,
                    bad=0,
                )
                for number in range(24)
            ],
        )

    seen = await standing(world, rollout, "error-budget")

    assert seen.is_green, seen.because
    assert "100% of the error budget of 24h is left" in seen.because


async def test_a_source_that_is_down_is_unknown_and_not_well(world):
    """What can't be asked can't be well."""
    await world.installed()
    rollout = await world.start("2.0.0", document=gated(SHOP, "{error-budget: {over: 1d}}"))

    await world.turns(rollout.id)
    shown = await show_now(world.outside, look_at(world.outside, world.rollout(rollout.id)))

    assert shown.waiting_on.reason_code == ReasonCode.GATE
    assert "nothing is known of eu" in shown.waiting_on.detail


async def test_nothing_is_asked_that_a_gate_doesn_t_need(world):
    """A gate about alarms mustn't fail with a source of traffic."""
    await world.installed()
    rollout = await world.start("2.0.0", document=gated(SHOP, "no-incident"))
    spec = rollout.plan.gates[0]
    known = KnownFacts()

    told = await with_what_is_asked(world.outside, rollout, spec, known, world.clock.now())

    assert told is known
    assert spec.lasts == timedelta(minutes=5)


def gate_spec(document):
    return the_shop(gated(document, "blockers")).spec.plan.gates[0]
