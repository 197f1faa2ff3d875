"""Decisions over HTTP: their inputs, and the same decision made again."""

import httpx

from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.machine import State
from tidegate.testing.memory_world import MemoryWorld


async def test_every_decision_of_a_rollout_replays_to_the_same(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Each recorded decision, made again from what was stored, comes out the same to the letter."""
    await world.installed()
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until={State.ROLLED_BACK}, failing={Arm.CANDIDATE: 0.3})
    entries = (await client.get(f"/v1/rollouts/{rollout.id}/ledger")).json()["entries"]
    decisions = [entry["number"] for entry in entries if entry["kind"] == "decision"]

    replays = [(await client.post(f"/v1/decisions/{n}/replay")).json() for n in decisions]

    assert len(decisions) > 5
    assert [replay["differences"] for replay in replays] == [[]] * len(decisions)
    assert all(replay["same_decision"] for replay in replays)
    assert any(replay["same_evidence"] for replay in replays)


async def test_a_decision_shows_what_it_was_made_from(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The halt names its action, the exposure that was seen and the evidence of the moment."""
    await world.installed()
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until={State.ROLLED_BACK}, failing={Arm.CANDIDATE: 0.3})
    entries = (await client.get(f"/v1/rollouts/{rollout.id}/ledger")).json()["entries"]
    halt = next(entry["number"] for entry in entries if entry["rule"] == "harm-proven")

    body = (await client.get(f"/v1/decisions/{halt}")).json()

    assert body["action"] == "halt"
    assert body["inputs"]["placements"][0]["actual_bps"] == 1000
    assert body["inputs"]["evidence"]["signals"][0]["shown"] == "HARM"


async def test_a_command_has_no_inputs_and_cant_be_replayed(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """What a person said isn't made by a rule."""
    await world.start("1.0.0")

    shown = (await client.get("/v1/decisions/1")).json()
    replay = await client.post("/v1/decisions/1/replay")
    missing = await client.get("/v1/decisions/999")

    assert shown["entry"]["kind"] == "command"
    assert shown["inputs"] is None
    assert (replay.status_code, replay.json()["code"]) == (422, "request.invalid")
    assert missing.status_code == 404
