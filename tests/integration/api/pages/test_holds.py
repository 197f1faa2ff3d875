"""Stop orders and freezes as lists: what is in force, what was, and announcing and lifting from the page."""

from collections.abc import Mapping
from datetime import timedelta

import httpx
import pytest
from page_people import acting_as, looking_as, see
from two_tenants import EVE, MARK, two_tenants

from tidegate.testing.memory_world import MemoryWorld


async def send(
    client: httpx.AsyncClient, path: str, form: Mapping[str, str], *, by: str = "lead-a"
) -> httpx.Response:
    return await client.post(path, data=dict(form), headers=acting_as(by))


async def test_a_freeze_is_announced_and_lifted(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """Times without an offset are UTC; what was lifted is only in the list of all."""
    await world.installed()
    until = world.clock.now() + timedelta(days=3)
    form = {
        "scope": "service",
        "name": "shop",
        "since": "",
        "until": until.strftime("%Y-%m-%dT%H:%M"),
        "reason": "quarter close",
    }

    added = await send(page_client, "/freezes", form)
    shown = await see(page_client, "/freezes", "lead-a")
    lifted = await send(page_client, "/freezes/1/lift", {"reason": "closed early"})
    ahead = await see(page_client, "/freezes", "lead-a")
    every = await see(page_client, "/freezes?all=yes", "lead-a")

    assert added.json() == {
        "message": "freeze 1 of service shop is announced; 0 rollouts under way would wait",
        "location": "/freezes",
    }
    assert f"to {until:%a %d %b %H:%M} UTC : quarter close" in shown.text
    assert "service shop in force" in shown.text
    assert lifted.json()["message"] == "freeze 1 is lifted; 0 rollouts go on"
    assert "No freeze is ahead or in force." in ahead.text
    assert "by lead-a: closed early" in every.text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"until": ""}, "until must be a date and a time"),
        ({"until": "soon"}, "until must be a date and a time"),
        ({"until": "0001-01-01T00:00+23:59"}, "until must be a date and a time"),
        ({"until": "2001-01-01T00:00"}, "closes nothing"),
        ({"since": "tomorrow"}, "since must be a date and a time"),
        ({"scope": "galaxy"}, "no scope 'galaxy'"),
        ({"scope": "ring", "name": ""}, "names 'nothing'"),
        ({"reason": ""}, "a freeze needs a reason"),
    ],
)
async def test_what_is_no_freeze_is_refused_in_words(
    page_client: httpx.AsyncClient, changes: Mapping[str, str], says: str
) -> None:
    """A mistake in the form is told as on the command line."""
    form = {"scope": "everything", "until": "2100-01-01T00:00", "reason": "so"}

    answer = await send(page_client, "/freezes", {**form, **changes})

    assert (answer.status_code, says in answer.json()["detail"]) == (422, True), answer.text


async def test_whoever_only_looks_can_announce_and_lift_nothing(
    page_client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """They see both lists, without forms."""
    await world.installed()
    await send(page_client, "/stops", {"scope": "everything", "reason": "INC-9"})
    await send(page_client, "/stops/1/lift", {"reason": "over"}, by="lead-a")
    await send(page_client, "/stops/1/lift", {"reason": "over"}, by="lead-b")

    freezes = await see(page_client, "/freezes")
    every = await see(page_client, "/stops")
    in_force = await see(page_client, "/stops?all=no")

    assert not [
        tag for tag, attrs in freezes.tags if str(attrs.get("id", "")).startswith("confirm-")
    ]
    assert "INC-9" in every.text
    assert "Lifted" in every.text
    assert "No stop order is in force." in in_force.text
    assert every.with_id("confirm-lift-1") is None


@pytest.mark.parametrize("path", ["/emergency", "/stops", "/freezes?all=yes"])
async def test_another_organisation_sees_no_emergency(
    page_client: httpx.AsyncClient,
    world: MemoryWorld,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    """Nor the stop orders and freezes of acme; by its id an emergency is missing."""
    acme = await two_tenants(world)
    everything = await see(page_client, path, "root")
    looking_as(monkeypatch, EVE)

    page = await see(page_client, path)
    missing = [
        (await page_client.get(f"/emergencies/{name}")).status_code
        for name in acme.values["emergency"]
    ]

    assert MARK in everything.text
    assert MARK not in page.text
    assert missing == [404, 404]
