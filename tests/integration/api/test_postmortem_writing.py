"""Writing into a postmortem through the API: what is taken, what is refused, and who reads what."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from two_tenants import EVE, MARK, ROOT, two_tenants

from tidegate.domain.rollout.machine import State
from tidegate.errors import NotFoundError
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.bus import perform
from tidegate.usecases.postmortem_commands import AddFactor
from tidegate.usecases.reading import find_rollout
from tidegate.usecases.rollout_commands import HaltRollout

POLICY = "version: 1\norganisation: default\npeople: {kim: {accounts: [kim-admin]}}\n"


async def looked_at(client: httpx.AsyncClient, world: MemoryWorld) -> str:
    """Return where the postmortem of a rollout is that alice started and bob halted."""
    await world.installed()
    rollout = await world.start("1.1.0", actor="alice")
    await world.run(rollout.id, until={State.BAKING})
    halted = await client.post(
        f"/v1/rollouts/{rollout.id}/halt",
        json={"reason": "looks wrong"},
        headers={"tidegate-actor": "bob"},
    )
    assert halted.status_code == 202
    return f"/v1/rollouts/{rollout.id}/postmortem"


async def send(client: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_what_is_written_is_read_in_its_order(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """With who wrote it and when, who changed it, and what is left of what was removed."""
    path = await looked_at(client, world)
    due = (world.clock.now() + timedelta(days=7)).date().isoformat()

    for text in ("first", "second", "third"):
        await send(client, f"{path}/factors", text=text)
    await send(client, f"{path}/actions", text="read it again", owner="team-shop", due=due)
    client.headers["tidegate-actor"] = "bea"
    await send(client, f"{path}/factors/f-1/change", text="first of all", version=1)
    removed = await send(client, f"{path}/factors/f-2/remove", version=1)
    done = await send(client, f"{path}/actions/a-1/done", version=1)
    found = (await client.get(path)).json()

    assert removed["text"] == "second"
    assert (done["is_done"], done["done_by"], done["version"]) == (True, "bea", 2)
    assert [(one["id"], one["text"], one["by"], one["changed_by"]) for one in found["factors"]] == [
        ("f-1", "first of all", "alice", "bea"),
        ("f-3", "third", "alice", None),
    ]
    [action] = found["actions"]
    assert (action["owner"], action["due"], action["is_overdue"]) == ("team-shop", due, False)
    assert (await send(client, f"{path}/actions/a-1/reopen", version=2))["done_at"] is None


async def test_whoever_was_slower_is_told_which_version_there_is(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """409, worth trying again after a look, and nothing is changed."""
    path = await looked_at(client, world)
    await send(client, f"{path}/factors", text="first")
    await send(client, f"{path}/factors/f-1/change", text="quicker", version=1)

    late = await client.post(f"{path}/factors/f-1/change", json={"text": "slower", "version": 1})

    assert (late.status_code, late.json()["code"]) == (409, "state.moved")
    assert late.json()["detail"] == "factor f-1 is at version 2; you saw version 1"
    assert [one["text"] for one in (await client.get(path)).json()["factors"]] == ["quicker"]


@pytest.mark.parametrize(
    ("where", "body", "status"),
    [
        ("factors", {"text": ""}, 422),
        ("factors", {"text": "x" * 1_001}, 422),
        ("factors", {"text": "a\u0000b"}, 422),
        ("factors", {"text": "a", "by": "somebody"}, 422),
        ("factors/f-1/change", {"text": "a"}, 422),
        ("factors/f-1/change", {"text": "a", "version": 0}, 422),
        ("factors/f-9/change", {"text": "a", "version": 1}, 404),
        ("factors/a-1/remove", {"version": 1}, 404),
        ("actions", {"text": "a", "owner": "x"}, 422),
        ("actions", {"text": "a", "owner": "x", "due": "2001-01-01"}, 422),
        ("actions", {"text": "a", "owner": "x", "due": "soon"}, 422),
        ("actions", {"text": "a", "owner": " ", "due": "2026-12-01"}, 422),
        ("actions/a-1/reopen", {"version": 1}, 409),
    ],
)
async def test_what_cannot_be_written_is_refused(
    client: httpx.AsyncClient, world: MemoryWorld, where: str, body: dict[str, Any], status: int
) -> None:
    """In words, with nothing changed."""
    path = await looked_at(client, world)
    due = world.clock.now().date().isoformat()
    await send(client, f"{path}/factors", text="first")
    await send(client, f"{path}/actions", text="read it again", owner="team-shop", due=due)
    before = (await client.get(path)).json()

    answer = await client.post(f"{path}/{where}", json=body)

    assert answer.status_code == status, answer.text
    assert {**(await client.get(path)).json(), "as_of": ""} == {**before, "as_of": ""}


async def test_names_are_roles_and_blame_is_counted(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Of who acted and of whom the policy knows; written by and owner keep their names."""
    path = await looked_at(client, world)
    applied = await client.post("/v1/policy", json={"text": POLICY, "at": "", "reason": "people"})
    assert applied.status_code in (200, 201), applied.text
    before = (await client.get(path)).json()["findings"]
    due = world.clock.now().date().isoformat()

    factor = await send(client, f"{path}/factors", text="alice and bob forgot to ask kim-admin")
    action = await send(client, f"{path}/actions", text="ask bob", owner="bob", due=due)
    draft = (await client.get(path)).json()

    assert factor["text"] == "the proposer and person 1 forgot to ask kim-admin"
    assert [one["wording"] for one in factor["findings"]] == [
        "forgot to", "the proposer", "person 1", "kim-admin",
    ]  # fmt: skip
    assert (action["text"], action["owner"], action["by"]) == ("ask person 1", "bob", "alice")
    assert draft["findings"] == before + 5
    assert draft["factors"][0]["findings"] == factor["findings"]


async def test_a_suggestion_is_taken_over_once(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A person stopped this one, so the draft suggests to look for a signal; until somebody does."""
    path = await looked_at(client, world)
    [suggested] = (await client.get(path)).json()["suggested_factors"]

    body = {"text": suggested["text"], "suggestion": suggested["key"]}
    await send(client, f"{path}/factors", **body)
    twice = await client.post(f"{path}/factors", json=body)
    after = (await client.get(path)).json()

    assert (twice.status_code, twice.json()["code"]) == (409, "state.moved")
    assert after["suggested_factors"] == []
    assert [one["key"] for one in after["suggested_actions"]] == [suggested["key"]]


async def test_a_repeated_request_writes_once(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """With the same key it is answered again."""
    path = await looked_at(client, world)
    key = {"idempotency-key": "k-1"}

    first = await client.post(f"{path}/factors", json={"text": "first"}, headers=key)
    again = await client.post(f"{path}/factors", json={"text": "first"}, headers=key)

    assert (first.json(), again.headers["idempotency-replayed"]) == (again.json(), "true")
    assert len((await client.get(path)).json()["factors"]) == 1


async def test_another_organisation_finds_no_postmortem(world: MemoryWorld) -> None:
    """Neither to read nor to write into, by whatever name; also when something is written there."""
    acme = await two_tenants(world)
    await perform(world.outside, ROOT, HaltRollout(rollout=acme.rollout.id, reason="x"))
    await perform(world.outside, ROOT, AddFactor(rollout=acme.rollout.id, text=f"{MARK} list"))

    for name in (acme.rollout.id, f"{MARK}-shop"):
        with pytest.raises(NotFoundError):
            await perform(world.outside, EVE, AddFactor(rollout=name, text="x"))
        with pytest.raises(NotFoundError):
            find_rollout(world.outside, EVE, name)
