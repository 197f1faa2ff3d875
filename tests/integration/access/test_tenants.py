"""
Tenants never meet: every route of the API, asked by somebody of another organisation.

The routes are taken from OpenAPI, so that one which is added later is asked too.
"""

import itertools
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from two_tenants import (
    ACME_DOCUMENT,
    ANN,
    EVE,
    MARK,
    ROOT,
    Acme,
    file_grant,
    ledger_length,
    two_tenants,
)

from tidegate.api.access import caller_of
from tidegate.api.app import create_app
from tidegate.domain.access.model import Caller
from tidegate.domain.access.permissions import OPEN_TO_ALL
from tidegate.domain.stops.model import StopScope
from tidegate.testing.memory_world import MemoryWorld, the_shop
from tidegate.usecases.bus import perform
from tidegate.usecases.reading import find_rollout
from tidegate.usecases.rollout_commands import HaltRollout, StartRollout
from tidegate.usecases.stop_commands import GiveStopOrder

QUERY = {
    "permission": "read",
    "what_if": "a=healthy",
    "service": f"{MARK}-shop",
    "scope": "acme",
    "format": "csv",
}
"""What is asked for besides the path, where an operation takes it."""

UNMARKED = {
    "/v1/version",
    "/healthz",
    "/v1/access/roles",
    "/v1/whoami",
    "/v1/ledger/heads",
    "/v1/ledger/witnesses",
    # Numbers of a rollout that is named in the path, and no names.
    "/v1/rollouts/{rollout}/evidence",
}
"""Reads that show no name of any organisation."""

BODIES: dict[str, Any] = {
    "/v1/rollouts": {"service": f"{MARK}-shop", "change": {"code": "2.0.0"}},
    "/v1/plans": {"service": f"{MARK}-shop", "change": {"code": "2.0.0"}},
    "/v1/alarms": {
        "kind": "report",
        "severity": "page",
        "service": f"{MARK}-shop",
        "summary": "x",
        "source": "x",
    },
    "/v1/stops": {"scope": "service", "name": f"{MARK}-shop", "reason": "x"},
    "/v1/freezes": {
        "scope": "service",
        "name": f"{MARK}-shop",
        "until": "2100-01-01T00:00:00Z",
        "reason": "x",
    },
    "/v1/access/grants": {
        "subject": "person:eve",
        "role": "viewer",
        "scope": "acme",
        "reason": "x",
    },
    "/v1/tokens": {
        "purpose": "x",
        "allows": ["read"],
        "organisation": "acme",
    },
    "/hooks/alertmanager": {
        "version": "4",
        "groupKey": "{}",
        "status": "firing",
        "receiver": "tidegate",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://127.0.0.1",
        "alerts": [
            {
                "status": "firing",
                "labels": {"service": f"{MARK}-shop", "severity": "page", "alertname": "x"},
                "annotations": {"summary": "x"},
                "startsAt": "2026-01-01T00:00:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "",
                "fingerprint": "f00d",
            }
        ],
    },
}
"""What each operation is sent to touch something of acme; the others take a reason."""

BODIES["/v1/emergencies"] = {
    "service": f"{MARK}-shop",
    "change": {"code": "2.0.0"},
    "type": "security",
    "incident": "INC-1",
    "facts": {"cve.score": 9.8},
    "reason": "x",
}
_WRITING = "/v1/rollouts/{rollout}/postmortem"
_ACTION = {"text": "x", "owner": "x", "due": "2100-01-01"}
BODIES[f"{_WRITING}/factors"] = {"text": "x"}
BODIES[f"{_WRITING}/factors/{{factor}}/change"] = {"text": "x", "version": 1}
BODIES[f"{_WRITING}/factors/{{factor}}/remove"] = {"version": 1}
BODIES[f"{_WRITING}/actions"] = _ACTION
BODIES[f"{_WRITING}/actions/{{action}}/change"] = {**_ACTION, "version": 1}
for _verb in ("done", "reopen", "remove"):
    BODIES[f"{_WRITING}/actions/{{action}}/{_verb}"] = {"version": 1}
BODIES["/v1/policy"] = {"text": "version: 1\norganisation: acme\n", "at": "", "reason": "x"}
BODIES["/v1/emergencies/drills"] = {"service": f"{MARK}-shop", "type": "security"}
BODIES["/v1/services/{name}/evidence/{gate}"] = {"name": "x", "content": "eA=="}

BODIES["/otlp/v1/metrics"] = {
    "resourceMetrics": [
        {
            "resource": {
                "attributes": [
                    {"key": "service.name", "value": {"stringValue": f"{MARK}-shop"}},
                ]
            },
            "scopeMetrics": [],
        }
    ]
}


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


@pytest.fixture
async def acme(world: MemoryWorld) -> Acme:
    return await two_tenants(world)


