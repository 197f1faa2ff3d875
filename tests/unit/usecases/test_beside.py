"""What else happened at the same time: on the service and on what it needs, as far as one may see it."""

from dataclasses import replace
from datetime import timedelta

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.plan.model import Dependency, HealthModel, HealthNode, Impact
from tidegate.domain.quantities import ServiceName
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.testing.builders import an_alarm
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases.beside import SHOWS_LATE, Beside, happened_beside, needed_services

ROOT = Caller(name="root", kind=CallerKind.PERSON, person="root", is_root=True)
NOBODY = Caller(name="eve", kind=CallerKind.PERSON, person="eve", organisation="umbrella")
BANK = DOCUMENT.replace("service: shop", "service: bank")
NEEDS_BANK = HealthModel(
    nodes=(
        HealthNode(name="shop", needs=(Dependency(node="bank", impact=Impact.OUTAGE),)),
        HealthNode(name="bank"),
        HealthNode(name="queue"),
    )
)


def beside(world: MemoryWorld, rollout: Rollout, caller: Caller = ROOT) -> Beside:
    with world.store.begin(read_only=True) as transaction:
        return happened_beside(transaction, rollout, caller, world.clock.now())


async def shop_that_needs_a_bank(world: MemoryWorld) -> tuple[Rollout, Rollout]:
    """Return a rollout of each, begun at the same time."""
    bank = await world.start("1.0.0", document=BANK)
    shop = await world.start("1.0.0")
    return replace(shop, plan=replace(shop.plan, health=NEEDS_BANK)), bank


async def test_changes_of_what_it_needs_are_beside_it() -> None:
    """A node named like a service is that service; one that isn't is no service of this system."""
    world = MemoryWorld()
    shop, bank = await shop_that_needs_a_bank(world)

    found = beside(world, shop)

    assert found.needs == (ServiceName("bank"),)
    assert [one.id for one in found.rollouts] == [bank.id]


async def test_a_service_that_it_does_not_need_is_not_beside_it() -> None:
    """Else everything that changes would be suspected."""
    world = MemoryWorld()
    await world.start("1.0.0", document=BANK)
    shop = await world.start("1.0.0")

    assert beside(world, shop).rollouts == ()
    with world.store.begin(read_only=True) as transaction:
        assert needed_services(transaction, shop) == ()


async def test_what_was_over_long_before_is_not_beside_it() -> None:
    """Harm may show late, but not for ever."""
    world = MemoryWorld()
    first = await world.installed()
    near = await world.start("1.1.0")
    assert [one.id for one in beside(world, near).rollouts] == [first.id]

    later = near.created_at + SHOWS_LATE + timedelta(hours=1)

    assert beside(world, replace(near, created_at=later)).rollouts == ()


async def test_alarms_of_the_time_are_told_and_earlier_ones_are_not() -> None:
    """Of the service itself, while it ran."""
    world = MemoryWorld()
    rollout = await world.start("1.0.0")
    now = world.clock.now()
    long_over = now - SHOWS_LATE - timedelta(hours=1)
    alarms = (
        an_alarm("a-now", raised_at=now, fingerprint="1"),
        an_alarm("a-over", raised_at=long_over, resolved_at=long_over, fingerprint="2"),
        an_alarm("a-other", service=ServiceName("other"), raised_at=now, fingerprint="3"),
    )
    with world.store.begin() as transaction:
        for alarm in alarms:
            transaction.put_alarm(alarm)

    assert [one.id for one in beside(world, rollout).alarms] == ["a-now"]


async def test_nothing_is_told_of_what_one_may_not_see() -> None:
    """Somebody of another organisation sees none of it."""
    world = MemoryWorld()
    shop, bank = await shop_that_needs_a_bank(world)
    with world.store.begin() as transaction:
        transaction.put_alarm(an_alarm(raised_at=world.clock.now()))

    found = beside(world, shop, NOBODY)

    assert bank.state is State.WAITING
    assert found.rollouts == ()
    assert found.alarms == ()
