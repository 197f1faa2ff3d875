"""Agreeing, refusing and taking back over HTTP, and the list of what waits."""

import httpx
import pytest

from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.testing.memory_world import MemoryWorld


async def waiting(world: MemoryWorld) -> Rollout:
    await world.installed()
    rollout = await world.start("1.1.0")
    return await world.run(rollout.id, until=lambda now: now.waiting_on.reason.value == "approval")


async def say(
    client: httpx.AsyncClient, rollout: Rollout, verb: str, *, by: str, why: str = "so"
) -> httpx.Response:
    return await client.post(
        f"/v1/rollouts/{rollout.id}/{verb}",
        json={"reason": why},
        headers={"tidegate-actor": by},
    )


async def test_ones_own_change_is_refused_and_says_who_could(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Forbidden, with the person in words; nothing is recorded and nothing rises."""
    rollout = await waiting(world)

    own = await say(client, rollout, "approve", by="alice")
    [listed] = (await client.get("/v1/approvals")).json()["approvals"]

    assert (own.status_code, own.json()["code"]) == (403, "forbidden")
    assert "alice's own change" in own.json()["detail"]
    assert "somebody else of team-release" in own.json()["hint"]
    assert (listed["you_may"], listed["why_you_may_not"]) == (False, "it is alice's own change")
    assert (listed["counting"], listed["needed"], listed["words"]) == (0, 1, [])
    assert world.rollout(rollout.id).approvals == ()


async def test_a_no_is_shown_until_it_is_taken_back(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """It stands against a yes, is listed with its comment, and ends with its person's word."""
    rollout = await waiting(world)

    refused = await say(client, rollout, "reject", by="carol", why="not during the sale")
    await say(client, rollout, "approve", by="bob")
    stands = await world.turns(rollout.id)
    [listed] = (await client.get("/v1/approvals")).json()["approvals"]
    shown = (await client.get(f"/v1/rollouts/{rollout.id}?observe=true")).json()
    back = await say(client, rollout, "take-back", by="carol")
    moved = await world.turns(rollout.id, lambda now: now.state is State.APPLYING)

    assert refused.status_code == back.status_code == 202
    assert [(one["by"], one["is_yes"]) for one in listed["words"]] == [
        ("carol", False),
        ("bob", True),
    ]
    assert "rejected by carol: not during the sale" in shown["waiting_on"]["detail"]
    assert stands.state is State.WAITING
    assert moved.state is State.APPLYING


@pytest.mark.parametrize("verb", ["reject", "take-back"])
async def test_a_word_against_says_why(
    client: httpx.AsyncClient, world: MemoryWorld, verb: str
) -> None:
    """Without a comment it is refused as not making sense."""
    rollout = await waiting(world)

    answer = await say(client, rollout, verb, by="bob", why=" ")

    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")


async def test_what_is_not_due_is_listed_only_when_asked_for(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """While the phase before bakes, its approval can be given, and isn't waited for yet."""
    await world.installed()
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until={State.BAKING})

    due = (await client.get("/v1/approvals")).json()["approvals"]
    every = (await client.get("/v1/approvals", params={"all": True})).json()["approvals"]

    assert due == []
    assert [(one["rollout"], one["is_due"], one["phase_name"]) for one in every] == [
        (rollout.id, False, "half")
    ]


async def test_a_void_approval_is_listed_with_why(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Who gave it sees that it doesn't count, and the rollout says what it misses."""
    rollout = await waiting(world)
    await say(client, rollout, "approve", by="bob")
    world.clock.advance(rollout.plan.quarantine * 2_000)

    [listed] = (await client.get("/v1/approvals")).json()["approvals"]

    assert listed["words"][0]["void_because"] == "it has expired"
    assert (listed["counting"], listed["deadline"]) == (0, None)
