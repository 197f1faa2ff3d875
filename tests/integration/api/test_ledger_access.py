"""Who reads how much of the ledger, with tokens of their own."""

import httpx
import pytest

from tidegate.testing.memory_world import MemoryWorld

PATHS = ["/v1/ledger", "/v1/ledger/export", "/v1/ledger/heads", "/v1/ledger/witnesses"]


async def a_reader(
    client: httpx.AsyncClient, role: str, *, organisation: str = "default"
) -> dict[str, str]:
    """Return the headers of bob, who has *role* in *organisation*."""
    said = {"subject": "person:bob", "role": role, "scope": organisation, "reason": "new here"}
    given = await client.post("/v1/access/grants", json=said)
    assert given.status_code == 201, given.text
    token = await client.post(
        "/v1/tokens",
        json={
            "purpose": "a test",
            "allows": ["read", "ledger.read"],
            "holder": "bob",
            "kind": "person",
            "organisation": organisation,
        },
    )
    assert token.status_code == 201, token.text
    return {"authorization": f"Bearer {token.json()['secret']}", "tidegate-actor": "bob"}


@pytest.mark.parametrize("path", PATHS)
async def test_an_auditor_reads_it_and_an_operator_does_not(
    client: httpx.AsyncClient, world: MemoryWorld, path: str
) -> None:
    """Reading rollouts, even running them, isn't reading everything that ever happened."""
    await world.installed()

    operator = await a_reader(client, "operator")
    refused = await client.get(path, headers=operator)
    auditor = await a_reader(client, "auditor")
    allowed = await client.get(path, headers=auditor)

    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert allowed.status_code == 200, allowed.text


async def test_another_organisation_sees_nothing_of_this_one(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Its auditor is told to name a service, and finds none of another organisation's."""
    await world.installed()
    foreign = await a_reader(client, "auditor", organisation="other")

    whole = [await client.get(path, headers=foreign) for path in PATHS[:2]]
    rows = await client.get("/v1/ledger/export?format=csv", headers=foreign)
    named = await client.get("/v1/ledger?service=shop", headers=foreign)
    unknown = await client.get("/v1/ledger?service=nothing", headers=foreign)
    heads = await client.get("/v1/ledger/heads", headers=foreign)
    root = await client.get("/v1/ledger")

    assert [answer.status_code for answer in (*whole, rows)] == [403, 403, 403]
    assert named.status_code == 404
    assert unknown.json()["entries"] == []
    assert heads.status_code == root.status_code == 200


async def test_the_auditor_of_one_organisation_among_others_names_a_service(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The whole is refused as soon as anybody else has anything here."""
    await world.installed()
    mine = await a_reader(client, "auditor")
    alone = await client.get("/v1/ledger", headers=mine)
    said = {"subject": "person:carol", "role": "viewer", "scope": "other", "reason": "new"}
    await client.post("/v1/access/grants", json=said)

    whole = await client.get("/v1/ledger", headers=mine)
    named = await client.get("/v1/ledger?service=shop", headers=mine)

    assert (alone.status_code, whole.status_code, named.status_code) == (200, 403, 200)
    assert {entry["service"] for entry in named.json()["entries"]} == {"shop"}
