"""The ledger over HTTP: entries are found, a dump is whole and holds, rows are fit for auditors."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from httpx import ASGITransport, AsyncClient

from tidegate.api.app import create_app
from tidegate.documents.ledger.verify import verify_dump
from tidegate.drivers.signer.file import FileSigner
from tidegate.drivers.witness.memory import MemoryWitness
from tidegate.testing.contracts.store_ledger import an_entry, append
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.ledger_heads import sign_head


@pytest.fixture
def signing(world: MemoryWorld, tmp_path: Path) -> AsyncClient:
    """Return a client of a server that has a key for its ledger."""
    outside = replace(world.outside, signer=FileSigner(tmp_path / "key"))
    app = create_app(outside, token="t", version="0")
    return AsyncClient(
        transport=ASGITransport(app=app),
        base_url="http://127.0.0.1",
        headers={"authorization": "Bearer t"},
    )


async def found(client: httpx.AsyncClient, **asked: object) -> list[int]:
    answer = await client.get("/v1/ledger", params=asked)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return [entry["number"] for entry in answer.json()["entries"]]


async def test_entries_are_found_by_what_they_say(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """By every field, several at once, newest first and page by page."""
    rollout = await world.installed()
    await client.post("/v1/stops", json={"scope": "everything", "reason": "INC-431"})
    every = await found(client)

    answer = (await client.get("/v1/ledger", params={"limit": 2})).json()
    next_page = await found(client, before=answer["next_before"], limit=2)

    assert every == sorted(every, reverse=True)
    assert await found(client, rule="give-stop-order", actor="alice") == [every[0]]
    assert await found(client, service="shop", rollout=rollout.id, kind="decision") != []
    assert await found(client, service="other") == []
    assert await found(client, until="2000-01-01T00:00:00Z") == []
    assert [one["number"] for one in answer["entries"]] + next_page == every[:4]
    assert "SHOP_PASSWORD" not in json.dumps((await client.get("/v1/ledger")).json())


async def test_a_dump_is_signed_to_its_end_and_tells_no_settings(
    signing: AsyncClient, world: MemoryWorld
) -> None:
    """Whatever happened a moment ago is covered; what decisions were made from isn't handed out."""
    await world.installed()

    answer = await signing.get("/v1/ledger/export")
    heads = (await signing.get("/v1/ledger/heads")).json()

    verified = verify_dump(
        answer.content.splitlines(keepends=True), trusted=[heads["keys"][0]["public"]]
    )
    assert answer.headers["content-type"].startswith("application/jsonl")
    assert verified.holds
    assert verified.entries == heads["entries"] == heads["heads"][0]["entries"] > 5
    assert b"a-secret-of-the-shop" not in answer.content


async def test_a_server_without_a_key_says_that_nothing_is_signed(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Its dump doesn't hold: nobody could tell whether its end is there."""
    await world.installed()

    answer = await client.get("/v1/ledger/export")

    (finding,) = verify_dump(answer.content.splitlines(keepends=True)).findings
    assert finding.wrong.value == "unsigned"


async def test_rows_for_auditors_are_whole_and_harmless(
    signing: AsyncClient, world: MemoryWorld
) -> None:
    """Each entry is a row with every column; a cell that a spreadsheet would run is shown."""
    append(
        world.store,
        replace(
            an_entry('=HYPERLINK("http://x","y"), then\nmore'),
            actor="ci",
            details_json='{"person": "bob"}',
        ),
        an_entry("second"),
    )

    answer = await signing.get("/v1/ledger/export", params={"format": "csv"})
    as_json = (await signing.get("/v1/ledger/export", params={"format": "json"})).json()
    none = await signing.get("/v1/ledger/export", params={"format": "csv", "service": "other"})

    first, second = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert answer.headers["content-type"].startswith("text/csv")
    assert first["reason"] == '\'=HYPERLINK("http://x","y"), then\nmore'
    assert (first["actor"], first["on_behalf_of"], first["number"]) == ("ci", "bob", "1")
    assert second["before"] == "baking"
    assert len(second["evidence_sha256"]) == len(second["hash"]) == 64
    assert [row["reason"] for row in as_json] == [first["reason"][1:], "second"]
    assert len(none.text.splitlines()) == 1


async def test_witnesses_are_listed_with_what_they_lack(world: MemoryWorld, tmp_path: Path) -> None:
    """One that was never told anything is listed too: it is what nobody would miss otherwise."""
    signer = FileSigner(tmp_path / "key")
    outside = replace(world.outside, signer=signer, witnesses=(MemoryWitness("w"),))
    append(world.store, an_entry())
    sign_head(outside, signer)
    app = create_app(outside, token="t", version="0")
    async with AsyncClient(
        transport=ASGITransport(app=app),
        base_url="http://127.0.0.1",
        headers={"authorization": "Bearer t"},
    ) as client:
        (listed,) = (await client.get("/v1/ledger/witnesses")).json()["witnesses"]

    assert (listed["name"], listed["head"], listed["heads_behind"]) == ("w", 0, 1)


@pytest.mark.parametrize(
    "path", ["/v1/ledger", "/v1/ledger/export", "/v1/ledger/heads", "/v1/ledger/witnesses"]
)
async def test_the_ledger_needs_a_permission_of_its_own(world: MemoryWorld, path: str) -> None:
    """Reading rollouts isn't reading everything that ever happened."""
    document = create_app(world.outside, token="t", version="0").openapi()

    assert document["paths"][path]["get"]["x-permission"] == "ledger.read"
