"""New signals begin in shadow, and the past says what a signal would have done."""

from tidegate.domain.plan.model import SignalSpec
from tidegate.domain.quantities import Arm, ServiceName
from tidegate.domain.rollout.machine import State
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, the_shop
from tidegate.usecases.signal_history import SignalHistory, signal_history
from tidegate.usecases.start import Proposal, propose

SHOP = ServiceName("shop")
PLAIN = DOCUMENT.replace(", approve: 1 of team-release", "")
NEW_SIGNAL = "{name: orders, kind: usage, gate: false, source: openmetrics, metric: orders_total%s}"


def with_signal(written: str) -> str:
    """Return the shop's document with one more signal."""
    return PLAIN.replace(
        "{name: errors, kind: errors}", f"{{name: errors, kind: errors}}, {written}"
    )


async def proposed(world: MemoryWorld, document: str) -> Proposal:
    return await propose(world.outside, the_shop(document), {"code": "9.9.9"})


def signal(proposal: Proposal, name: str) -> SignalSpec:
    return next(one for one in proposal.plan.phases[0].signals if one.name == name)


async def completed(world: MemoryWorld, version: str = "1.1.0") -> None:
    """Let a rollout of the plain shop complete."""
    rollout = await world.start(version, document=PLAIN)
    await world.run(rollout.id, until=lambda now: now.settled)
    assert world.rollout(rollout.id).state is State.COMPLETED


async def test_a_new_signal_begins_in_shadow_once_a_rollout_has_completed() -> None:
    """It is in shadow in every phase, is named, and changes the hash of the plan."""
    world = MemoryWorld()
    await world.installed(document=PLAIN)
    before = await proposed(world, with_signal(NEW_SIGNAL % ""))
    await completed(world)

    after = await proposed(world, with_signal(NEW_SIGNAL % ""))

    assert before.shadowed == ()
    assert not signal(before, "orders").shadow
    assert after.shadowed == ("orders",)
    assert all(
        one.shadow == (one.name == "orders") for phase in after.plan.phases for one in phase.signals
    )
    assert before.plan_hash != after.plan_hash


async def test_a_signal_that_is_to_be_enforced_is_at_once() -> None:
    """`shadow: false` is the author's word that the signal needs no trial."""
    world = MemoryWorld()
    await world.installed(document=PLAIN)
    await completed(world)

    proposal = await proposed(world, with_signal(NEW_SIGNAL % ", shadow: false"))

    assert proposal.shadowed == ()
    assert not signal(proposal, "orders").shadow


async def test_a_signal_that_is_to_stay_in_shadow_does() -> None:
    """`shadow: true` holds also for a service that has never completed anything."""
    world = MemoryWorld()
    await world.installed(document=PLAIN)

    proposal = await proposed(world, with_signal(NEW_SIGNAL % ", shadow: true"))

    assert proposal.shadowed == ()
    assert signal(proposal, "orders").shadow


async def test_a_new_gate_is_never_in_shadow() -> None:
    """A phase whose gate has no say would pass by waiting."""
    world = MemoryWorld()
    await world.installed(document=PLAIN)
    await completed(world)

    proposal = await proposed(
        world, with_signal((NEW_SIGNAL % "").replace("gate: false", "gate: true"))
    )

    assert proposal.shadowed == ()


async def test_a_signal_that_a_completed_rollout_had_is_enforced() -> None:
    """One rollout that completed with it is the trial; after it the signal counts."""
    world = MemoryWorld()
    await world.installed(document=PLAIN)
    await completed(world)
    await completed(world, "1.2.0")

    proposal = await proposed(world, PLAIN)

    assert proposal.shadowed == ()


def by_name(past: tuple[SignalHistory, ...]) -> dict[str, SignalHistory]:
    return {one.signal: one for one in past}


async def test_the_past_shows_which_rollouts_a_signal_would_have_halted() -> None:
    """Of a healthy and a harmful rollout, errors alone halts the harmful one."""
    world = MemoryWorld()
    await world.installed(document=PLAIN)
    await completed(world)
    harmful = await world.start("1.2.0", document=PLAIN)
    await world.run(harmful.id, until=[State.ROLLED_BACK], failing={Arm.CANDIDATE: 0.5})

    past = by_name(signal_history(world.outside, SHOP))["errors"]

    assert past.rollouts == 2
    assert past.ticks > 20
    assert past.halted == (harmful.id,)
    assert past.halted_healthy == ()


async def test_a_signal_that_no_rollout_had_has_no_past() -> None:
    """Nothing is known of it, and nothing is what is told."""
    world = MemoryWorld()
    await world.installed(document=PLAIN)
    await completed(world)
    rollout = await world.start("1.2.0", document=with_signal(NEW_SIGNAL % ""))

    past = by_name(signal_history(world.outside, SHOP))["orders"]

    assert (past.rollouts, past.ticks, past.halted) == (0, 0, ())
    assert past.shadow
    assert rollout.state is State.WAITING


async def test_the_past_is_looked_at_only_so_far() -> None:
    """The newest ticks that fit are run again, and counted as what they are."""
    world = MemoryWorld()
    await world.installed(document=PLAIN)
    await completed(world)

    past = by_name(signal_history(world.outside, SHOP, most_ticks=7))["errors"]

    assert (past.rollouts, past.ticks) == (1, 7)


async def test_a_limit_that_is_wrong_harms_nobody_while_it_is_new() -> None:
    """Its first rollout completes with it in shadow; its past tells that it halts falsely; then it counts."""
    world = MemoryWorld()
    document = with_signal(
        "{name: lag, kind: limit, source: openmetrics, metric: lag_seconds, limit: 1s}"
    )
    await world.installed(document=PLAIN)
    await completed(world)
    world.limits["lag"] = 9.0
    first = await world.start("1.2.0", document=document)
    await world.run(first.id, until=lambda now: now.settled)

    past = by_name(signal_history(world.outside, SHOP))["lag"]
    second = await world.start("1.3.0", document=document)
    second = await world.run(second.id, until=[State.HALTED, State.ROLLED_BACK, State.COMPLETED])

    assert world.rollout(first.id).state is State.COMPLETED
    assert (past.halted, past.halted_healthy, past.shadow) == ((first.id,), (first.id,), True)
    assert second.state is not State.COMPLETED
