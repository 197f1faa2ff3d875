"""Alarms over HTTP: what Alertmanager, people and programs say is wrong, and what that does."""

import asyncio
from typing import Any

import httpx
import pytest

from tidegate.domain.quantities import NO_EXPOSURE
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode, Rollout
from tidegate.testing.memory_world import MemoryWorld


async def baking(world: MemoryWorld) -> Rollout:
    await world.installed()
    rollout = await world.start("1.1.0")
    return await world.run(rollout.id, until={State.BAKING})


def exposes_nobody(world: MemoryWorld, rollout: Rollout) -> bool:
    places = rollout.plan.placements()
    return all(world.component.served(place).exposure == NO_EXPOSURE for place in places)


def an_alert(status: str = "firing", **labels: str) -> dict[str, Any]:
    """Return one alert in the shape that Alertmanager's documentation shows."""
    over = status == "resolved"
    return {
        "status": status,
        "labels": {"alertname": "OrdersFail", "service": "shop", **labels},
        "annotations": {"summary": "orders fail", "runbook_url": "https://runbooks.invalid/orders"},
        "startsAt": "2026-03-02T09:52:26.739266876Z",
        "endsAt": "2026-03-02T10:01:00Z" if over else "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.invalid/graph?g0.expr=up",
        "fingerprint": "c3d4a1f5b6e70812",
    }


def a_message(*alerts: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "4",
        "groupKey": '{}:{alertname="OrdersFail"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "tidegate",
        "groupLabels": {"alertname": "OrdersFail"},
        "commonLabels": {"alertname": "OrdersFail", "service": "shop"},
        "commonAnnotations": {"summary": "orders fail"},
        "externalURL": "http://alertmanager.invalid",
        "alerts": list(alerts),
    }


async def hook(client: httpx.AsyncClient, *alerts: dict[str, Any]) -> httpx.Response:
    return await client.post("/hooks/alertmanager", json=a_message(*alerts))


@pytest.mark.parametrize("severity", ["page", "critical", "Critical"])
async def test_a_page_from_alertmanager_halts_and_withdraws(
    client: httpx.AsyncClient, world: MemoryWorld, severity: str
) -> None:
    """When Alertmanager has its answer nobody meets the candidate, without a single step."""
    rollout = await baking(world)

    answer = await hook(client, an_alert(severity=severity, target="eu"))

    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "raised": 1,
        "resolved": 0,
        "halted": [rollout.id],
        "held": [],
        "released": [],
    }
    assert exposes_nobody(world, rollout)
    shown = (await client.get(f"/v1/rollouts/{rollout.id}")).json()
    assert (shown["state"], shown["halt"]["cause"]) == ("halted", "alarm")
    assert shown["halt"]["by"] == "alertmanager"
    assert shown["halt"]["because"] == "a page alert for shop/eu says: orders fail"


@pytest.mark.parametrize("labels", [{"severity": "warning"}, {}])
async def test_a_ticket_from_alertmanager_holds_until_it_is_resolved(
    client: httpx.AsyncClient, world: MemoryWorld, labels: dict[str, str]
) -> None:
    """What isn't said to be a page is a ticket; the message that it's over lets the bake go on."""
    rollout = await baking(world)

    fired = await hook(client, an_alert(**labels))
    held = await world.turns(rollout.id)
    repeated = await hook(client, an_alert(**labels))
    over = await hook(client, an_alert("resolved", **labels))
    going_on = await world.turns(rollout.id)

    assert fired.json()["held"] == repeated.json()["held"] == [rollout.id]
    assert (held.state, held.waiting_on.reason) == (State.HELD, ReasonCode.ALARM)
    assert (over.json()["resolved"], over.json()["released"]) == (1, [rollout.id])
    assert going_on.state is State.BAKING


