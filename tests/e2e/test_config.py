"""
Configuration through the same engine: documents, consumers that answer, and their own metrics.

A real server, real files and real scrapes; the consumers run beside the test. Nothing of a proxy is in
here: what is true of code is true of a document by the same decisions.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine
from config_fleet import Fleet
from running_site import FINAL, Server, Site, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.envoy,
    pytest.mark.timeout(600),
]

CONSUMERS = 8

DOCUMENT = """\
version: 1
service: {service}
owner: team-words
components:
  greeting: {{driver: file, path: v1.json, schema: schema.json, dir: consumers}}
targets: [{{name: here, environment: lab}}]
health:
  source: openmetrics
  signals: [{{name: errors, kind: errors, metric: http_requests_total, bad: 'code=~"5.."'}}]
prove: {{errors: 5pp}}
plan:
  phases: [{{name: wave, traffic: [10%, 50%, 100%], bake: 3s, bake_max: 60s}}]
  apply_within: 6s
  quarantine: 60s
"""

SCHEMA = {
    "type": "object",
    "required": ["words"],
    "properties": {"words": {"type": "string"}, "error_share": {"type": "number", "maximum": 1}},
}


@dataclass(frozen=True, slots=True)
class Greeting:
    """A service of one document, with its consumers; version 1 is served."""

    name: str
    folder: Path
    server: Server
    cli: CommandLine
    fleet: Fleet

    def write(self, name: str, **document: object) -> None:
        (self.folder / name).write_text(json.dumps(document), encoding="utf-8")

    def start(self, name: str) -> str:
        said = self.cli("start", "--change", f"greeting={name}", "-o", "name")
        assert said.code == 0, said.err
        return said.out.strip()

    async def rollout(self, rollout_id: str) -> dict[str, Any]:
        return await self.server.get(f"/v1/rollouts/{rollout_id}")

    async def comes_to(self, rollout_id: str, *states: str) -> dict[str, Any]:
        seen: dict[str, Any] = {}

        async def is_there() -> bool:
            seen.update(await self.rollout(rollout_id))
            return seen["state"] in states

        await until(is_there, f"{rollout_id} to be {' or '.join(states)}", within_seconds=90)
        return seen

    async def everyone_serves(self, words: str) -> None:
        await until(
            lambda: len(self.fleet.serving("words", words)) == CONSUMERS,
            f"every consumer to serve {words!r}",
            within_seconds=10,
        )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Server]]:
    """One server for all of these services."""
    site = Site(folder=tmp_path_factory.mktemp("config"))
    try:
        yield site, asyncio.run(site.serve())
    finally:
        asyncio.run(site.close())


@pytest.fixture
async def greeting(engine: tuple[Site, Server], tmp_path: Path) -> AsyncIterator[Greeting]:
    """A service of its own with eight consumers, all of which serve version 1."""
    site, server = engine
    name = f"greeting-{tmp_path.name.replace('_', '-')}"[:60].rstrip("-")
    fleet = Fleet(folder=tmp_path / "consumers")
    cli = CommandLine(state_dir=site.state_dir, cwd=tmp_path)
    made = Greeting(name=name, folder=tmp_path, server=server, cli=cli, fleet=fleet)
    (tmp_path / "tidegate.yaml").write_text(DOCUMENT.format(service=name), encoding="utf-8")
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    made.write("v1.json", words="hello")
    try:
        fleet.start(CONSUMERS)
        await made.comes_to(made.start("v1.json"), "completed")
        yield made
    finally:
        fleet.stop()


async def test_a_document_reaches_more_consumers_as_it_is_proven(greeting: Greeting) -> None:
    """One of eight, then four, then all; whoever has it keeps it, and all answered for it."""
    greeting.write("v2.json", words="good day")
    rollout_id = greeting.start("v2.json")
    cohorts: list[set[str]] = []

    async def is_over() -> bool:
        cohort = greeting.fleet.serving("words", "good day")
        if not cohorts or cohort != cohorts[-1]:
            cohorts.append(cohort)
        return (await greeting.rollout(rollout_id))["state"] in (*FINAL, "halted")

    await until(is_over, "the document to be everywhere")
    await greeting.everyone_serves("good day")

    ended = await greeting.rollout(rollout_id)
    evidence = await greeting.server.get(f"/v1/rollouts/{rollout_id}/evidence")
    assert ended["state"] == "completed", ended["waiting_on"]
    sizes = [len(cohort) for cohort in cohorts]
    assert sizes == sorted(sizes)
    assert {1, 4} <= set(sizes)
    assert all(before <= after for before, after in pairwise(cohorts))
    assert [signal["name"] for signal in evidence["signals"]] == ["errors"]


async def test_a_completed_document_is_taken_back_by_a_command(greeting: Greeting) -> None:
    """Within the quarantine everyone has the document before again, without a bake."""
    greeting.write("v2.json", words="good day")
    rollout_id = greeting.start("v2.json")
    assert (await greeting.comes_to(rollout_id, *FINAL))["state"] == "completed"

    said = greeting.cli("rollback", rollout_id, "--yes", "--reason", "too stiff", "-o", "name")
    ended = await greeting.comes_to(said.out.strip(), *FINAL)

    assert said.code == 0
    assert ended["is_return"]
    assert ended["state"] == "rolled_back"
    await greeting.everyone_serves("hello")


async def test_a_document_that_breaks_its_schema_is_refused_at_the_start(
    greeting: Greeting,
) -> None:
    """The refusal says where; no rollout is recorded and no consumer sees anything."""
    greeting.write("v2.json", words=7)
    before = greeting.cli("status", "-o", "json").json()
    desired = {one.folder: (one.folder / "desired.json").read_text() for one in all_of(greeting)}

    said = greeting.cli("start", "--change", "greeting=v2.json")

    assert said.code == 2
    assert "$.words" in said.err
    assert said.out == ""
    ids = [one["id"] for one in greeting.cli("status", "-o", "json").json()["rollouts"]]
    assert ids == [one["id"] for one in before["rollouts"]]
    assert desired == {folder: (folder / "desired.json").read_text() for folder in desired}


async def test_a_document_that_a_consumer_refuses_goes_no_further(greeting: Greeting) -> None:
    """Accepted isn't applied: its refusal is the reason of the halt, and nobody ever served it."""
    greeting.write("v2.json", words="good day", poison=True)

    rollout_id = greeting.start("v2.json")
    ended = await greeting.comes_to(rollout_id, *FINAL)

    assert ended["state"] == "rolled_back"
    assert ended["halt"]["cause"] == "not_applied"
    assert "it refused the document: the document is poison" in ended["halt"]["because"]
    assert ended["phase"]["number"] == 1
    await greeting.everyone_serves("hello")


