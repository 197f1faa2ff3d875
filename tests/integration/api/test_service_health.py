"""The health of a service over HTTP."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import httpx

from tidegate.domain.health.readings import Reading, SeriesCounts
from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.machine import State
from tidegate.testing.builders import a_placement
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, a_limit_reading

SECOND = timedelta(seconds=1)
HEALTH = "/v1/services/shop/health"
WITH_MODEL = DOCUMENT.replace(
    "signals: [{name: errors, kind: errors}]",
    """signals:
    - {name: errors, kind: errors}
    - {name: db-lock-wait, kind: limit, source: openmetrics, metric: lock_wait_seconds, limit: 1s}
  model:
    shop: {needs: {shop-db: outage}}
    shop-db: {signals: [db-lock-wait]}""",
)


async def tested_health(
    client: httpx.AsyncClient, world: MemoryWorld, *, between: Callable[[], None] = lambda: None
) -> httpx.Response:
    """Ask for a test, let time pass once the sources were read, and do *between* before the second time."""
    calls = len(world.signals.calls)
    asking = asyncio.ensure_future(client.post(f"{HEALTH}/test", json={}))
    while not asking.done() and len(world.signals.calls) == calls:
        await asyncio.sleep(0)
    between()
    while not asking.done():
        world.clock.advance(SECOND / 20)
        await asyncio.sleep(0)
    return await asking


async def test_the_tree_is_told_with_states_and_reasons(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Without a rollout nothing is known, and every node says so."""
    await world.installed(document=WITH_MODEL)

    found = (await client.get(HEALTH)).json()

    assert (found["service"], found["health"], found["rollouts"]) == ("shop", "unknown", [])
    shop, database = found["nodes"]
    assert shop["needs"] == [{"node": "shop-db", "impact": "outage"}]
    assert [one["name"] for one in shop["signals"]] == ["errors"]
    assert database["own_health"] == database["health"] == "unknown"
    assert database["signals"][0]["kind"] == "limit"


async def test_what_if_spreads_and_asks_nobody(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A supposed outage of the database makes the service unhealthy; no source is read."""
    await world.installed(document=WITH_MODEL)
    calls = len(world.signals.calls)

    found = (await client.get(HEALTH, params={"what_if": "shop-db=unhealthy"})).json()

    assert found["health"] == "unhealthy"
    assert found["explained_by"] == "shop-db"
    assert [node["supposed"] for node in found["nodes"]] == [False, True]
    assert len(world.signals.calls) == calls


async def test_a_what_if_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A node that doesn't exist and a state that isn't one are told apart, each with the fix."""
    await world.installed(document=WITH_MODEL)

    no_node = await client.get(HEALTH, params={"what_if": "db=unhealthy"})
    no_state = await client.get(HEALTH, params={"what_if": "shop-db=broken"})

    assert (no_node.status_code, no_node.json()["hint"]) == (422, "take one of: shop, shop-db")
    assert no_state.status_code == 422
    assert "unhealthy" in no_state.json()["hint"]


async def test_a_test_asks_every_source_and_says_what_it_means(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A crossed limit would halt a rollout; a signal without data would hold it."""
    await world.installed(document=WITH_MODEL)
    now = world.clock.now()
    world.signals.put(a_placement(), "db-lock-wait", a_limit_reading(now, 9.0))
    world.signals.put(a_placement(), "errors", None)

    answer = await tested_health(client, world)

    tested = answer.json()
    errors, lock_wait = tested["answers"]
    assert answer.status_code == 200
    assert (errors["quality"], errors["target"]) == ("missing", "eu")
    assert errors["effect"] == "holds a rollout at once, halts it after 10s"
    assert (lock_wait["quality"], lock_wait["value"]) == ("good", 9.0)
    assert lock_wait["effect"] == "halts a rollout and withdraws it"
    assert tested["health"]["nodes"][1]["health"] == "unhealthy"
    assert tested["health"]["because"][-1] == (
        "shop-db is unhealthy because db-lock-wait: 9, at most 1 is allowed"
    )


async def test_the_past_of_each_signal_is_told(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The rollout that errors stopped is one that it would have halted, and no false one."""
    plain = DOCUMENT.replace(", approve: 1 of team-release", "")
    await world.installed(document=plain)
    rollout = await world.start("1.1.0", document=plain)
    await world.run(rollout.id, until=[State.ROLLED_BACK], failing={Arm.CANDIDATE: 0.5})

    (past,) = (await client.get(f"{HEALTH}/history")).json()["signals"]

    assert past["signal"] == "errors"
    assert past["rollouts"] == 1
    assert past["halted"] == [rollout.id]
    assert past["false_halts"] == []


async def test_an_unknown_service_is_told(client: httpx.AsyncClient) -> None:
    """All three say that there is no such service."""
    answers = [
        await client.get("/v1/services/nobody/health"),
        await client.post("/v1/services/nobody/health/test", json={}),
        await client.get("/v1/services/nobody/health/history"),
    ]

    assert {answer.status_code for answer in answers} == {404}


async def test_a_stranger_sees_nothing(stranger: httpx.AsyncClient, world: MemoryWorld) -> None:
    """Health is for holders of the token."""
    await world.installed(document=WITH_MODEL)

    assert (await stranger.get(HEALTH)).status_code == 401
    assert (await stranger.post(f"{HEALTH}/test", json={})).status_code == 401


async def test_counts_are_told_per_arm(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """What came between two readings is told in words."""
    await world.installed()
    eu = a_placement()
    world.signals.put(eu, "errors", _reading(world, 100.0))

    tested = await tested_health(
        client,
        world,
        between=lambda: world.signals.put(eu, "errors", _reading(world, 150.0, later=SECOND)),
    )

    (answer,) = tested.json()["answers"]
    assert answer["found"] == "baseline: 50 requests, 0 failed in 1s"


def _reading(world: MemoryWorld, total: float, *, later: timedelta = timedelta(0)) -> Reading:
    series = {"one": SeriesCounts(total=total)}
    return Reading(at=world.clock.now() + later, arms={Arm.BASELINE: series})
