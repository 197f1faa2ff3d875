"""The screens of the administration: what is configured and how it is, who sees it, what can be ended."""

import re
from dataclasses import replace
from typing import Any

import httpx
import pytest
from page_onlookers import Page, browser, key_holder, logged_in
from two_tenants import ANN, EVE, MARK, a_person, file_grant, two_tenants

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.access.permissions import Permission
from tidegate.domain.rollout.machine import State
from tidegate.errors import StoreError, WorkloadError
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases.bus import perform
from tidegate.usecases.token_commands import IssueToken
from tidegate.usecases.tokens import API_TOKENS, digest_of, id_of

SRE = Caller(name="sre-a", kind=CallerKind.PERSON, person="sre-a", is_root=True)
PARTS = ("", "/targets", "/signals", "/gates", "/access", "/tokens")
GATED = DOCUMENT + "gates: {before_start: [blockers]}\n"


async def page(client: httpx.AsyncClient, part: str) -> Page:
    return Page(await client.get(f"/admin{part}"))


async def send(client: httpx.AsyncClient, part: str, address: str) -> httpx.Response:
    """Send the form of *address* as a browser that read the page of *part* would."""
    shown = await client.get(f"/admin{part}")
    seal = re.search(r'name="seal" value="([^"]*)"', shown.text)
    fields = {"reason": "lost", "seal": seal[1] if seal else "", "key": "k-1"}
    return await client.post(address, data=fields, headers={"tidegate-script": "1"})


@pytest.mark.parametrize("part", PARTS)
async def test_each_part_is_plain_full_and_empty(world: MemoryWorld, part: str) -> None:
    """With nothing on the server it says so; with something it is a page like the others."""
    client = await key_holder(world)
    empty = await page(client, part)
    await world.start("1.0.0", document=GATED)

    full = await page(client, part)

    assert empty.status == full.status == 200
    assert empty.is_plain()
    assert full.is_plain()
    assert full.text != empty.text or part in ("", "/access", "/tokens")
    assert "a-secret-of-the-shop" not in full.text


@pytest.mark.parametrize("part", PARTS)
async def test_strangers_see_nothing(world: MemoryWorld, part: str) -> None:
    """Without the key and without a login."""
    assert (await page(browser(world), part)).status == 401


async def test_a_target_that_does_not_answer_is_said(world: MemoryWorld) -> None:
    """With what was wrong, beside the driver that moves it."""
    await world.installed()
    client = await key_holder(world)
    before = await page(client, "/targets")

    async def away(placement: object) -> Any:
        raise WorkloadError("eu is away", hint="wait")

    world.component.observe = away  # type: ignore[method-assign]
    after = await page(client, "/targets")

    assert "answered , generation" in before.text
    assert "no answer : eu is away" in after.text


async def test_signals_that_nobody_watches_are_unknown(world: MemoryWorld) -> None:
    """And while a rollout bakes they say what it measured."""
    await world.installed()
    client = await key_holder(world)
    idle = await page(client, "/signals")
    rollout = await world.start("1.1.0")
    await world.run(rollout.id, until=lambda now: now.state is State.WAITING and now.passes != ())

    watched = await page(client, "/signals")

    assert "unknown : no rollout is under way to compare anything" in idle.text
    assert "errors ✓︎ healthy" in watched.text


async def test_a_gate_without_a_driver_and_an_answer_is_not_green(world: MemoryWorld) -> None:
    """It says that this server can't ask it, and that nothing was ever answered."""
    rollout = await world.start("1.0.0", document=GATED)
    client = await key_holder(world)

    found = await page(client, "/gates")

    assert "this server has no such gate: it stays unknown" in found.text
    assert "never answered" in found.text
    assert f"/rollouts/{rollout.id}" in found.links
    assert "green" not in found.text


