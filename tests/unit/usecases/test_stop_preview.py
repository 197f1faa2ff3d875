"""What an order would stop is what it does stop when it is given."""

import pytest

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.rollout.machine import State
from tidegate.domain.stops.model import StopScope
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases.access import access_in
from tidegate.usecases.recent_changes import recent_rollouts
from tidegate.usecases.stop_preview import stoppable, would_stop
from tidegate.usecases.stops import give_stop_order

ROOT = Caller(name="sre-a", kind=CallerKind.PERSON, person="sre-a", is_root=True)
RINGS = DOCUMENT.replace("{name: eu,", "{name: eu, ring: inner,")


async def under_way(world: MemoryWorld) -> None:
    """Let two services have a rollout each, one of them in a ring with a name, and one be served."""
    for name, document in (("shop", RINGS), ("cart", DOCUMENT), ("quiet", DOCUMENT)):
        document = document.replace("service: shop", f"service: {name}")
        await world.installed(document=document)
        if name != "quiet":
            rollout = await world.start("1.1.0", document=document)
            await world.run(rollout.id, until={State.BAKING})


@pytest.mark.parametrize(
    ("scope", "name", "count"),
    [
        (StopScope.EVERYTHING, "", 2),
        (StopScope.SERVICE, "shop", 1),
        (StopScope.SERVICE, "quiet", 0),
        (StopScope.RING, "inner", 1),
    ],
)
async def test_what_would_stop_is_what_stops(scope: StopScope, name: str, count: int) -> None:
    """The count on the screen is the count of the order, for each scope."""
    world = MemoryWorld()
    await under_way(world)
    now = world.clock.now()
    with world.store.begin() as transaction:
        access = access_in(transaction, ROOT, now)
        can = stoppable(transaction, access, recent_rollouts(transaction, access))

    foreseen = would_stop(can.rollouts, ROOT, scope, name, now=now)
    given = await give_stop_order(
        world.outside, ROOT, scope=scope, name=name, withdraw=False, reason="so"
    )

    assert len(foreseen) == count
    assert {one.id for one in foreseen} == set(given.covered)
    assert can.services == ("cart", "quiet", "shop")
    assert "inner" in can.rings


async def test_another_organisation_is_neither_counted_nor_named() -> None:
    """Who may read nothing sees nothing to stop, and their order would stop none of it."""
    world = MemoryWorld()
    await under_way(world)
    stranger = Caller(
        name="mallory", kind=CallerKind.PERSON, person="mallory", organisation="other"
    )
    now = world.clock.now()

    with world.store.begin() as transaction:
        access = access_in(transaction, stranger, now)
        can = stoppable(transaction, access, recent_rollouts(transaction, access))
        every = transaction.unfinished()

    assert (can.rollouts, can.services, can.rings) == ((), (), ())
    assert would_stop(every, stranger, StopScope.EVERYTHING, "", now=now) == ()
