"""Gates over HTTP: what is submitted counts for one change alone, and is looked at at once."""

import base64
import gzip
import json
from typing import Any

import httpx
import pytest

from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.rollout.machine import State
from tidegate.ports.gate import GateAnswer, GateQuestion
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases.gate_commands import LARGEST_DOCUMENT, MOST_DOCUMENTS
from tidegate.usecases.gate_records import CONTENTS

GATED = DOCUMENT.replace(", approve: 1 of team-release", "") + (
    "gates: {before_start: [{backup: 24h}], before_phase: [{mirror: {phases: [half]}}]}\n"
)
CHANGE = {"code": "2.0.0"}


class SaysWhatItIsTold:
    """A gate whose documents say `green` or anything else."""

    async def check(self, question: GateQuestion) -> GateAnswer:
        """Return green if the newest document says so."""
        if not question.documents:
            return GateAnswer(verdict=GateVerdict.UNKNOWN, because="nothing was submitted")
        newest = question.documents[-1]
        green = newest.content == b"green"
        return GateAnswer(
            verdict=GateVerdict.GREEN if green else GateVerdict.RED,
            because=f"{newest.name} says {newest.content[:20].decode()}",
            facts=(("documents", str(len(question.documents))),),
            documents=(newest.id,),
        )


@pytest.fixture
async def gated(world: MemoryWorld) -> MemoryWorld:
    """Return a world whose gates read documents, with the shop installed and 2.0.0 waiting."""
    world.gates.update(dict.fromkeys(("backup", "mirror"), SaysWhatItIsTold()))
    await world.installed()
    rollout = await world.start("2.0.0", document=GATED)
    await world.turns(rollout.id)
    return world


async def submit(
    client: httpx.AsyncClient, gate: str = "backup", *, says: str = "green", **said: Any
) -> httpx.Response:
    body = {
        "change": CHANGE,
        "name": "report.json",
        "content": base64.b64encode(says.encode()).decode(),
        **said,
    }
    return await client.post(f"/v1/services/shop/evidence/{gate}", json=body)


