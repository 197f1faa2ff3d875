"""What would follow from one part being ill: as the model and the plan say, and no more."""

from dataclasses import replace

import pytest

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.health.model import Health
from tidegate.domain.plan.model import Effect, Limit, SignalKind, SignalSpec
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.machine import State
from tidegate.errors import InvalidRequestError
from tidegate.testing.builders import a_phase, a_plan, a_rollout, a_signal
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases.service_health import service_health
from tidegate.usecases.suppose import Act, act_of, acts_of, suppose_unhealthy

SHOP = ServiceName("shop")
ROOT = Caller(name="root", kind=CallerKind.PERSON, person="root", is_root=True)
WITH_MODEL = DOCUMENT.replace(
    "signals: [{name: errors, kind: errors}]",
    """signals:
    - {name: errors, kind: errors}
    - {name: lock-wait, kind: limit, source: openmetrics, metric: lock_wait, limit: 1s, on_breach: hold}
  model:
    shop: {needs: {shop-db: outage, payments: degraded}}
    shop-db: {signals: [lock-wait]}""",
)


def a_limit(effect: Effect) -> SignalSpec:
    return a_signal(
        "lock-wait",
        kind=SignalKind.LIMIT,
        gate=False,
        limit=Limit(value=1.0, above=True, effect=effect),
    )


@pytest.mark.parametrize(
    ("spec", "act"),
    [
        (a_signal(), Act.HALTS),
        (a_signal(gate=False), Act.HALTS),
        (a_signal(gate=False, shadow=True), Act.NOTHING),
        (a_limit(Effect.HALT), Act.HALTS),
        (a_limit(Effect.HOLD), Act.HOLDS),
        (a_limit(Effect.IGNORE), Act.NOTHING),
        (replace(a_limit(Effect.HALT), shadow=True), Act.NOTHING),
    ],
)
def test_a_signal_does_what_its_plan_says(spec: SignalSpec, act: Act) -> None:
    """A shadow and an ignored limit do nothing, whatever they show."""
    assert act_of(spec)[0] is act


def test_only_rollouts_whose_users_meet_it_now_would_be_touched() -> None:
    """One that waits for its first phase, or watches something else now, goes on."""
    other = a_plan(
        phases=(a_phase(signals=(a_signal("latency"),)),),
    )
    baking = a_rollout("r-1", state=State.BAKING)
    waiting = a_rollout("r-2", state=State.WAITING)
    elsewhere = a_rollout("r-3", state=State.BAKING, plan=other)

    [found] = acts_of([a_signal()], [baking, waiting, elsewhere])

    assert found.rollouts == ("r-1",)


def test_a_shadow_in_the_rollouts_own_plan_touches_nothing() -> None:
    """What the latest document enforces is still in shadow in a rollout that began before."""
    shadowed = a_plan(phases=(a_phase(signals=(a_signal(shadow=True),)),))

    [found] = acts_of([a_signal()], [a_rollout(state=State.BAKING, plan=shadowed)])

    assert (found.act, found.rollouts) == (Act.HALTS, ())


async def test_trouble_of_a_database_spreads_and_holds_what_bakes() -> None:
    """The service becomes unhealthy, and the database's limit would hold the rollout under way."""
    world = MemoryWorld()
    world.limits["lock-wait"] = 0.1
    await world.installed()
    going = await world.start("1.1.0", document=WITH_MODEL)
    await world.run(going.id, until={State.BAKING})

    found = suppose_unhealthy(
        world.outside, ROOT, service_health(world.outside, ROOT, SHOP), "shop-db"
    )

    assert {one.node: one.after for one in found.changed} == {
        "shop": Health.UNHEALTHY,
        "shop-db": Health.UNHEALTHY,
    }
    assert found.strongest is Act.HOLDS
    assert [(one.signal, one.rollouts) for one in found.acts] == [("lock-wait", (going.id,))]


async def test_a_part_that_nothing_measures_would_stop_nothing() -> None:
    """It spreads in the picture, and no rollout would notice: a blind spot is said to be one."""
    world = MemoryWorld()
    await world.installed(document=WITH_MODEL)

    found = suppose_unhealthy(
        world.outside, ROOT, service_health(world.outside, ROOT, SHOP), "payments"
    )

    assert found.acts == ()
    assert found.strongest is Act.NOTHING
    assert "payments" in {one.node for one in found.changed}


async def test_a_node_that_isnt_there_is_refused() -> None:
    """With the names that there are."""
    world = MemoryWorld()
    await world.installed(document=WITH_MODEL)

    with pytest.raises(InvalidRequestError, match="has no node 'db'"):
        suppose_unhealthy(world.outside, ROOT, service_health(world.outside, ROOT, SHOP), "db")