async def test_a_harmful_document_is_put_back(greeting: Greeting) -> None:
    """The metrics of its consumers prove the harm; everyone gets the document before again."""
    greeting.write("v2.json", words="good day", error_share=0.4)

    rollout_id = greeting.start("v2.json")
    ended = await greeting.comes_to(rollout_id, *FINAL)

    assert ended["state"] == "rolled_back"
    assert "harm proven: errors," in ended["halt"]["because"]
    assert ended["phase"]["name"] == "wave-10%"
    await greeting.everyone_serves("hello")


async def test_a_consumer_keeps_its_last_good_document(greeting: Greeting) -> None:
    """Torn or forged files change nothing, also when the consumer starts again with one before it."""
    consumer = greeting.fleet.consumers[0]
    good = (consumer.folder / "desired.json").read_text()
    forged = good.replace("hello", "forged").replace('"generation":', '"generation":9')

    (consumer.folder / "desired.json").write_text('{"digest":"sha256:', encoding="utf-8")
    consumer.restart_following()
    served_when_torn = consumer.document
    (consumer.folder / "desired.json").write_text(forged, encoding="utf-8")
    await until(
        lambda: "doesn't match its digest" in (consumer.folder / "applied.json").read_text(),
        "the consumer to refuse what was forged",
    )

    assert served_when_torn == {"words": "hello"}
    assert consumer.document == {"words": "hello"}


def all_of(greeting: Greeting) -> list[Any]:
    return greeting.fleet.consumers