async def gates(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/v1/rollouts/shop/gates")
    assert answer.status_code == 200, answer.text
    return {gate["name"]: gate for gate in answer.json()["gates"]}


async def test_a_document_opens_the_gate_that_it_is_for(
    client: httpx.AsyncClient, gated: MemoryWorld
) -> None:
    """It is kept by its digest, told in the ledger, and the rollout is looked at at once."""
    before = await gates(client)
    waiting = (await client.get("/v1/rollouts/shop")).json()["id"]
    gated.woken.clear()

    answer = await submit(client)

    assert answer.status_code == 201, answer.text
    given = answer.json()
    assert (given["is_asked_for"], given["rollouts"]) == (True, [waiting])
    assert gated.woken == [waiting]
    assert before["backup"]["state"] == "unknown"
    assert before["backup"]["what_to_do"] == (
        "tidegate gate submit shop backup FILE --change code=2.0.0"
    )
    after = await gated.run(gated.rollout(waiting).id, until=[State.BAKING])
    assert after.state is State.BAKING
    shown = (await gates(client))["backup"]
    assert (shown["state"], shown["in_question"]) == ("green", False)
    assert shown["documents"][0]["submitted_by"] == "alice"
    with gated.store.begin(read_only=True) as transaction:
        entries = transaction.ledger()
        kept = CONTENTS.get(transaction, given["document"]["digest"])
    (told,) = [entry for entry in entries if entry.rule == "submit-evidence"]
    assert json.loads(told.details_json or "")["document"] == given["document"]["digest"]
    assert kept is not None and base64.b64decode(kept.base64) == b"green"


async def test_a_document_about_another_version_opens_nothing(
    client: httpx.AsyncClient, gated: MemoryWorld
) -> None:
    """Results of one artifact can't speak for another, whatever the gate."""
    answer = await submit(client, change={"code": "1.9.0"})
    await gated.turn()

    assert (answer.status_code, answer.json()["rollouts"]) == (201, [])
    assert (await gates(client))["backup"]["state"] == "unknown"


async def test_what_is_red_can_be_mended_by_a_later_document(
    client: httpx.AsyncClient, gated: MemoryWorld
) -> None:
    """The newest counts where a gate takes one; all are on file."""
    await submit(client, says="broken")
    await gated.turn()
    red = (await gates(client))["backup"]

    await submit(client)
    await gated.turn()

    assert (red["state"], red["because"]) == ("red", "report.json says broken")
    assert red["what_to_do"].startswith("mend what it says, then: tidegate gate check ")
    green = (await gates(client))["backup"]
    assert (green["state"], green["facts"]) == ("green", {"documents": "2"})
    listed = (await client.get("/v1/services/shop/evidence/backup")).json()
    assert [len(one["documents"]) for one in listed["changes"]] == [2]


async def test_the_change_that_moves_now_is_meant_when_none_is_named(
    client: httpx.AsyncClient, gated: MemoryWorld
) -> None:
    """Nobody has to copy versions by hand."""
    answer = await submit(client, change={})

    assert answer.json()["change"]["code"]["to"] == "2.0.0"
    assert answer.json()["rollouts"]


async def test_why_tells_of_every_gate(client: httpx.AsyncClient, gated: MemoryWorld) -> None:
    """State, reason, what to do; those of later phases too."""
    told = (await client.get("/v1/rollouts/shop/why")).json()

    assert [(gate["name"], gate["in_question"]) for gate in told["gates"]] == [
        ("backup", True),
        ("mirror", False),
    ]
    assert told["rollout"]["waiting_on"]["reason_code"] == "gate"
    assert "backup is unknown: nothing was submitted" in told["rollout"]["waiting_on"]["detail"]


async def test_gates_are_asked_again_when_somebody_wishes(
    client: httpx.AsyncClient, gated: MemoryWorld
) -> None:
    """An answer of now comes also when it is the same, so that whoever asked sees it."""
    before = (await gates(client))["backup"]["measured_at"]
    gated.clock.advance(gated.rollout(await rollout_id(client)).plan.tick)

    answer = await client.post("/v1/rollouts/shop/gates/check", json={})
    await gated.turn()

    assert (answer.status_code, answer.json()["all_green"]) == (202, False)
    assert (await gates(client))["backup"]["measured_at"] > before


async def rollout_id(client: httpx.AsyncClient) -> Any:
    return (await client.get("/v1/rollouts/shop")).json()["id"]


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ({"content": "%%%"}, 422, "isn't base64"),
        ({"content": base64.b64encode(b"plain").decode(), "packed": True}, 422, "isn't gzip"),
        (
            {"content": base64.b64encode(gzip.compress(b"x" * 999)[:-9]).decode(), "packed": True},
            422,
            "ends in the middle",
        ),
        (
            {
                "content": base64.b64encode(gzip.compress(b"0" * (LARGEST_DOCUMENT + 1))).decode(),
                "packed": True,
            },
            422,
            "a document has 1 to",
        ),
        ({"content": base64.b64encode(gzip.compress(b"")).decode(), "packed": True}, 422, "got 0"),
        ({"name": "a\nb"}, 422, "printable"),
        ({"change": {"database": "1"}}, 422, "no component"),
        ({"gate": "Up/And"}, 422, ""),
    ],
)
async def test_what_can_t_be_a_document_is_refused(
    client: httpx.AsyncClient,
    gated: MemoryWorld,
    said: dict[str, Any],
    status: int,
    words: str,
) -> None:
    """And nothing is kept of it."""
    gate = said.pop("gate", "backup").replace("/", "_")

    answer = await submit(client, gate, **said)

    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    with gated.store.begin(read_only=True) as transaction:
        assert not [entry for entry in transaction.ledger() if entry.rule == "submit-evidence"]


async def test_a_largest_document_fits(client: httpx.AsyncClient, gated: MemoryWorld) -> None:
    """Packed, it passes through a body that is no larger than others."""
    content = gzip.compress(b"green".ljust(LARGEST_DOCUMENT))

    answer = await submit(client, content=base64.b64encode(content).decode(), packed=True)

    assert (answer.status_code, answer.json()["document"]["size"]) == (201, LARGEST_DOCUMENT)


async def test_a_gate_takes_so_many_documents_and_no_more(
    client: httpx.AsyncClient, gated: MemoryWorld
) -> None:
    """The same bytes again are the same document and always fit."""
    for number in range(MOST_DOCUMENTS):
        assert (await submit(client, says=f"part {number}")).status_code == 201

    assert (await submit(client, says="part 0")).status_code == 201
    refused = await submit(client, says="one more")

    assert (refused.status_code, refused.json()["code"]) == (409, "refused")


@pytest.mark.parametrize("path", ["/v1/services/nobody/evidence/backup", "/v1/rollouts/x/gates"])
async def test_what_isn_t_there_has_no_gates(
    client: httpx.AsyncClient, gated: MemoryWorld, path: str
) -> None:
    """As everywhere: not found, with what there is instead."""
    assert (await client.get(path)).status_code == 404


async def test_a_gate_that_nobody_asks_for_is_told(
    client: httpx.AsyncClient, gated: MemoryWorld
) -> None:
    """A slip in the name would otherwise be waited for in vain."""
    answer = await submit(client, "bakcup")

    assert (answer.status_code, answer.json()["is_asked_for"]) == (201, False)
