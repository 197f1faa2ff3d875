"""Stop orders over HTTP: nothing that they cover rises, until enough persons say that they may end."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from tidegate.domain.quantities import NO_EXPOSURE, Exposure, Generation
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import HaltCause, ReasonCode, Rollout
from tidegate.errors import StopOrderError
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases.outside import assignment

NO_APPROVALS = DOCUMENT.replace(", approve: 1 of team-release", "")


async def baking(world: MemoryWorld) -> Rollout:
    await world.installed(document=NO_APPROVALS)
    rollout = await world.start("1.1.0", document=NO_APPROVALS)
    return await world.run(rollout.id, until={State.BAKING})


def exposed(world: MemoryWorld, rollout: Rollout) -> Exposure:
    return world.component.served(rollout.plan.placements()[0]).exposure


async def stop(client: httpx.AsyncClient, **said: Any) -> httpx.Response:
    return await client.post("/v1/stops", json={"reason": "INC-431", **said})


async def lift(
    client: httpx.AsyncClient, number: int, *, by: str, reason: str = "over"
) -> httpx.Response:
    return await client.post(
        f"/v1/stops/{number}/lift", json={"reason": reason}, headers={"tidegate-actor": by}
    )


async def pass_time(world: MemoryWorld, rollout: Rollout, ticks: int = 60) -> Rollout:
    """Let *ticks* pass with healthy traffic, far more than the phase needs."""
    left = iter(range(ticks))
    return await world.run(
        rollout.id, until=lambda _: next(left, None) is None, most_ticks=ticks * 9
    )


@pytest.mark.parametrize(
    "scope",
    [
        {"scope": "everything"},
        {"scope": "service", "name": "shop"},
        {"scope": "ring", "name": "eu"},
    ],
)
async def test_nothing_that_an_order_covers_rises(
    client: httpx.AsyncClient, world: MemoryWorld, scope: dict[str, str]
) -> None:
    """A bake that proved its phase long ago stays where it is, and nobody is taken back either."""
    rollout = await baking(world)
    before = exposed(world, rollout)
    if scope["scope"] == "ring":
        scope = scope | {"name": rollout.targets[0].ring}

    given = await stop(client, **scope)
    after = await pass_time(world, rollout)

    assert given.status_code == 201, given.text
    assert given.json()["covered"] == [rollout.id]
    assert given.json()["suspects"][0]["rollout"] == rollout.id
    assert (given.json()["order"]["number"], given.json()["order"]["by"]) == (1, "alice")
    assert exposed(world, rollout) == before != NO_EXPOSURE
    assert after.waiting_on.reason is ReasonCode.STOP_ORDER


@pytest.mark.parametrize(
    "scope", [{"scope": "ring", "name": "elsewhere"}, {"scope": "service", "name": "other"}]
)
async def test_an_order_for_something_else_stops_nothing(
    client: httpx.AsyncClient, world: MemoryWorld, scope: dict[str, str]
) -> None:
    """What isn't covered goes on and rises."""
    other = NO_APPROVALS.replace("service: shop", "service: other").replace("name: eu", "name: us")
    await world.installed(document=other)
    rollout = await baking(world)
    before = exposed(world, rollout)

    given = await stop(client, **scope)
    await world.run(rollout.id, until=lambda _: exposed(world, rollout).exceeds(before))

    assert rollout.id not in given.json()["covered"]


