"""Services over HTTP."""

import httpx

from tidegate.ports.store import ServiceRecord
from tidegate.testing.memory_world import MemoryWorld


async def test_a_service_shows_what_goes_on_and_its_last_known_good(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """After a settled install the version is last known good, and a new rollout is the active one."""
    first = await world.installed()
    second = await world.start("1.1.0")

    listed = (await client.get("/v1/services")).json()["services"]
    detail = (await client.get("/v1/services/shop")).json()

    assert [one["name"] for one in listed] == ["shop"]
    assert listed[0]["active_rollout"] == listed[0]["latest_rollout"] == second.id
    assert detail["owner"] == "team-shop"
    assert detail["targets"] == ["eu"]
    assert [(g["version"]["name"], g["rollout"]) for g in detail["last_known_good"]] == [
        ("1.0.0", first.id)
    ]


async def test_a_document_that_cant_be_read_hides_only_its_own_service(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """One poisoned row doesn't take the list away from the others."""
    await world.installed()
    with world.store.begin() as transaction:
        transaction.put_service(
            ServiceRecord(
                name="poisoned",  # type: ignore[arg-type]
                canonical_json='{"version": 99}',
                digest="sha256:0",
                updated_at=world.clock.now(),
            )
        )

    listed = (await client.get("/v1/services")).json()["services"]

    assert [one["name"] for one in listed] == ["poisoned", "shop"]
    assert listed[0]["problem"]
    assert listed[1]["problem"] is None


async def test_an_unknown_service_is_told(client: httpx.AsyncClient) -> None:
    """A name that nobody has used is a 404 with what to do."""
    answer = await client.get("/v1/services/nothing")

    assert answer.status_code == 404
    assert answer.json()["hint"]


async def test_the_server_says_its_version(client: httpx.AsyncClient) -> None:
    """Clients can tell which server they talk to."""
    body = (await client.get("/v1/version")).json()

    assert body == {"version": "0.1.0", "api": "v1", "lab_allowed": True}