async def test_pages_of_a_message_come_before_its_tickets(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """One message may hold many alerts; each is taken, and each rollout is named once."""
    rollout = await baking(world)
    ticket = an_alert(severity="info") | {"fingerprint": "t"}
    pages = [an_alert(severity="page") | {"fingerprint": name} for name in ("p", "q")]

    answer = await hook(client, ticket, *pages)

    assert (answer.json()["raised"], answer.json()["halted"]) == (3, [rollout.id])
    assert len((await client.get("/v1/alarms")).json()["alarms"]) == 3


async def test_a_wrong_token_is_refused(stranger: httpx.AsyncClient, world: MemoryWorld) -> None:
    """Whoever can stop a rollout must be known, and nothing is done for whoever isn't."""
    rollout = await baking(world)
    stranger.headers["authorization"] = "Bearer a-guess"

    hooked = await hook(stranger, an_alert(severity="page"))
    raised = await stranger.post("/v1/alarms", json={"service": "shop", "summary": "it fails"})
    listed = await stranger.get("/v1/alarms")

    assert {hooked.status_code, raised.status_code, listed.status_code} == {401}
    assert world.rollout(rollout.id).state is State.BAKING


@pytest.mark.parametrize(
    "broken",
    [
        {"version": "3"},
        {"alerts": [{"status": "firing"}]},
        {"alerts": [an_alert() | {"status": "unknown"}]},
        {"alerts": [an_alert() | {"startsAt": "2026-03-02T09:52:26"}]},
    ],
)
async def test_what_is_not_a_message_of_this_version_is_refused(
    client: httpx.AsyncClient, broken: dict[str, Any]
) -> None:
    """Half-read it could stop too little: it is refused, and Alertmanager logs that."""
    answer = await client.post("/hooks/alertmanager", json=a_message() | broken)

    assert (answer.status_code, answer.json()["code"]) == (422, "request.malformed")


async def test_a_report_halts_and_is_listed(client: httpx.AsyncClient, world: MemoryWorld) -> None:
    """A person's word is enough to stop, and stays to be read."""
    rollout = await baking(world)
    report = {"kind": "report", "service": "shop", "target": "eu", "summary": "blank page"}

    answer = await client.post("/v1/alarms", json=report | {"source": "user"})

    assert answer.status_code == 202
    alarm = answer.json()["alarm"]
    assert answer.json()["halted"] == [rollout.id]
    assert exposes_nobody(world, rollout)
    assert (alarm["raised_by"], alarm["resolved_at"]) == ("alice", None)
    assert (await client.get("/v1/alarms")).json()["alarms"] == [alarm]


async def test_an_alarm_is_resolved_by_its_id(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """It leaves the list of what is active and stays in the list of everything."""
    rollout = await baking(world)
    raised = await client.post(
        "/v1/alarms", json={"severity": "ticket", "service": "shop", "summary": "slow"}
    )
    path = f"/v1/alarms/{raised.json()['alarm']['id']}/resolve"

    refused = await client.post(path, json={"reason": " "})
    resolved = await client.post(path, json={"reason": "a cold cache"})
    active = (await client.get("/v1/alarms")).json()["alarms"]
    every = (await client.get("/v1/alarms", params={"all": "true"})).json()["alarms"]

    assert (refused.status_code, refused.json()["code"]) == (422, "request.invalid")
    assert resolved.status_code == 200
    assert resolved.json()["released"] == [rollout.id]
    assert active == []
    assert every == [resolved.json()["alarm"]]
    assert (every[0]["resolved_by"], every[0]["resolution"]) == ("alice", "a cold cache")


async def test_resolving_an_unknown_alarm_is_not_found(client: httpx.AsyncClient) -> None:
    """Nothing is made up."""
    answer = await client.post("/v1/alarms/a-nothing/resolve", json={"reason": "gone"})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_the_same_request_with_its_key_is_answered_again(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A report that is sent twice by a bad line is one report."""
    await baking(world)
    report = {"kind": "report", "severity": "ticket", "service": "shop", "summary": "slow"}
    headers = {"idempotency-key": "k-1"}

    first, second = await asyncio.gather(
        *(client.post("/v1/alarms", json=report, headers=headers) for _ in range(2))
    )

    assert first.json() == second.json()
    assert len((await client.get("/v1/alarms")).json()["alarms"]) == 1
