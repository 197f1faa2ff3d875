"""Writing into a postmortem from its page: forms for whoever may, and no text lost by a refusal."""

import re
from collections.abc import Mapping

import httpx
import pytest
from page_people import Seen, acting_as, looking_as, see
from two_tenants import a_person, file_grant

from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.postmortem_records import REVIEWS

DUE = "2026-12-20"


async def halted(client: httpx.AsyncClient, world: MemoryWorld) -> Rollout:
    await world.installed()
    rollout = await world.start("1.1.0", actor="alice")
    await world.run(rollout.id, until={State.BAKING})
    await send(client, f"/rollouts/{rollout.id}/halt", {"reason": "looks wrong"}, by="bob")
    return rollout


async def send(
    client: httpx.AsyncClient, path: str, form: Mapping[str, str], *, by: str = "lead-a"
) -> httpx.Response:
    return await client.post(path, data=dict(form), headers=acting_as(by))


def addresses(page: Seen) -> set[str]:
    """Return where the forms of *page* are sent that write into a postmortem."""
    sent = {str(attrs.get("action")) for tag, attrs in page.tags if tag == "form"}
    return {one for one in sent if one.startswith("/postmortems/")}


async def test_whoever_may_write_is_given_every_form(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """And each of them works: add, change, mark, remove; the page says by whom."""
    rollout = await halted(page_client, world)
    base = f"/postmortems/{rollout.id}"

    added = await send(page_client, f"{base}/factors", {"text": "The list was old.\r\nSee P-8."})
    due = world.clock.now().date().isoformat()
    action = {"text": "Read it again.", "owner": "team-shop", "due": due}
    await send(page_client, f"{base}/actions", action)
    page = await see(page_client, base, "lead-a")
    changed = await send(
        page_client,
        f"{base}/factors/f-1/change",
        {"text": "Older still.", "version": "1"},
        by="kim",
    )
    done = await send(page_client, f"{base}/actions/a-1/done", {"version": "1"})
    removed = await send(page_client, f"{base}/factors/f-1/remove", {"version": "2"})
    after = await see(page_client, base, "lead-a")

    assert added.json() == {"message": "f-1 is added", "location": f"{base}#review"}
    assert "The list was old. See P-8." in page.text
    assert "f-1 written by lead-a" in page.text
    assert "1 contributing factor, 1 action of which 1 is open" in page.text
    assert {
        f"{base}/factors", f"{base}/factors/f-1/change", f"{base}/factors/f-1/remove",
        f"{base}/actions", f"{base}/actions/a-1/change", f"{base}/actions/a-1/done",
        f"{base}/actions/a-1/remove",
    } == addresses(page)  # fmt: skip
    assert "tidegate postmortem factor change f-1" in page.text
    assert [one.json()["message"] for one in (changed, done, removed)] == [
        "f-1 is changed", "a-1 is done", "f-1 is removed; the ledger has what it said",
    ]  # fmt: skip
    assert "✓︎ done Read it again." in after.text
    assert "done by lead-a" in after.text
    assert "Older still." not in after.text


async def test_others_read_and_are_given_no_form(
    page_client: httpx.AsyncClient, world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever only looks, and whoever has a role that doesn't write."""
    rollout = await halted(page_client, world)
    base = f"/postmortems/{rollout.id}"
    await send(page_client, f"{base}/factors", {"text": "The list was old."})
    for role, scope in (("viewer", "default"), ("approver", "default"), ("developer", "default")):
        file_grant(world, f"person:{role}", role, scope)

    looks = await see(page_client, base)
    looking_as(monkeypatch, a_person("approver", "default"))
    approver = await see(page_client, base)
    looking_as(monkeypatch, a_person("developer", "default"))
    developer = await see(page_client, base)

    for page in (looks, approver):
        assert "The list was old." in page.text
        assert addresses(page) == set()
        assert "Add a factor" not in page.text
    assert f"{base}/factors" in addresses(developer)


async def test_a_suggestion_is_taken_over_with_one_press(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Its form has all that it takes: an action the service's owner and a day in two weeks."""
    rollout = await halted(page_client, world)
    page = await see(page_client, f"/postmortems/{rollout.id}", "lead-a")
    hidden = [
        {str(attrs["name"]): str(attrs["value"]) for _, attrs in group}
        for group in _inputs_by_form(page)
        if any(attrs.get("name") == "suggestion" for _, attrs in group)
    ]
    [factor, action] = hidden

    await send(page_client, f"/postmortems/{rollout.id}/factors", factor)
    await send(page_client, f"/postmortems/{rollout.id}/actions", action)

    after = await see(page_client, f"/postmortems/{rollout.id}", "lead-a")
    assert "The draft suggests" in page.text
    assert "The draft suggests" not in after.text
    assert factor["text"] in after.text
    assert f"team-shop , due {action['due']}" in after.text


async def test_what_somebody_wrote_while_another_was_quicker_is_kept(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The script is led to it: what is there now, what was typed, and one press to save it."""
    rollout = await halted(page_client, world)
    base = f"/postmortems/{rollout.id}"
    await send(page_client, f"{base}/factors", {"text": "first"})
    await send(page_client, f"{base}/factors/f-1/change", {"text": "quicker", "version": "1"})

    late = await send(
        page_client, f"{base}/factors/f-1/change", {"text": "mine <b>", "version": "1"}, by="kim"
    )
    page = await see(page_client, late.headers["location"].partition("#")[0], "kim")
    saved = await send(
        page_client, f"{base}/factors/f-1/change", {"text": "mine <b>", "version": "2"}, by="kim"
    )

    assert (late.status_code, late.json()["code"]) == (409, "state.moved")
    assert "What you wrote isn't saved yet" in page.text
    assert "you saw version 1" in page.text
    assert "It says now: quicker" in page.text
    assert "mine <b>" in page.text
    assert page.with_id("kept") is not None
    assert saved.status_code == 200


async def test_what_was_removed_meanwhile_can_be_added(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """The text of an action that is gone, with its owner and day, is the text of a new one."""
    rollout = await halted(page_client, world)
    base = f"/postmortems/{rollout.id}"
    form = {"text": "mine", "owner": "kim", "due": DUE, "version": "1"}

    late = await send(page_client, f"{base}/actions/a-7/change", form)
    page = await see(page_client, late.headers["location"].partition("#")[0], "lead-a")

    assert late.status_code == 404
    assert "a-7 was removed meanwhile" in page.text
    assert ("input", "kim") in [(tag, attrs.get("value")) for tag, attrs in page.tags]
    assert ("input", DUE) in [(tag, attrs.get("value")) for tag, attrs in page.tags]


async def test_a_text_that_is_kept_no_more_is_said_to_be_gone(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Nor is any text that was kept for something else taken for a form."""
    rollout = await halted(page_client, world)

    gone = await see(page_client, f"/postmortems/{rollout.id}?kept={'0' * 64}", "lead-a")
    looks = await see(page_client, f"/postmortems/{rollout.id}?kept={'0' * 64}")

    assert "It isn't kept here any more" in gone.text
    assert "It isn't kept here any more" not in looks.text


@pytest.mark.parametrize(
    ("path", "form", "says"),
    [
        ("factors", {"text": " "}, "the text of a factor is empty"),
        ("factors", {"text": "x" * 2_500}, "has 2500 characters"),
        ("factors/f-1/change", {"text": "x"}, "the form says no version"),
        ("factors/f-1/change", {"text": "x", "version": "٣"}, "the form says no version"),
        ("actions", {"text": "x", "owner": "x", "due": "soon"}, "due must be a day"),
        ("actions", {"text": "x", "owner": "x", "due": "0001-01-01"}, "is due from today"),
    ],
)
async def test_a_mistake_is_told_in_the_form(
    page_client: httpx.AsyncClient,
    world: MemoryWorld,
    path: str,
    form: Mapping[str, str],
    says: str,
) -> None:
    """A script keeps the form open with the refusal in it; nothing is cut off in silence."""
    rollout = await halted(page_client, world)
    await send(page_client, f"/postmortems/{rollout.id}/factors", {"text": "first"})

    answer = await send(page_client, f"/postmortems/{rollout.id}/{path}", form)

    assert (answer.status_code, says in answer.json()["detail"]) == (422, True), answer.text
    assert "location" not in answer.headers
    with world.store.begin(read_only=True) as transaction:
        review = REVIEWS.get(transaction, rollout.id)
    assert review is not None
    assert ([one.text for one in review.factors], review.actions) == (["first"], ())


async def test_markdown_has_what_people_wrote(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """As text, with roles for names; what nobody wrote has its empty place."""
    rollout = await halted(page_client, world)
    base = f"/postmortems/{rollout.id}"
    empty = await page_client.get(f"{base}/markdown", headers=acting_as("lead-a"))
    await send(page_client, f"{base}/factors", {"text": "alice read\nan | [old](x) list"})
    due = world.clock.now().date().isoformat()
    await send(page_client, f"{base}/actions", {"text": "Read it", "owner": "a|b", "due": due})

    full = await page_client.get(f"{base}/markdown", headers=acting_as("lead-a"))

    assert "## Contributing factors\n\n- \n" in empty.text
    assert "| | | | |" in empty.text
    assert "- the proposer read an \\| \\[old\\](x) list\n" in full.text
    assert f"| Read it | a\\|b | {due} | open |" in full.text


def _inputs_by_form(page: Seen) -> list[list[tuple[str, dict[str, str | None]]]]:
    """Return the inputs of *page*, form by form."""
    found: list[list[tuple[str, dict[str, str | None]]]] = []
    for tag, attrs in page.tags:
        if tag == "form":
            found.append([])
        elif tag == "input" and found and re.fullmatch(r"[a-z]+", str(attrs.get("name", ""))):
            found[-1].append((tag, attrs))
    return found
