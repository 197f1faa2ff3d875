"""The screen of the ledger: what it shows to whom, that it leafs well, and what it says of the chain."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_onlookers import Page, key_holder, logged_in
from two_tenants import EVE, MARK, a_person, file_grant, two_tenants

from tidegate.documents.ledger.verify import verify_dump
from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.machine import State
from tidegate.drivers.signer.file import FileSigner
from tidegate.drivers.witness.memory import MemoryWitness
from tidegate.errors import StoreError, WitnessError
from tidegate.testing.contracts.store_ledger import an_entry, append
from tidegate.testing.contracts.witness import some_heads
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.ledger_heads import sign_head
from tidegate.usecases.ledger_witness import tell_witness


@pytest.fixture
def signing(world: MemoryWorld, tmp_path: Path) -> MemoryWorld:
    """Return a world whose ledger is signed, with a witness."""
    witness = MemoryWitness("file:/mnt/elsewhere")
    world.outside = replace(
        world.outside, signer=FileSigner(tmp_path / "key"), witnesses=(witness,)
    )
    return world


async def page(client: httpx.AsyncClient, address: str) -> Page:
    return Page(await client.get(address))


def numbers(found: Page) -> list[int]:
    """Return the numbers of the entries that a page lists, in its order."""
    ids = (attrs.get("id") or "" for tag, attrs in found.tags if tag == "li")
    return [int(one.removeprefix("entry-")) for one in ids if one.startswith("entry-")]


async def test_everything_is_listed_newest_first_and_opens(signing: MemoryWorld) -> None:
    """Each entry with a permanent address, its reason, its rule, its service and rollout."""
    rollout = await signing.installed()
    client = await key_holder(signing)

    found = await page(client, "/ledger")

    assert found.status == 200
    assert found.is_plain()
    assert numbers(found) == sorted(numbers(found), reverse=True)
    assert numbers(found)[-1] == 1
    assert {f"/ledger/{number}" for number in numbers(found)} <= set(found.links)
    assert f"/rollouts/{rollout.id}" in found.links
    assert "completed and outlived its quarantine" in found.text


async def test_a_filter_is_in_the_address_and_in_the_command(signing: MemoryWorld) -> None:
    """The same address gives the same entries, and the command under it asks for them too."""
    await signing.installed()
    append(signing.store, replace(an_entry("INC-431 it's"), actor="sre-a", kind="command"))
    client = await key_holder(signing)

    by_text = await page(client, "/ledger?text=inc-431+it%27s")
    by_kind = await page(client, "/ledger?kind=command&actor=sre-a")
    nothing = await page(client, "/ledger?service=other")

    assert len(numbers(by_text)) == 1
    assert """tidegate ledger query --text 'inc-431 it'"'"'s'""" in by_text.text
    assert numbers(by_kind) == numbers(by_text)
    assert ("option", {"selected": None}) in by_kind.tags
    assert "No entry fits" in nothing.text


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("since=yesterday", "since must be an instant"),
        ("until=2026-99-99", "until must be an instant"),
        ("before=x", "before must be the number"),
        ("text=" + "x" * 201, "at most 200"),
    ],
)
async def test_a_filter_that_is_not_understood_is_refused(
    signing: MemoryWorld, asked: str, says: str
) -> None:
    """It is never dropped in silence: the entries would be other ones than asked for."""
    client = await key_holder(signing)

    found = await page(client, f"/ledger?{asked}")

    assert found.status == 422
    assert says in found.text


async def test_since_and_until_are_times_or_ages(signing: MemoryWorld) -> None:
    """`1h` is an hour before now, an instant without a zone is UTC."""
    await signing.installed()
    client = await key_holder(signing)
    every = numbers(await page(client, "/ledger"))

    assert numbers(await page(client, "/ledger?since=1h")) == every
    assert numbers(await page(client, "/ledger?until=1h")) == []
    assert numbers(await page(client, "/ledger?since=2000-01-01T00:00")) == every
    assert numbers(await page(client, "/ledger?until=2000-01-01")) == []


async def test_pages_follow_each_other(signing: MemoryWorld) -> None:
    """By the link to older ones every entry comes once, though new ones come meanwhile."""
    append(signing.store, *(an_entry(f"{number}") for number in range(120)))
    client = await key_holder(signing)

    seen: list[int] = []
    address = "/ledger?service=shop"
    while address:
        found = await page(client, address)
        seen += numbers(found)
        append(signing.store, an_entry("meanwhile"))
        address = next((link for link in found.links if "before=" in link), "")

    assert seen == list(range(120, 0, -1))


async def test_an_entry_shows_what_it_was_decided_from_and_its_place(signing: MemoryWorld) -> None:
    """Evidence, hashes that fit, the head that covers it, the witness that keeps that; made again."""
    await signing.installed()
    rollout = await signing.start("1.1.0")
    await signing.run(rollout.id, until={State.ROLLED_BACK}, failing={Arm.CANDIDATE: 0.5})
    outside = signing.outside
    assert outside.signer is not None
    sign_head(outside, outside.signer)
    await tell_witness(outside, outside.witnesses[0])
    with signing.store.begin() as transaction:
        halted = next(one for one in transaction.ledger() if one.rule == "harm-proven")
    client = await key_holder(signing)

    found = await page(client, f"/ledger/{halted.number}")
    again = await page(client, f"/ledger/d-{halted.number}?replay=yes")

    assert found.is_plain()
    assert "HARM" in found.text
    assert halted.hash in found.text
    assert halted.previous_hash in found.text
    assert "fits what the entry says" in found.text
    assert "by head 1" in found.text
    assert "Kept by file:/mnt/elsewhere" in found.text
    assert f"tidegate why d-{halted.number}" in found.text
    assert "The same comes out" in again.text
    assert "SHOP_PASSWORD" not in found.text
    assert "a-secret-of-the-shop" not in found.text


async def test_a_changed_entry_says_so(signing: MemoryWorld) -> None:
    """The page of an entry checks its hash each time, and that of the one before."""
    await signing.installed()
    kept = signing.store._kept.ledger
    kept[2] = replace(kept[2], because="nothing to see here")
    client = await key_holder(signing)

    changed = await page(client, "/ledger/3")
    verified = await page(client, "/ledger/verify")

    assert "does not fit what the entry says: it was changed" in changed.text
    assert "The ledger does not hold" in verified.text
    assert "/ledger/3" in verified.links


async def test_a_ledger_that_holds_is_verified_with_its_witnesses(signing: MemoryWorld) -> None:
    """The page says what was compared, what each witness says now, and what that doesn't prove."""
    await signing.installed()
    outside = signing.outside
    assert outside.signer is not None
    sign_head(outside, outside.signer)
    await tell_witness(outside, outside.witnesses[0])
    client = await key_holder(signing)

    found = await page(client, "/ledger/verify")

    assert "The ledger holds" in found.text
    assert "agrees" in found.text
    assert "could also change this page" in found.text
    assert "tidegate ledger verify" in found.text
    assert ("meta", {"http-equiv": "refresh", "content": "15"}) not in found.tags