@pytest.fixture
def app(world: MemoryWorld) -> FastAPI:
    return create_app(world.outside, token="a-token-for-tests", version="0.1.0")


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport,
        base_url="http://127.0.0.1:7180",
        headers={
            "authorization": "Bearer a-token-for-tests",
            "content-type": "application/json",
        },
    ) as client:
        yield client


def act_as(app: FastAPI, caller: Caller) -> None:
    app.dependency_overrides[caller_of] = lambda: caller


def operations(app: FastAPI, *, reads: bool) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, item in app.openapi()["paths"].items()
        for method, operation in item.items()
        if (method == "get") is reads
    ]


def addresses(path: str, operation: dict[str, Any], acme: Acme) -> Iterator[str]:
    """Yield *path* with every name of acme's things in it, and with what else it can be asked."""
    names = re.findall(r"\{(\w+)\}", path)
    unknown = set(names) - set(acme.values)
    assert not unknown, f"say in two_tenants what acme's {unknown} is called, for {path}"
    takes = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
    needed = {
        one["name"]
        for one in operation.get("parameters", [])
        if one["in"] == "query" and one.get("required")
    }
    assert needed <= set(QUERY), f"say in QUERY what {path} is asked with"
    queries = [dict.fromkeys(needed)]
    queries += [dict.fromkeys({*needed, one}) for one in sorted(takes & set(QUERY))]
    for one in ("all", "observe"):
        if one in takes:
            queries.append({**dict.fromkeys(needed), one: None})
    for values in itertools.product(*(acme.values[name] for name in names)):
        filled = path
        for name, value in zip(names, values, strict=True):
            filled = filled.replace(f"{{{name}}}", value)
        for query in queries:
            asked = "&".join(f"{name}={QUERY.get(name, 'true')}" for name in query)
            yield f"{filled}?{asked}" if asked else filled


def told(answer: httpx.Response, sent: str) -> str:
    """Return what an answer tells beyond what was sent."""
    text = answer.text
    for word in sorted(re.findall(rf"{MARK}[\w-]*", sent), key=len, reverse=True):
        text = text.replace(f"'{word}'", "").replace(f'"{word}"', "")
    return text


async def test_no_read_tells_another_organisation_anything(
    app: FastAPI, http: httpx.AsyncClient, acme: Acme
) -> None:
    """Lists leave it out, and by its name it doesn't exist; whatever roles one has at home."""
    act_as(app, EVE)
    asked = 0
    for _, path, operation in operations(app, reads=True):
        for address in addresses(path, operation, acme):
            answer = await http.get(address)
            asked += 1
            assert MARK not in told(answer, address), (address, answer.text)
            if "{" in path:
                assert answer.status_code in (404, 422), (address, answer.status_code)
            else:
                assert answer.status_code in (200, 403, 404), (
                    address,
                    answer.status_code,
                    answer.text,
                )

    assert asked > 50


async def test_the_same_reads_tell_those_whose_it_is(
    app: FastAPI, http: httpx.AsyncClient, world: MemoryWorld, acme: Acme
) -> None:
    """So that the test above can fail: every read shows acme's person something of acme."""
    act_as(app, ANN)
    silent = await silent_reads(app, http, acme)
    # What looks back at what went wrong has something to tell once something did.
    await perform(world.outside, ANN, HaltRollout(rollout=acme.rollout.id, reason="looks wrong"))
    silent &= await silent_reads(app, http, acme)

    assert silent == set()


async def silent_reads(app: FastAPI, http: httpx.AsyncClient, acme: Acme) -> set[str]:
    """Return the paths whose every read tells nothing of acme."""
    silent = set()
    for _, path, operation in operations(app, reads=True):
        if path in UNMARKED:
            continue
        answers = [await http.get(one) for one in addresses(path, operation, acme)]
        if not any(one.status_code == 200 and MARK in one.text for one in answers):
            silent.add(path)
    return silent


async def test_nothing_of_another_organisation_can_be_done_anything_to(
    app: FastAPI, http: httpx.AsyncClient, world: MemoryWorld, acme: Acme
) -> None:
    """Refused as what doesn't exist or isn't granted, with nothing told and nothing written."""
    act_as(app, EVE)
    before, rollout = ledger_length(world), world.rollout(acme.rollout.id)
    for method, path, operation in operations(app, reads=False):
        body = BODIES.get(path, {"reason": "x"})
        is_open = operation["x-permission"] in OPEN_TO_ALL
        assert is_open or path in BODIES or "{" in path, f"say in BODIES what {path} is sent"
        if is_open:
            continue
        for address in addresses(path, operation, acme):
            answer = await http.request(method, address, content=json.dumps(body))
            said = address + json.dumps(body)
            assert MARK not in told(answer, said), (address, answer.text)
            # A hook knows its sender by a signature, which a caller of another organisation has none of.
            refusals = (401,) if path.startswith("/hooks/{") else (403, 404)
            assert answer.status_code in refusals, (address, answer.status_code, answer.text)

    assert ledger_length(world) == before
    assert world.rollout(acme.rollout.id) == rollout


