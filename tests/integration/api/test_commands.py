"""What people tell a rollout over HTTP."""

import asyncio

import httpx

from tidegate.domain.quantities import NO_EXPOSURE
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.testing.memory_world import MemoryWorld


async def baking(world: MemoryWorld) -> Rollout:
    await world.installed()
    rollout = await world.start("1.1.0")
    return await world.run(rollout.id, until={State.BAKING})


async def test_halt_withdraws_before_it_answers(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """When the answer comes the target serves the candidate to nobody, without a single step."""
    rollout = await baking(world)

    answer = await client.post(f"/v1/rollouts/{rollout.id}/halt", json={"reason": "smoke"})

    assert answer.status_code == 202
    assert answer.json()["state"] == "halted"
    assert answer.json()["halt"] | {"at": ""} == {
        "cause": "person",
        "because": "smoke",
        "by": "alice",
        "at": "",
    }
    placement = rollout.plan.placements()[0]
    assert world.component.served(placement).exposure == NO_EXPOSURE


async def test_halt_needs_no_reason_and_no_present_revision(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A stop with an old `at` and no reason is a stop."""
    rollout = await baking(world)

    answer = await client.post(
        f"/v1/rollouts/{rollout.id}/halt", json={"at": {"phase": 1, "revision": 1}}
    )

    assert answer.status_code == 202
    assert answer.json()["state"] == "halted"


async def test_halting_what_is_over_says_so_without_an_error(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Whoever halts too late gets the present state."""
    rollout = await world.installed()

    answer = await client.post(f"/v1/rollouts/{rollout.id}/halt", json={})

    assert answer.status_code == 202
    assert answer.json()["state"] == "completed"


async def test_resume_needs_a_reason(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """Without a reason nothing goes on; with one the phase is proven again as a new attempt."""
    rollout = await baking(world)
    await client.post(f"/v1/rollouts/{rollout.id}/halt", json={})

    refused = await client.post(f"/v1/rollouts/{rollout.id}/resume", json={"reason": "  "})
    resumed = await client.post(f"/v1/rollouts/{rollout.id}/resume", json={"reason": "false alarm"})

    assert (refused.status_code, refused.json()["code"]) == (422, "request.invalid")
    assert (resumed.status_code, resumed.json()["attempt"]) == (202, 2)


async def test_resuming_what_bakes_is_refused(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A state that can't take a command says which it can."""
    rollout = await baking(world)

    answer = await client.post(f"/v1/rollouts/{rollout.id}/resume", json={"reason": "why not"})

    assert answer.status_code == 409
    assert answer.json()["code"] == "rollout.illegal_transition"


async def test_a_command_on_a_state_that_moved_is_refused(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """`at` of another revision is a conflict that may be tried again, and changes nothing."""
    rollout = await baking(world)
    old = {"phase": 1, "revision": rollout.revision - 1}

    answers = [
        await client.post(
            f"/v1/rollouts/{rollout.id}/{verb}", json={"reason": "because", "at": old}
        )
        for verb in ("resume", "rollback", "approve", "abandon")
    ]

    assert [one.status_code for one in answers] == [409] * 4
    assert {one.json()["code"] for one in answers} <= {
        "state.moved",
        "rollout.illegal_transition",
    }
    assert answers[1].json()["retryable"] is True
    assert world.rollout(rollout.id) == rollout


async def test_roll_back_of_an_active_rollout_goes_back_itself(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The same rollout recovers and ends as rolled back."""
    rollout = await baking(world)

    answer = await client.post(f"/v1/rollouts/{rollout.id}/rollback", json={"reason": "slow"})

    assert answer.json()["id"] == rollout.id
    assert answer.json()["state"] == "recovering"
    assert (await world.turns(rollout.id)).state is State.ROLLED_BACK


async def test_roll_back_of_a_completed_rollout_is_a_rollout_of_its_own(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The way back from what has completed serves the last known good to everyone."""
    await world.installed()
    second = await world.start("1.1.0", document=WITHOUT_APPROVAL)
    await world.run(second.id, until={State.COMPLETED})

    answer = (await client.post("/v1/rollouts/shop/rollback", json={"reason": "regret"})).json()
    ended = await world.run(answer["id"], until={State.ROLLED_BACK})

    assert answer["id"] != second.id
    assert answer["is_return"] is True
    served = world.component.served(ended.plan.placements()[0])
    assert served.baseline is not None
    assert served.baseline.name == "1.0.0"


async def test_approve_lets_the_next_phase_begin(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """One approval of one needed opens the phase; the same person can't give two."""
    await world.installed()
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until=lambda now: now.waiting_on.reason.value == "approval")

    client.headers["tidegate-actor"] = "bob"
    first = await client.post(f"/v1/rollouts/{rollout.id}/approve", json={"comment": "quiet"})
    again = await client.post(f"/v1/rollouts/{rollout.id}/approve", json={})
    moved = await world.run(rollout.id, until={State.BAKING})

    assert [given["by"] for given in first.json()["approvals"]["given"]] == ["bob"]
    assert first.json()["approvals"]["given"][0]["comment"] == "quiet"
    assert (again.status_code, again.json()["code"]) == (409, "refused")
    assert moved.phase_index == 1


async def test_abandon_ends_a_halted_rollout(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """A halted rollout can be given up with a reason; a baking one can't."""
    rollout = await baking(world)

    early = await client.post(f"/v1/rollouts/{rollout.id}/abandon", json={"reason": "no"})
    await client.post(f"/v1/rollouts/{rollout.id}/halt", json={})
    ended = await client.post(f"/v1/rollouts/{rollout.id}/abandon", json={"reason": "no"})

    assert early.status_code == 409
    assert ended.json()["state"] == "abandoned"


async def test_actions_are_what_the_commands_accept(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """What is offered in a state works there: baking, waiting for approval, halted, completed."""
    rollout = await baking(world)
    offered = {}
    offered["baking"] = (await client.get("/v1/rollouts/shop")).json()["actions"]
    await world.run(rollout.id, until=lambda now: now.waiting_on.reason.value == "approval")
    offered["approval"] = (await client.get("/v1/rollouts/shop")).json()["actions"]
    await client.post("/v1/rollouts/shop/halt", json={})
    offered["halted"] = (await client.get("/v1/rollouts/shop")).json()["actions"]

    assert offered["baking"] == ["halt", "approve", "reject", "rollback"]
    assert offered["approval"] == ["halt", "approve", "reject", "rollback"]
    assert offered["halted"] == ["resume", "rollback", "abandon"]


async def test_the_same_key_and_request_is_done_once(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A repeated resume with its key gets the first answer and makes no second attempt."""
    rollout = await baking(world)
    await client.post(f"/v1/rollouts/{rollout.id}/halt", json={})
    path, headers = f"/v1/rollouts/{rollout.id}/resume", {"idempotency-key": "k-1"}

    first = await client.post(path, json={"reason": "again"}, headers=headers)
    second = await client.post(path, json={"reason": "again"}, headers=headers)

    assert second.status_code == first.status_code
    assert second.content == first.content
    assert second.headers["idempotency-replayed"] == "true"
    assert world.rollout(rollout.id).attempt == 2


async def test_equal_requests_at_the_same_time_are_done_once(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Two starts that race under one key make one rollout and give one answer."""
    await world.installed()
    body = {"service": "shop", "change": {"code": "1.1.0"}}

    answers = await asyncio.gather(
        *(
            client.post("/v1/rollouts", json=body, headers={"idempotency-key": "k-2"})
            for _ in range(5)
        )
    )

    assert [one.status_code for one in answers] == [201] * 5
    assert len({one.json()["id"] for one in answers}) == 1


async def test_the_same_key_with_another_request_is_refused(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A key belongs to one request: another path, body or person is refused and not done."""
    rollout = await baking(world)
    headers = {"idempotency-key": "k-3"}
    await client.post(f"/v1/rollouts/{rollout.id}/halt", json={"reason": "a"}, headers=headers)

    other_body = await client.post(
        f"/v1/rollouts/{rollout.id}/halt", json={"reason": "b"}, headers=headers
    )
    other_path = await client.post(
        f"/v1/rollouts/{rollout.id}/resume", json={"reason": "a"}, headers=headers
    )

    assert other_body.status_code == other_path.status_code == 422
    assert world.rollout(rollout.id).state is State.HALTED


async def test_a_refused_command_is_not_remembered(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """What changed nothing may be tried again under its key when it has become possible."""
    rollout = await baking(world)
    path, headers = f"/v1/rollouts/{rollout.id}/resume", {"idempotency-key": "k-4"}
    refused = await client.post(path, json={"reason": "go"}, headers=headers)
    await client.post(f"/v1/rollouts/{rollout.id}/halt", json={})

    done = await client.post(path, json={"reason": "go"}, headers=headers)

    assert (refused.status_code, done.status_code) == (409, 202)


WITHOUT_APPROVAL = """\
version: 1
service: shop
owner: team-shop
workload:
  driver: process
  command: ["./shop", --port, "{port}", --version, "{version}"]
  probe: {http: /healthz}
  traffic: {driver: envoy, listen: "127.0.0.1:18080"}
targets: [{name: eu, environment: lab}]
health:
  signals: [{name: errors, kind: errors}]
prove: {errors: 5pp, min_requests: 100}
plan:
  phases:
    - {name: half, traffic: 50%, bake: 20s}
    - {name: all, traffic: 100%, bake: 20s}
"""