async def test_a_token_is_taken_back_by_who_may(world: MemoryWorld) -> None:
    """Its page shows no secret; afterwards it opens nothing, and the ledger says who and why."""
    await two_tenants(world)
    client = logged_in(world, ANN)
    issued = await perform(
        world.outside, ANN, IssueToken(purpose="a laptop", granted=(Permission.READ,))
    )
    listed = await page(client, "/tokens")

    answer = await send(client, "/tokens", f"/admin/tokens/{issued.token.id}/revoke")

    assert f"/admin/tokens/{issued.token.id}/revoke" in listed.forms
    assert issued.secret not in listed.text
    assert answer.status_code == 200, answer.text
    with world.store.begin() as transaction:
        kept = API_TOKENS.get(transaction, issued.token.id)
        entry = transaction.latest_entry()
    assert kept is not None
    assert kept.is_revoked
    assert entry is not None
    assert (entry.rule, entry.actor, entry.because) == ("revoke-token", ANN.name, "lost")


async def test_a_session_is_ended_by_who_may(world: MemoryWorld) -> None:
    """The next request with it is refused."""
    await two_tenants(world)
    mine, other = logged_in(world, ANN), logged_in(world, ANN)
    secret = other.headers["cookie"].partition("=")[2]
    before = await page(other, "")

    answer = await send(mine, "/tokens", f"/admin/sessions/{id_of(digest_of(secret))}/end")

    assert before.status == 200
    assert answer.status_code == 200, answer.text
    assert (await page(other, "")).status == 401
    assert (await page(mine, "")).status == 200


async def test_a_viewer_sees_their_own_tokens_and_no_button(world: MemoryWorld) -> None:
    """And what they would send all the same is refused."""
    rollout = await world.installed()
    viewer = a_person("vic", rollout.organisation)
    file_grant(world, "person:vic", "viewer", rollout.organisation)
    issued = await perform(
        world.outside, SRE, IssueToken(purpose="of an operator", granted=(Permission.READ,))
    )
    client = logged_in(world, viewer)

    found = await page(client, "/tokens")
    answer = await send(client, "/tokens", f"/admin/tokens/{issued.token.id}/revoke")

    assert "Your own." in found.text
    assert "of an operator" not in found.text
    assert [one for one in found.forms if one.startswith("/admin/")] == []
    assert answer.status_code == 403
    with world.store.begin() as transaction:
        kept = API_TOKENS.get(transaction, issued.token.id)
    assert kept is not None
    assert not kept.is_revoked
    assert "Shown to who may read the ledger" in (await page(client, "")).text


async def test_tenants_see_nothing_of_each_other(world: MemoryWorld) -> None:
    """On no part, and what is sent about another's things finds nothing."""
    acme = await two_tenants(world)
    client = logged_in(world, EVE)

    shown = [await page(client, part) for part in PARTS]
    sent = [
        await send(client, "/tokens", f"/admin/tokens/{acme.values['token'][0]}/revoke"),
        await send(client, "/tokens", f"/admin/sessions/{acme.values['session'][0]}/end"),
        await send(client, "/tokens", f"/admin/gates/{acme.rollout.id}/check"),
    ]

    assert {one.status for one in shown} == {200}
    assert [MARK for one in shown if MARK in one.text] == []
    assert [one.status_code for one in sent] == [404, 404, 404]


async def test_words_of_people_are_text(world: MemoryWorld) -> None:
    """The purpose of a token is whatever somebody wrote."""
    evil = "<img src=x onerror=alert(1)>"
    await perform(world.outside, SRE, IssueToken(purpose=evil, granted=(Permission.READ,)))
    client = await key_holder(world)
    client.headers["cookie"] = "; ".join(
        [f"{name}={value}" for name, value in client.cookies.items()] + ["tidegate_as_7180=dev-a"]
    )

    found = await page(client, "/tokens")

    assert evil in found.text
    assert "img" not in {tag for tag, _ in found.tags}


async def test_a_store_that_fails_is_said(world: MemoryWorld) -> None:
    """No part looks as if nothing were configured."""

    class Away:
        def begin(self, *, read_only: bool = False) -> Any:
            raise StoreError("the store is away", hint="wait")

    client = await key_holder(world)
    state = client._transport.app.state  # type: ignore[attr-defined]
    state.server = replace(state.server, outside=replace(world.outside, store=Away()))

    for part in PARTS:
        found = await page(client, part)
        assert found.status == 503, part
        assert "the store is away" in found.text
