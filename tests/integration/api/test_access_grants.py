"""Access through HTTP, by callers who aren't the server's own."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpx
import pytest
from fastapi import FastAPI

from tidegate.api.access import caller_of
from tidegate.api.app import create_app
from tidegate.domain.access.model import Caller, CallerKind
from tidegate.testing.memory_world import MemoryWorld

TOKEN = "a-token-for-tests"


@pytest.fixture
def app(world: MemoryWorld) -> FastAPI:
    return create_app(world.outside, token=TOKEN, version="0.1.0")


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {TOKEN}", "tidegate-actor": "alice"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1:7180", headers=headers
    ) as client:
        yield client


@contextmanager
def as_person(app: FastAPI, name: str, organisation: str = "default") -> Iterator[None]:
    """Let every request be *name*'s, as somebody else vouches for."""
    caller = Caller(
        name=name,
        kind=CallerKind.PERSON,
        person=name,
        organisation=organisation,
        is_verified=True,
    )
    app.dependency_overrides[caller_of] = lambda: caller
    try:
        yield
    finally:
        del app.dependency_overrides[caller_of]


async def grant(http: httpx.AsyncClient, **said: object) -> httpx.Response:
    body = {"subject": "person:bob", "role": "viewer", "scope": "default", "reason": "new here"}
    return await http.post("/v1/access/grants", json={**body, **said})


async def test_a_grant_opens_what_it_says_from_the_next_request_on(
    world: MemoryWorld, app: FastAPI, http: httpx.AsyncClient
) -> None:
    """Halting by a viewer, going on by an operator, nothing by nobody."""
    await world.installed()
    rollout = await world.start("1.1.0")
    halt, resume = f"/v1/rollouts/{rollout.id}/halt", f"/v1/rollouts/{rollout.id}/resume"

    with as_person(app, "bob"):
        unknown = await http.post(halt, json={"reason": "x"})
    await grant(http)
    with as_person(app, "bob"):
        halted = await http.post(halt, json={"reason": "looks bad"})
        refused = await http.post(resume, json={"reason": "x"})
    made = await grant(http, role="operator", scope="default/default/lab")
    with as_person(app, "bob"):
        resumed = await http.post(resume, json={"reason": "looked at it"})

    assert unknown.status_code == 404
    assert halted.status_code == 202
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "isn't granted resume" in refused.json()["detail"]
    assert made.status_code == 201
    assert resumed.status_code == 202


async def test_a_revoked_grant_closes_from_the_next_request_on(
    world: MemoryWorld, app: FastAPI, http: httpx.AsyncClient
) -> None:
    """No session, cache or token keeps it alive."""
    await world.installed()
    rollout = await world.start("1.1.0")
    made = (await grant(http)).json()

    revoked = await http.post(
        f"/v1/access/grants/{made['id']}/revoke", json={"reason": "left the team"}
    )

    assert revoked.status_code == 200
    with as_person(app, "bob"):
        answer = await http.post(f"/v1/rollouts/{rollout.id}/halt", json={"reason": "x"})
    assert answer.status_code == 404


async def test_an_administrator_cant_make_themselves_more(
    app: FastAPI, http: httpx.AsyncClient
) -> None:
    """Neither directly, nor by making somebody else what they aren't."""
    await grant(http, role="administrator")

    with as_person(app, "bob"):
        own = await grant(http, role="approver", scope="default/default/production")
        others = await grant(
            http, subject="person:eve", role="approver", scope="default/default/production"
        )
        viewer = await grant(http, subject="person:eve")

    assert (own.status_code, others.status_code, viewer.status_code) == (403, 403, 201)


async def test_grants_of_another_organisation_dont_exist(
    app: FastAPI, http: httpx.AsyncClient
) -> None:
    """Neither in the list nor by their id."""
    made = (await grant(http)).json()
    await grant(http, subject="person:eve", role="administrator", scope="umbrella")

    with as_person(app, "eve", "umbrella"):
        listed = await http.get("/v1/access/grants")
        revoked = await http.post(
            f"/v1/access/grants/{made['id']}/revoke", json={"reason": "mine now"}
        )
        missing = await http.post("/v1/access/grants/g-none/revoke", json={"reason": "x"})

    assert [one["subject"] for one in listed.json()["grants"]] == ["person:eve"]
    assert revoked.status_code == missing.status_code == 404
    assert revoked.json()["detail"].replace(made["id"], "g-none") == missing.json()["detail"]


async def test_a_check_answers_for_whoever_asks(
    world: MemoryWorld, app: FastAPI, http: httpx.AsyncClient
) -> None:
    """With the reason, and with who may."""
    await world.installed()
    await grant(http)
    await grant(http, subject="group:sre", role="operator", scope="default/default/lab")

    with as_person(app, "bob"):
        own = await http.get("/v1/access/check?permission=resume&service=shop")
        halting = await http.get("/v1/access/check?permission=halt")
    with as_person(app, "eve"):
        stranger = await http.get("/v1/access/check?permission=resume&service=shop")

    assert own.json() == {
        "caller": "bob",
        "permission": "resume",
        "on": ["default/default/lab/eu"],
        "is_allowed": False,
        "because": "bob isn't granted resume on default/default/lab/eu",
        "granted_to": ["group:sre"],
    }
    assert halting.json()["is_allowed"] is True
    assert stranger.status_code == 404


async def test_the_roles_are_published(http: httpx.AsyncClient) -> None:
    """With what each brings and what its deny takes away."""
    roles = {one["name"]: one for one in (await http.get("/v1/access/roles")).json()["roles"]}

    assert len(roles) == 9
    assert roles["viewer"]["permissions"] == ["read", "halt", "alarm"]
    assert roles["operator"]["denies"] == [
        "propose", "start", "resume", "rollback", "abandon", "freeze", "except",
        "postmortem.edit",
    ]  # fmt: skip
