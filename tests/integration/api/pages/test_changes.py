"""The screen of changes: what stands where, what it was before, what differs, and who sees it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_onlookers import Page, key_holder, logged_in
from two_tenants import EVE, MARK, two_tenants

from tidegate.domain.quantities import Arm, ServiceName
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.drivers.component.file import FileComponent
from tidegate.errors import WorkloadError
from tidegate.ports.store import ServiceRecord
from tidegate.testing.memory_world import MemoryWorld, the_shop
from tidegate.usecases.start import start_rollout

EVIL = "<img src=x onerror=alert(1)>"

GATEWAY = """\
version: 1
service: gateway
owner: team-edge
components:
  rules: {driver: file, dir: /nowhere/members}
targets: [{name: eu-1, environment: lab}]
health:
  source: openmetrics
  signals: [{name: errors, kind: errors}]
prove: {errors: 5pp, min_requests: 100}
plan:
  phases:
    - {name: few, traffic: 10%, bake: 10s}
    - {name: all, traffic: 100%, bake: 20s}
  quarantine: 60s
"""


class Documents:
    """Resolves documents of a folder as the driver of files does, and starts rollouts of them."""

    def __init__(self, world: MemoryWorld, folder: Path) -> None:
        self._world = world
        self._folder = folder
        self.kept = FileComponent(folder / "kept")
        world.component.resolve = self.kept.resolve  # type: ignore[method-assign]
        world.outside = replace(world.outside, contents={"file": self.kept})

    async def start(self, name: str, document: Any) -> Rollout:
        path = self._folder / f"{name}.json"
        path.write_text(json.dumps(document))
        return await start_rollout(
            self._world.outside,
            the_shop(GATEWAY),
            {"rules": str(path)},
            actor="dev-b",
            person="dev-b",
        )

    async def brought(self, name: str, document: Any) -> Rollout:
        rollout = await self.start(name, document)
        return await self._world.run(rollout.id, until=lambda now: now.settled)


@pytest.fixture
def documents(world: MemoryWorld, tmp_path: Path) -> Documents:
    """Return a world that keeps documents."""
    return Documents(world, tmp_path)


async def page(client: httpx.AsyncClient, address: str) -> Page:
    return Page(await client.get(address))


async def test_each_component_is_listed_with_what_stands(world: MemoryWorld) -> None:
    """The version that arrived, what moves it now and how far, by whom; filters are in the address."""
    await world.installed("1.0.0")
    rollout = await world.start("1.1.0", actor="dev-a")
    await world.run(rollout.id, until={State.BAKING})
    client = await key_holder(world)

    found = await page(client, "/changes")

    assert found.is_plain()
    assert "/changes/shop/code" in found.links
    assert "1.0.0" in found.text
    assert "baking 1.1.0 : 10%" in found.text
    assert "by dev-a" in found.text
    assert "/changes/shop/code" in (await page(client, "/changes?kind=code&moving=yes")).links
    assert "/changes/shop/code" not in (await page(client, "/changes?text=other")).links
    assert "No flags are managed here yet" in (await page(client, "/changes?kind=flag")).text


async def test_what_was_taken_back_does_not_stand(world: MemoryWorld) -> None:
    """By record what stands is what came before it."""
    first = await world.installed("1.0.0")
    bad = await world.start("1.1.0")
    await world.run(bad.id, until={State.ROLLED_BACK}, failing={Arm.CANDIDATE: 0.5})
    client = await key_holder(world)

    found = await page(client, "/changes/shop/code")

    where = found.text.partition("Where")[2].partition("History")[0]
    assert "1.0.0" in where
    assert "1.1.0" not in where
    assert first.id in where
    assert "rolled back" in found.text
    assert "no text to compare" in found.text


async def test_versions_of_a_document_are_compared(
    world: MemoryWorld, documents: Documents
) -> None:
    """The newest change by itself, an earlier one by its address, the first one as a whole."""
    first = await documents.brought("rl-7", {"limits": {"rps": 100}, "note": EVIL})
    second = await documents.brought("rl-8", {"limits": {"rps": 120}})
    client = await key_holder(world)

    newest = await page(client, "/changes/gateway/rules")
    whole = await page(client, f"/changes/gateway/rules?diff={first.id}")

    assert newest.is_plain()
    assert "From rl-7.json to rl-8.json" in newest.text
    assert "limits.rps 100 120" in newest.text
    assert f"?diff={second.id}#diff" in newest.links
    assert EVIL in newest.text
    assert "img" not in {tag for tag, _ in newest.tags}
    assert "First version: rl-7.json" in whole.text
    assert '"rps": 100' in whole.text
    assert (await page(client, "/changes/gateway/rules?diff=other")).status == 404


async def test_a_document_that_is_gone_is_said(world: MemoryWorld, documents: Documents) -> None:
    """Never an empty difference: that would look as if nothing had changed."""
    await documents.brought("rl-7", {"a": 1})
    await documents.brought("rl-8", {"a": 2})

    class Lost:
        def text_of(self, digest: str) -> str:
            raise WorkloadError(f"the document {digest} isn't kept here", hint="read it anew")

    world.outside = replace(world.outside, contents={"file": Lost()})
    client = await key_holder(world)

    found = await page(client, "/changes/gateway/rules")

    assert "It can't be shown what differs" in found.text
    assert "The documents are the same" not in found.text


async def test_a_target_that_is_not_seen_is_not_known(world: MemoryWorld) -> None:
    """What is on record stays beside it, and isn't passed off as seen."""
    await world.installed("1.0.0")

    async def away(placement: object) -> Any:
        raise WorkloadError("eu is away", hint="wait")

    world.component.observe = away  # type: ignore[method-assign]
    client = await key_holder(world)

    found = await page(client, "/changes/shop/code")

    assert found.status == 200
    assert "not known : eu is away" in found.text


async def test_a_service_that_can_not_be_read_is_named(world: MemoryWorld) -> None:
    """It hides only its own components, and says so."""
    await world.installed("1.0.0")
    with world.store.begin() as transaction:
        broken = transaction.service(ServiceName("shop"))
        assert broken is not None
        transaction.put_service(
            ServiceRecord(
                name=broken.name,
                canonical_json='{"version":99}',
                digest="sha256:0",
                updated_at=broken.updated_at,
            )
        )
    client = await key_holder(world)

    found = await page(client, "/changes")

    assert found.status == 200
    assert "shop : its stored document can't be read" in found.text
    assert "Nothing is managed here yet" not in found.text


async def test_nothing_yet_says_how_it_begins(world: MemoryWorld) -> None:
    """And what isn't there is missing."""
    client = await key_holder(world)

    assert "Nothing is managed here yet" in (await page(client, "/changes")).text
    assert (await page(client, "/changes/shop/code")).status == 404


async def test_tenants_see_nothing_of_each_other(world: MemoryWorld) -> None:
    """Not in the list, not by name, not by what is said of the missing."""
    await two_tenants(world)
    client = logged_in(world, EVE)

    listed = await page(client, "/changes")
    theirs = await page(client, f"/changes/{MARK}-shop/code")

    assert listed.status == 200
    assert MARK not in listed.text
    assert theirs.status == 404
    assert "code" not in theirs.links
