"""Starting rollouts over HTTP, and what is told of them."""

from datetime import timedelta

import httpx

from tidegate.api.app import create_app
from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.machine import State
from tidegate.drivers.component.memory import MemoryComponent
from tidegate.testing.memory_world import MemoryWorld, the_shop


def start_body(version: str = "1.1.0") -> dict[str, object]:
    return {"service": the_shop().canonical, "change": {"code": version}}


async def test_start_records_a_rollout_and_wakes_the_runner(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A start answers 201 with a waiting rollout that the runner was told about."""
    await world.installed()

    answer = await client.post("/v1/rollouts", json=start_body())

    assert answer.status_code == 201
    body = answer.json()
    assert body["state"] == "waiting"
    assert body["created_by"] == "alice"
    assert body["change"]["code"]["to"] == "1.1.0"
    assert body["change"]["code"]["before"] == "1.0.0"
    assert world.woken[-1] == body["id"]


async def test_start_refuses_a_plan_that_moved(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A plan hash that isn't that of the present plan starts nothing."""
    await world.installed()

    answer = await client.post(
        "/v1/rollouts", json={**start_body(), "plan_hash": "sha256:" + "0" * 64}
    )

    assert answer.status_code == 409
    assert answer.json()["code"] == "refused"
    assert len((await client.get("/v1/rollouts")).json()["rollouts"]) == 1


async def test_start_takes_a_known_service_by_name(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A service whose document the server has needs no document."""
    await world.installed()

    answer = await client.post(
        "/v1/rollouts", json={"service": "shop", "change": {"code": "1.1.0"}}
    )

    assert answer.status_code == 201


async def test_a_start_during_a_first_deployment_is_refused(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """There is no baseline yet that the second could be compared with."""
    await client.post("/v1/rollouts", json=start_body("1.0.0"))

    answer = await client.post("/v1/rollouts", json=start_body("1.2.0"))

    assert answer.status_code == 409
    assert answer.json()["code"] == "rollout.already_active"


async def test_a_second_rollout_of_a_service_is_queued(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The second start on the same target is accepted and says what it waits for."""
    await world.installed()
    first = await client.post("/v1/rollouts", json=start_body("1.1.0"))

    answer = await client.post("/v1/rollouts", json=start_body("1.2.0"))

    assert answer.status_code == 201
    assert answer.json()["state"] == "planned"
    assert answer.json()["waiting_on"]["reason_code"] == "queue"
    assert first.json()["id"] in answer.json()["waiting_on"]["detail"]


async def test_a_rollout_is_found_by_id_prefix_and_service(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """All three names lead to the same rollout; an unknown one is a 404."""
    rollout = await world.start("1.0.0")

    found = [
        (await client.get(f"/v1/rollouts/{name}")).json()["id"]
        for name in (rollout.id, rollout.id[:4], "shop")
    ]
    missing = await client.get("/v1/rollouts/no-such-thing")

    assert found == [rollout.id] * 3
    assert missing.status_code == 404
    assert missing.json()["code"] == "not_found"


async def test_the_list_filters_by_service_state_and_limit(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Each filter leaves only what it names, newest first."""
    await world.installed()
    second = await world.start("1.1.0")

    everything = (await client.get("/v1/rollouts")).json()["rollouts"]
    completed = (await client.get("/v1/rollouts", params={"state": "completed"})).json()
    newest = (await client.get("/v1/rollouts", params={"limit": 1})).json()["rollouts"]
    other = (await client.get("/v1/rollouts", params={"service": "other"})).json()["rollouts"]
    wrong = await client.get("/v1/rollouts", params={"state": "green"})

    assert [one["state"] for one in everything] == ["waiting", "completed"]
    assert [one["state"] for one in completed["rollouts"]] == ["completed"]
    assert [one["id"] for one in newest] == [second.id]
    assert other == []
    assert wrong.status_code == 422


async def test_exposure_tells_set_and_seen_apart(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """What was seen is told only when somebody looked, and equals what the target serves."""
    await world.installed()
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until={State.BAKING})

    record = (await client.get(f"/v1/rollouts/{rollout.id}")).json()["exposure"][0]
    seen = (await client.get(f"/v1/rollouts/{rollout.id}", params={"observe": True})).json()

    assert (record["set_bps"], record["actual_bps"]) == (1000, None)
    assert seen["exposure"][0]["actual_bps"] == 1000
    assert seen["exposure"][0]["candidate"]["name"] == "1.1.0"


async def test_a_first_deployment_on_its_way_isnt_shown_as_seen() -> None:
    """What a target was told and doesn't serve yet is unknown, not full exposure."""
    world = MemoryWorld(component=MemoryComponent(lag_observes=3))
    app = create_app(world.outside, token="t", version="0")
    headers = {"authorization": "Bearer t"}
    rollout = await world.start("1.0.0")
    for _ in range(2):
        await world.turn()

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost", headers=headers
    ) as asking:
        seen = (await asking.get(f"/v1/rollouts/{rollout.id}?observe=true")).json()

    assert seen["state"] == "applying"
    assert seen["exposure"][0]["actual_bps"] != 10_000
    assert seen["exposure"][0]["settled"] is False


async def test_an_observed_rollout_waits_in_the_words_of_now(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The record keeps the words of when a wait began; whoever looks gets today's."""
    await world.installed()
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until={State.BAKING})
    world.clock.advance(timedelta(seconds=1))
    await world.run(rollout.id, until=lambda _: True)

    record = (await client.get(f"/v1/rollouts/{rollout.id}")).json()["waiting_on"]
    seen = (await client.get(f"/v1/rollouts/{rollout.id}?observe=true")).json()["waiting_on"]

    assert record["detail"] == "the bake has begun"
    assert "of bake left" in seen["detail"]
    assert seen["until"] is not None


async def test_phases_are_done_now_and_ahead(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """The ladder says where the rollout is, and how long the phase in force has baked."""
    await world.installed()
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until=lambda now: now.waiting_on.reason.value == "approval")

    body = (await client.get(f"/v1/rollouts/{rollout.id}")).json()

    assert [phase["state"] for phase in body["phases"]] == ["done", "now", "ahead"]
    assert body["phases"][0]["baked_seconds"] >= 10
    assert body["waiting_on"]["needs_person"] is True
    assert body["approvals"]["needed"] == 1
    assert body["at"] == {"phase": 2, "revision": body["revision"]}


async def test_evidence_shows_counts_bounds_and_words(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Harm is shown as HARM with both arms' counts; what is ruled out stays above what was seen."""
    await world.installed()
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until={State.ROLLED_BACK}, failing={Arm.CANDIDATE: 0.5})

    body = (await client.get(f"/v1/rollouts/{rollout.id}/evidence")).json()

    signal = body["signals"][0]
    assert signal["shown"] == "HARM"
    assert signal["candidate"]["bad"] > 0
    assert signal["baseline"]["bad"] == 0
    assert signal["ruled_out"] is None or signal["ruled_out"] > signal["candidate"]["share"]
    assert body["in_force"] is False


async def test_evidence_of_a_passed_bake_is_proven(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """With enough good data the gate is PROVEN and the verdict pass."""
    await world.installed()
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until=lambda now: now.waiting_on.reason.value == "approval")

    body = (await client.get(f"/v1/rollouts/{rollout.id}/evidence")).json()

    assert body["signals"][0]["shown"] == "PROVEN"
    assert body["signals"][0]["ruled_out"] < body["signals"][0]["tolerated"]
    assert body["requests"] >= body["needed_requests"]


async def test_evidence_before_any_look_is_empty_and_not_green(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Nothing watched means no verdict, no signals, nothing in force."""
    rollout = await world.start("1.0.0")

    body = (await client.get(f"/v1/rollouts/{rollout.id}/evidence")).json()

    assert body["verdict"] is None
    assert body["signals"] == []
    assert body["in_force"] is False


async def test_why_names_the_decision_that_led_here(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A rolled back rollout tells the halt, the last decision and the evidence."""
    await world.installed()
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until={State.ROLLED_BACK}, failing={Arm.CANDIDATE: 0.5})

    body = (await client.get(f"/v1/rollouts/{rollout.id}/why")).json()

    assert body["rollout"]["halt"]["cause"] == "harm"
    assert body["brought_here_by"]["state_after"] == "rolled_back"
    assert body["last_decision"]["rule"] == "verify-way-back"
    assert body["evidence"]["signals"][0]["shown"] == "HARM"


async def test_the_ledger_is_in_order_and_goes_on_after_a_number(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Entries are linked to one another and can be read in pieces."""
    rollout = await world.installed()

    entries = (await client.get(f"/v1/rollouts/{rollout.id}/ledger")).json()["entries"]
    rest = await client.get(
        f"/v1/rollouts/{rollout.id}/ledger", params={"after": entries[1]["number"], "limit": 2}
    )

    assert entries[0]["rule"] == "start"
    assert [one["previous_hash"] for one in entries[1:]] == [one["hash"] for one in entries[:-1]]
    assert rest.json()["entries"] == entries[2:4]