async def test_a_whole_document_under_anothers_name_starts_nothing(
    world: MemoryWorld, acme: Acme
) -> None:
    """A service stays in its organisation, whoever writes its name into a file."""
    start = StartRollout(resolved=the_shop(ACME_DOCUMENT), versions={"code": "6.6.6"})

    with pytest.raises(Exception, match="there is no service") as refused:
        await perform(world.outside, EVE, start)

    assert type(refused.value).__name__ == "NotFoundError"


async def test_a_new_service_begins_in_its_callers_organisation(world: MemoryWorld) -> None:
    """And its rollouts are seen there only."""
    file_grant(world, "person:eve", "developer", "umbrella/*/lab")
    start = StartRollout(resolved=the_shop(), versions={"code": "1.0.0"})

    rollout = await perform(world.outside, EVE, start)

    assert rollout.organisation == "umbrella"
    assert find_rollout(world.outside, EVE, "shop").id == rollout.id
    with pytest.raises(Exception, match="there is no rollout and no service 'shop'"):
        find_rollout(world.outside, ANN, "shop")


async def test_a_stop_of_everything_stops_ones_own_organisation(
    app: FastAPI, http: httpx.AsyncClient, acme: Acme
) -> None:
    """It covers no rollout of another one, and tells of none."""
    act_as(app, EVE)

    given = await http.post("/v1/stops", json={"scope": "everything", "reason": "x"})

    assert given.status_code == 201
    assert given.json()["covered"] == []
    assert given.json()["suspects"] == []
    assert MARK not in given.text


async def test_a_stop_of_every_organisation_is_lifted_by_none_of_several(
    app: FastAPI, http: httpx.AsyncClient, world: MemoryWorld, acme: Acme
) -> None:
    """With one organisation on the server its operators lift it; with two, neither's."""
    everything = GiveStopOrder(
        scope=StopScope.EVERYTHING, name="", withdraw=False, reason="the rack burns"
    )
    given = await perform(world.outside, ROOT, everything)
    lift = f"/v1/stops/{given.order.number}/lift"
    act_as(app, ANN)
    alone = await http.post(lift, json={"reason": "it is out"})
    await perform(world.outside, EVE, StartRollout(resolved=the_shop(), versions={"code": "1.0.0"}))

    one_of_two = await http.post(lift, json={"reason": "it is out"})
    act_as(app, EVE)
    other_of_two = await http.post(lift, json={"reason": "it is out"})

    assert alone.status_code == 200
    assert (one_of_two.status_code, other_of_two.status_code) == (403, 403)
    assert MARK not in other_of_two.text


async def test_a_key_that_another_caller_chose_means_nothing(
    app: FastAPI, http: httpx.AsyncClient, acme: Acme
) -> None:
    """Two callers with one idempotency key are two requests."""
    key = {"idempotency-key": "1"}
    act_as(app, ANN)
    first = await http.post("/v1/stops", json={"scope": "everything"}, headers=key)
    act_as(app, EVE)
    other = await http.post("/v1/stops", json={"scope": "everything"}, headers=key)

    assert first.status_code == other.status_code == 201
    assert first.json()["order"]["number"] != other.json()["order"]["number"]
    assert "idempotency-replayed" not in other.headers


async def test_an_alarm_of_nobodys_service_is_seen_where_it_was_said(
    app: FastAPI, http: httpx.AsyncClient, acme: Acme
) -> None:
    """It may be about anything there, and about nothing elsewhere."""
    alert = {
        "kind": "alert",
        "severity": "page",
        "service": "not-deployed-here",
        "summary": "queues fill up",
        "source": "monitor",
    }
    act_as(app, EVE)
    said = await http.post("/v1/alarms", json=alert)
    own = await http.get("/v1/alarms")
    act_as(app, ANN)
    others = await http.get("/v1/alarms")
    resolved = await http.post(
        f"/v1/alarms/{said.json()['alarm']['id']}/resolve", json={"reason": "x"}
    )

    assert said.status_code == 202
    assert [one["summary"] for one in own.json()["alarms"]] == ["queues fill up"]
    assert [one["summary"] for one in others.json()["alarms"]] == [f"{MARK} orders fail"]
    assert resolved.status_code == 404


async def test_metrics_of_ones_own_service_are_let_through(
    app: FastAPI, http: httpx.AsyncClient, acme: Acme
) -> None:
    """The same export that another organisation can't send: refused only for want of an intake."""
    act_as(app, ANN)

    answer = await http.post("/otlp/v1/metrics", json=BODIES["/otlp/v1/metrics"])

    assert (answer.status_code, answer.json()["code"]) == (409, "refused")