async def test_a_witness_that_knows_otherwise_or_not_at_all_is_no_agreement(
    signing: MemoryWorld,
) -> None:
    """Another history is the worst there is; a witness that isn't reached is never counted as one."""
    await signing.installed()
    other, away = MemoryWitness("other"), MemoryWitness("away")
    await other.keep(some_heads(1))
    away.fails = WitnessError("away is away", hint="wait")
    signing.outside = replace(signing.outside, witnesses=(other, away))
    client = await key_holder(signing)

    found = await page(client, "/ledger/verify")

    assert "The ledger does not hold" in found.text
    assert "knows another history" in found.text
    assert "could not be asked : away is away. What it knows isn't known." in found.text


async def test_heads_keys_and_witnesses_are_shown(signing: MemoryWorld) -> None:
    """With what isn't signed yet, and that nobody keeps heads where nobody does."""
    await signing.installed()
    client = await key_holder(signing)
    before = await page(client, "/ledger/heads")
    assert signing.outside.signer is not None
    head = sign_head(signing.outside, signing.outside.signer)
    assert head is not None

    after = await page(client, "/ledger/heads")
    signing.outside = replace(signing.outside, witnesses=(), signer=None)
    append(signing.store, an_entry("later"))
    alone = await page(await key_holder(signing), "/ledger/heads")

    assert "none signed" in before.text
    assert head.entry_hash in after.text
    assert signing.outside.signer is None
    assert "No witness" in alone.text
    assert "the last 1 is not signed" in alone.text


