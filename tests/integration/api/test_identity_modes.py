"""Verified names: what the server's own token still does, and when a person has to prove it again."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tidegate.api.app import create_app
from tidegate.api.tokens import page_key
from tidegate.domain.access.proof import IdentityMode
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode, Rollout
from tidegate.drivers.identity.memory import MemoryIdentity
from tidegate.ports.identity import Vouched, challenge_of
from tidegate.testing.memory_world import MemoryWorld

URL = "http://127.0.0.1:7180"
ROOT = {"authorization": "Bearer a-token-for-tests"}
VERIFIER = "v" * 64


@pytest.fixture
async def verified(world: MemoryWorld) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a server that verifies names and has an identity provider."""
    world.outside = replace(
        world.outside, identity=MemoryIdentity(), identity_mode=IdentityMode.VERIFIED
    )
    app = create_app(world.outside, token="a-token-for-tests", version="0")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        yield client


async def logged_in(
    client: httpx.AsyncClient, world: MemoryWorld, name: str = "alice", **grants: Any
) -> dict[str, str]:
    """Log somebody in who has just proved who they are; return what their requests carry."""
    provider = world.outside.identity
    assert isinstance(provider, MemoryIdentity)
    body = {
        "redirect_uri": "http://127.0.0.1:49152/callback",
        "challenge": challenge_of(VERIFIER),
        "again": True,
    }
    begun = (await client.post("/v1/login/begin", json=body)).json()
    person = Vouched(
        issuer="https://provider.example",
        person=f"sub-of-{name}",
        name=name,
        groups=("team-release",),
        authenticated_at=world.clock.now(),
    )
    code = provider.log_in(begun["address"], person)
    finish = {"state": begun["state"], "code": code, "verifier": VERIFIER}
    done = await client.post("/v1/login/finish", json=finish)
    assert done.status_code == 201, done.text
    return {"authorization": f"Bearer {done.json()['secret']}"}


async def grant(client: httpx.AsyncClient, subject: str, role: str) -> None:
    body = {"subject": subject, "role": role, "scope": "default/default/lab", "reason": "a test"}
    answer = await client.post("/v1/access/grants", json=body, headers=ROOT)
    assert answer.status_code == 201, answer.text


async def awaiting_approval(world: MemoryWorld) -> Rollout:
    await world.installed()
    rollout = await world.start("1.1.0")
    return await world.run(
        rollout.id, until=lambda now: now.waiting_on.reason is ReasonCode.APPROVAL
    )


async def test_the_servers_own_token_claims_no_name(verified: httpx.AsyncClient) -> None:
    """It acts as root, whatever the header says, and stands for no person."""
    known = await verified.get("/v1/whoami", headers={**ROOT, "tidegate-actor": "alice"})

    assert known.status_code == 200
    assert (known.json()["name"], known.json()["person"]) == ("root", None)
    assert known.json()["allows"] == ["access.grant", "alarm", "halt", "read", "token.issue"]


async def test_the_servers_own_token_stops_and_raises_nothing(
    verified: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Break glass: halt, read, let people in. It starts, approves, resumes and edits nothing."""
    rollout = await awaiting_approval(world)
    path = f"/v1/rollouts/{rollout.id}"

    refused = [
        await verified.post(f"{path}/{verb}", json={"reason": "x"}, headers=ROOT)
        for verb in ("approve", "resume", "rollback", "abandon")
    ]
    read = await verified.get(path, headers=ROOT)
    stop = await verified.post("/v1/stops", json={"scope": "everything"}, headers=ROOT)
    lift = await verified.post("/v1/stops/1/lift", json={"reason": "x"}, headers=ROOT)
    halted = await verified.post(f"{path}/halt", json={}, headers=ROOT)

    assert [one.status_code for one in refused] == [403] * 4
    assert (read.status_code, stop.status_code, halted.status_code) == (200, 201, 202)
    assert stop.json()["order"]["by"] == "root"
    assert lift.status_code == 403
    assert world.rollout(rollout.id).state is State.HALTED


async def test_an_approval_takes_a_proof_of_minutes_ago(
    verified: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """After five minutes it's asked for, and given again it's enough. Halting never asks."""
    await grant(verified, "person:alice", "approver")
    await grant(verified, "person:alice", "operator")
    alice = await logged_in(verified, world)
    rollout = await awaiting_approval(world)
    path = f"/v1/rollouts/{rollout.id}"
    world.clock.advance(timedelta(minutes=5, seconds=1))

    late = await verified.post(f"{path}/approve", json={"reason": "x"}, headers=alice)
    again = await logged_in(verified, world)
    fresh = await verified.post(f"{path}/approve", json={"reason": "x"}, headers=again)
    world.clock.advance(timedelta(hours=1))
    halted = await verified.post(f"{path}/halt", json={}, headers=again)
    resumed = await verified.post(f"{path}/resume", json={"reason": "x"}, headers=again)

    assert (late.status_code, late.json()["code"]) == (403, "step_up_required")
    assert "tidegate auth login --again" in late.json()["hint"]
    assert fresh.status_code == 202, fresh.text
    assert halted.status_code == 202
    assert (resumed.status_code, resumed.json()["code"]) == (403, "step_up_required")


async def test_what_is_not_granted_is_refused_before_a_proof_is_asked_for(
    verified: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Nobody is sent to log in for something that they may not do anyway."""
    await grant(verified, "person:alice", "viewer")
    alice = await logged_in(verified, world)
    rollout = await awaiting_approval(world)
    world.clock.advance(timedelta(hours=1))

    answer = await verified.post(
        f"/v1/rollouts/{rollout.id}/approve", json={"reason": "x"}, headers=alice
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_a_token_does_not_approve_where_people_log_in(
    verified: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """One that was copied would be a second pair of eyes."""
    await grant(verified, "person:bob", "approver")
    body = {"purpose": "x", "holder": "bob", "allows": ["read", "approve", "halt"]}
    token = (await verified.post("/v1/tokens", json=body, headers=ROOT)).json()["secret"]
    bob = {"authorization": f"Bearer {token}"}
    rollout = await awaiting_approval(world)
    path = f"/v1/rollouts/{rollout.id}"

    approved = await verified.post(f"{path}/approve", json={"reason": "x"}, headers=bob)
    halted = await verified.post(f"{path}/halt", json={}, headers=bob)

    assert (approved.status_code, approved.json()["code"]) == (403, "step_up_required")
    assert halted.status_code == 202


async def test_the_page_key_opens_nothing_where_names_are_verified(
    verified: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Nobody in particular sees the pages: they ask for a login."""
    key = page_key("a-token-for-tests")

    by_link = await verified.get("/", params={"token": key})
    by_cookie = await verified.get("/", headers={"cookie": f"tidegate_pages_7180={key}"})

    assert (by_link.status_code, by_cookie.status_code) == (401, 401)
    assert "/login" in by_link.text
