"""A dependency fails for both arms: the rollout is held, told whom to look at, and goes on afterwards."""

from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases.explain import replay_decision

BOTH = {Arm.CANDIDATE: 0.3, Arm.BASELINE: 0.3}
MODEL = """\
health:
  model:
    shop: {needs: {payments: outage}}
    payments: {signals: [pay-latency]}
  signals:
    - {name: errors, kind: errors}
    - name: pay-latency
      kind: limit
      source: openmetrics
      metric: pay_latency_seconds
      limit: "< 1"
      on_breach: hold
"""


async def test_what_both_arms_suffer_holds_and_names_the_dependency() -> None:
    """Held within the bake, never halted; the sick dependency is named; calm lets it complete."""
    document = DOCUMENT.replace(
        "health:\n  signals: [{name: errors, kind: errors}]\n", MODEL
    ).replace(", approve: 1 of team-release", "")
    world = MemoryWorld()
    world.limits["pay-latency"] = 0.1
    await world.installed(document=document)
    rollout = await world.start("1.1.0", document=document)
    await world.run(rollout.id, until=[State.BAKING])
    await world.run(rollout.id, until=_baked(4, world))

    world.limits["pay-latency"] = 30.0
    held = await world.run(rollout.id, until=[State.HELD, State.HALTED], failing=BOTH)
    again = await world.run(rollout.id, until=_named, failing=BOTH)
    world.limits["pay-latency"] = 0.1
    after = await world.run(rollout.id, until=[State.COMPLETED, State.HALTED])

    assert held.waiting_on.reason is ReasonCode.NOT_THIS_CHANGE
    assert "most likely payments" in again.waiting_on.detail
    assert after.state is State.COMPLETED
    with world.store.begin(read_only=True) as transaction:
        entries = transaction.ledger(rollout_id=rollout.id)
    decision = next(entry for entry in entries if entry.rule == "not-this-change")
    assert replay_decision(world.outside, decision.number).same_decision


async def test_harm_of_the_candidate_alone_is_no_such_trouble() -> None:
    """The baseline is well: the change is put back."""
    world = MemoryWorld()
    await world.installed()
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until=[State.BAKING])

    after = await world.run(
        rollout.id, until=[State.HELD, State.HALTED], failing={Arm.CANDIDATE: 0.3}
    )

    assert after.state is State.HALTED


def _baked(seconds: int, world: MemoryWorld):
    began = world.clock.now()
    return lambda _: (world.clock.now() - began).total_seconds() >= seconds


def _named(rollout):
    return "payments" in rollout.waiting_on.detail