async def test_a_wide_order_is_lifted_by_two_persons_and_the_rollout_goes_on_where_it_was(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """One person's word twice is one word; after the second person's it rises without a new attempt."""
    rollout = await baking(world)
    before = exposed(world, rollout)
    await stop(client, scope="everything")

    first = await lift(client, 1, by="alice")
    again = await lift(client, 1, by="alice")
    await pass_time(world, rollout)
    still = exposed(world, rollout)
    second = await lift(client, 1, by="bob")
    listed = (await client.get("/v1/stops")).json()["orders"]
    all_listed = (await client.get("/v1/stops", params={"all": True})).json()["orders"]
    after = await world.run(rollout.id, until=lambda _: exposed(world, rollout).exceeds(before))

    assert (first.status_code, first.json()["order"]["lifted_at"]) == (200, None)
    assert (again.status_code, again.json()["code"]) == (409, "refused")
    assert still == before
    assert second.json()["order"]["lifted_at"] is not None
    assert second.json()["released"] == [rollout.id]
    assert (listed, [one["number"] for one in all_listed]) == ([], [1])
    assert after.attempt == rollout.attempt


async def test_an_order_for_a_service_is_lifted_by_one_person_with_a_reason(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Without a reason it stays; lifting it twice changes nothing."""
    await baking(world)
    await stop(client, scope="service", name="shop")

    silent = await lift(client, 1, by="alice", reason=" ")
    lifted = await lift(client, 1, by="alice")
    again = await lift(client, 1, by="bob")

    assert (silent.status_code, silent.json()["code"]) == (422, "request.invalid")
    assert lifted.json()["order"]["lifted_at"] is not None
    assert len(again.json()["order"]["lifts"]) == 1


async def test_an_order_that_withdraws_brings_everyone_back(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The next turn withdraws; lifting the order doesn't expose anybody again by itself."""
    rollout = await baking(world)

    await stop(client, scope="everything", withdraw=True)
    halted = await world.turns(rollout.id)
    await lift(client, 1, by="alice")
    await lift(client, 1, by="bob")
    after = await pass_time(world, rollout, ticks=10)

    assert exposed(world, rollout) == NO_EXPOSURE
    assert halted.state is State.HALTED
    assert halted.halt is not None and halted.halt.cause is HaltCause.STOP_ORDER
    assert after.state is State.HALTED


async def test_a_driver_refuses_a_rise_that_was_decided_before_the_order(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The last look is right before the move; what falls or stays passes even then."""
    rollout = await baking(world)
    placement = rollout.plan.placements()[0]
    before = exposed(world, rollout)
    driver = world.outside.component(rollout, placement)
    more = Exposure(internal=True, weight_bps=before.weight_bps + 1)
    less = Exposure(internal=True, weight_bps=before.weight_bps - 1)
    await stop(client, scope="everything")

    with pytest.raises(StopOrderError, match="stop order 1 for everything by alice: INC-431"):
        await driver.apply(assignment(rollout, placement, more))
    unchanged = exposed(world, rollout)
    await driver.apply(assignment(rollout, placement, before))
    falling = assignment(rollout, placement, less)
    await driver.apply(replace(falling, generation=Generation(falling.generation + 1)))

    assert unchanged == before
    assert exposed(world, rollout) == less


async def test_a_way_back_passes_an_order(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """A rollback under a stop order reaches everyone: it exposes nobody to anything new."""
    rollout = await baking(world)
    await stop(client, scope="everything")

    back = await client.post(f"/v1/rollouts/{rollout.id}/rollback", json={"reason": "INC-431"})
    after = await world.run(rollout.id, until=lambda now: now.is_final)

    assert back.status_code == 202, back.text
    assert after.state is State.ROLLED_BACK
    assert exposed(world, rollout) == NO_EXPOSURE


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"scope": "everything", "name": "shop"}, 422),
        ({"scope": "service"}, 422),
        ({"scope": "ring"}, 422),
        ({"scope": "service", "name": "shpo"}, 404),
    ],
)
async def test_an_order_that_names_nothing_is_an_error(
    client: httpx.AsyncClient, world: MemoryWorld, said: dict[str, str], status: int
) -> None:
    """A slip of the pen must not look like a stop."""
    await world.installed()

    given = await stop(client, **said)

    assert given.status_code == status, given.text
    assert (await client.get("/v1/stops", params={"all": True})).json()["orders"] == []


async def test_orders_are_numbered_and_stand_in_the_ledger(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Two orders at one instant have two numbers, and each word about them is on record."""
    await world.installed()

    numbers = [(await stop(client, scope="everything")).json()["order"]["number"] for _ in range(3)]
    await lift(client, 2, by="bob")
    unknown = await lift(client, 4, by="bob")

    with world.store.begin(read_only=True) as transaction:
        rules = [entry.rule for entry in transaction.ledger(limit=1000)]
    assert numbers == [1, 2, 3]
    assert rules.count("give-stop-order") == 3
    assert rules.count("lift-stop-order") == 1
    assert unknown.status_code == 404


async def test_a_wrong_token_stops_nothing(stranger: httpx.AsyncClient, world: MemoryWorld) -> None:
    """Whoever can stop everything must be known."""
    await world.installed()
    stranger.headers["authorization"] = "Bearer a-guess"

    given = await stop(stranger, scope="everything")

    assert given.status_code == 401
