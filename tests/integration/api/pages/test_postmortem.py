"""Looking back at a rollout that was stopped: page, list, Markdown and API say the same, without names."""

import httpx
import pytest

from tidegate.api.tokens import page_key
from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.testing.memory_world import MemoryWorld

TOKEN = "a-token-for-tests"
BEARER = {"authorization": f"Bearer {TOKEN}", "tidegate-actor": "lead-a"}
BLAME = "alice forgot to look <img src=x onerror=alert(1)>"


@pytest.fixture
async def browser(page_client: httpx.AsyncClient) -> httpx.AsyncClient:
    await page_client.get("/", params={"token": page_key(TOKEN)})
    return page_client


async def gone_wrong(world: MemoryWorld) -> Rollout:
    await world.installed()
    rollout = await world.start("1.1.0")
    return await world.run(rollout.id, until={State.ROLLED_BACK}, failing={Arm.CANDIDATE: 0.5})


async def test_a_bad_release_is_told_from_exposure_to_the_way_back(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """What caught it, what users had of it, how long it took, and that the decisions replay."""
    rollout = await gone_wrong(world)

    text = (await browser.get(f"/postmortems/{rollout.id}")).text
    draft = (await browser.get(f"/v1/rollouts/{rollout.id}/postmortem", headers=BEARER)).json()

    assert "caught it" in text
    assert "harm proven" in text
    assert draft["most_exposed_bps"] == 1_000
    assert draft["exposed_until_halt_seconds"] > 0
    errors = next(one for one in draft["impacts"] if one["signal"] == "errors")
    assert errors["bad"] > 0
    assert errors["excess"] > 0
    assert draft["replayed"]
    assert all(one["is_same"] for one in draft["replayed"])
    states = [one["state"] for one in draft["timeline"] if one["is_change"]]
    assert states[-1] == "rolled_back"
    assert "halted" in states


async def test_people_are_roles_and_blame_is_pointed_out(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """No name is on the page, in the Markdown or in the draft; what somebody wrote is text."""
    await world.installed()
    rollout = await world.start("1.1.0", actor="alice")
    await world.run(rollout.id, until={State.BAKING})
    halted = await browser.post(
        f"/v1/rollouts/{rollout.id}/halt", json={"reason": BLAME}, headers=BEARER
    )
    assert halted.status_code == 202

    page = (await browser.get(f"/postmortems/{rollout.id}")).text
    markdown = (await browser.get(f"/postmortems/{rollout.id}/markdown")).text

    for text in (page, markdown):
        assert "alice" not in text
        assert "lead-a" not in text
        assert "the proposer forgot to look" in text
        assert "<img" not in text.replace("\\<img", "")
    assert "makes a person the cause" in page
    assert "## Actions" in markdown


async def test_a_rollout_that_went_well_has_none(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Nothing is made up for it: it is refused with what to do, on each surface."""
    await world.installed()
    rollout = await world.start("1.1.0")

    page = await browser.get(f"/postmortems/{rollout.id}")
    api = await browser.get(f"/v1/rollouts/{rollout.id}/postmortem", headers=BEARER)
    listed = await browser.get("/postmortems")

    assert page.status_code == api.status_code == 409
    assert "nothing went wrong" in page.text
    assert "Nothing that you may see was stopped" in listed.text


async def test_the_list_has_what_was_stopped_and_its_address_says_what_is_shown(
    browser: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """By service; another one's is left out."""
    rollout = await gone_wrong(world)

    every = (await browser.get("/postmortems")).text
    other = (await browser.get("/postmortems", params={"service": "checkout"})).text

    assert f"/postmortems/{rollout.id}" in every
    assert f"/postmortems/{rollout.id}" not in other
    assert 'value="checkout"' in other