async def test_exports_are_those_of_the_api(signing: MemoryWorld) -> None:
    """CSV and JSON of what is asked for, and a dump that verifies; as files."""
    await signing.installed()
    client = await key_holder(signing)

    rows = await client.get("/ledger/export?format=csv&kind=command")
    as_json = await client.get("/ledger/export?format=json&kind=command")
    dump = await client.get("/ledger/export?format=dump")
    wrong = await page(client, "/ledger/export?format=exe")

    (row,) = csv.DictReader(io.StringIO(rows.text, newline=""))
    assert row["rule"] == "start"
    assert [one["number"] for one in json.loads(as_json.text)] == [row["number"]]
    assert rows.headers["content-disposition"] == 'attachment; filename="ledger.csv"'
    assert verify_dump(dump.content.splitlines(keepends=True)).holds
    assert wrong.status == 422


@pytest.mark.parametrize("number", ["0", "999", "x", "d-", "1e3", "٣", "9" * 30])
async def test_an_entry_that_is_not_there_has_a_page_that_says_so(
    signing: MemoryWorld, number: str
) -> None:
    """As a page, and not as a document for programs."""
    client = await key_holder(signing)

    found = await page(client, f"/ledger/{number}")

    assert found.status == 404
    assert "the ledger has no entry" in found.text


async def test_an_empty_ledger_says_what_will_be_here(world: MemoryWorld) -> None:
    """And verifying nothing is no error."""
    client = await key_holder(world)

    assert "Nothing has happened yet" in (await page(client, "/ledger")).text
    assert "The ledger is empty" in (await page(client, "/ledger/heads")).text
    assert (await page(client, "/ledger/verify")).status == 200


async def test_words_of_people_are_text(signing: MemoryWorld) -> None:
    """In the list, on the entry's page, in its details and in the filter that names them."""
    evil = "<img src=x onerror=alert(1)>"
    append(
        signing.store,
        replace(an_entry(evil), actor=evil, rule=evil, details_json=json.dumps({"x": evil})),
    )
    client = await key_holder(signing)

    for address in ("/ledger", "/ledger/1", f"/ledger?text={evil}"):
        found = await page(client, address)
        assert evil in found.text
        assert "img" not in {tag for tag, _ in found.tags}


async def test_only_who_may_read_the_ledger_sees_it(world: MemoryWorld) -> None:
    """A viewer sees an entry of what they may read, without its details, and nothing else here."""
    rollout = await world.installed()
    viewer = a_person("vic", rollout.organisation)
    file_grant(world, "person:vic", "viewer", rollout.organisation)
    client = logged_in(world, viewer)

    for address in ("/ledger", "/ledger/verify", "/ledger/heads", "/ledger/export?format=csv"):
        assert (await page(client, address)).status == 403, address
    entry = await page(client, "/ledger/1")

    assert entry.status == 200
    assert "Details" not in entry.text
    assert "entry 2" not in entry.text


async def test_tenants_see_nothing_of_each_other(world: MemoryWorld) -> None:
    """In lists, exports and by number; and the whole is verified by nobody who sees a part."""
    await two_tenants(world)
    client = logged_in(world, EVE)
    with world.store.begin() as transaction:
        entries = transaction.ledger(limit=1000)
    theirs = [one for one in entries if MARK in one.service or MARK in one.because]
    append(world.store, replace(an_entry("of everybody"), rollout_id="", service=""))  # type: ignore[arg-type]

    listed = await client.get("/ledger")
    exported = await client.get("/ledger/export?format=csv")
    shown = [await page(client, f"/ledger/{one.number}") for one in theirs]

    assert theirs
    assert listed.status_code == exported.status_code == 200
    assert MARK not in re.sub(r'value="[^"]*"', "", listed.text)
    assert MARK not in exported.text
    assert {one.status for one in shown} == {404}
    assert not any(MARK in one.text for one in shown)
    assert (await page(client, "/ledger/verify")).status == 403
    assert (await page(client, "/ledger/export?format=dump")).status == 403


async def test_a_store_that_fails_is_said(world: MemoryWorld) -> None:
    """No page pretends that there is nothing."""

    class Away:
        def begin(self, *, read_only: bool = False) -> Any:
            raise StoreError("the store is away", hint="wait")

    client = await key_holder(world)
    state = client._transport.app.state  # type: ignore[attr-defined]
    state.server = replace(state.server, outside=replace(world.outside, store=Away()))

    for address in ("/ledger", "/ledger/1", "/ledger/verify", "/ledger/heads", "/ledger/export"):
        found = await page(client, address)
        assert found.status == 503, address
        assert "the store is away" in found.text
