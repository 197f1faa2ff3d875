"""Plans over HTTP: what a start would do, with nothing done."""

import httpx

from tidegate.testing.memory_world import MemoryWorld, the_shop


async def plan(client: httpx.AsyncClient, version: str, **more: object) -> httpx.Response:
    body = {"service": the_shop().canonical, "change": {"code": version}, **more}
    return await client.post("/v1/plans", json=body)


async def test_a_plan_changes_nothing(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """Planning leaves store and targets as they were."""
    await world.installed()
    ledger_before = len((await client.get("/v1/rollouts/shop/ledger")).json()["entries"])
    moves_before = list(world.component.log)

    answer = await plan(client, "1.1.0")

    assert answer.status_code == 200
    assert len((await client.get("/v1/rollouts")).json()["rollouts"]) == 1
    assert len((await client.get("/v1/rollouts/shop/ledger")).json()["entries"]) == ledger_before
    assert world.component.log == moves_before


async def test_a_start_with_the_plans_hash_is_that_plan(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The hash that was shown starts exactly what was shown."""
    await world.installed()
    planned = (await plan(client, "1.1.0")).json()

    answer = await client.post(
        "/v1/rollouts",
        json={
            "service": the_shop().canonical,
            "change": {"code": "1.1.0"},
            "plan_hash": planned["plan_hash"],
        },
    )

    assert answer.status_code == 201
    started = answer.json()
    assert started["plan_hash"] == planned["plan_hash"]
    assert [phase["moves"] for phase in started["phases"]] == [
        phase["moves"] for phase in planned["phases"]
    ]


async def test_a_forecast_needs_traffic_and_says_when_it_has_none(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Nothing is guessed: without traffic no phase claims to rule anything out."""
    await world.installed()

    blind = (await plan(client, "1.1.0")).json()["forecast"]
    told = (await plan(client, "1.1.0", requests_per_second=200.0)).json()["forecast"]

    assert blind["traffic"] is None
    assert {phase["rules_out_errors"] for phase in blind["phases"]} == {None}
    assert told["traffic"]["source"] == "the request"
    assert told["phases"][0]["candidate_requests_per_second"] == 20.0
    assert told["phases"][0]["rules_out_errors"] > told["phases"][1]["rules_out_errors"] > 0
    assert told["phases"][0]["enough"] is True


async def test_a_plan_shows_what_the_rules_warn_of(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Warnings come with the plan; an install is called one."""
    answer = (await plan(client, "1.0.0")).json()

    assert answer["is_install"] is True
    assert answer["plan"] == "install"
    assert [finding["rule"] for finding in answer["findings"]] == ["usage-signal-present"]


async def test_an_unknown_component_names_those_there_are(client: httpx.AsyncClient) -> None:
    """A misspelt component is told with the right ones."""
    answer = await client.post(
        "/v1/plans", json={"service": the_shop().canonical, "change": {"kode": "1"}}
    )

    assert answer.status_code == 422
    assert "code" in answer.json()["hint"]
