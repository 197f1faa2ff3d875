"""Who is let through: token, host, size; on every operation and whatever the spelling of its path."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tidegate.api.access import PERMISSION
from tidegate.api.app import create_app
from tidegate.api.guard import MAX_BODY_BYTES
from tidegate.domain.access.permissions import Permission
from tidegate.testing.memory_world import MemoryWorld

METHODS = {"get", "post", "put", "patch", "delete"}
OPEN = {("get", "/healthz")}
LOGINS = {("post", "/v1/login/begin"), ("post", "/v1/login/finish"), ("post", "/v1/logout")}
"""Open too: they make somebody known and give them nothing."""


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield method, path, operation


@pytest.fixture
def document(world: MemoryWorld) -> dict[str, Any]:
    return create_app(world.outside, token="t", version="0").openapi()


def test_every_operation_says_which_permission_it_needs(document: dict[str, Any]) -> None:
    """A route without a permission can't be released; only the listed ones are open."""
    known = {permission.value for permission in Permission}

    said = {(m, p): operation.get(PERMISSION) for m, p, operation in operations(document)}

    assert len(said) >= 15
    assert set(said.values()) <= known
    assert {place for place, needs in said.items() if needs == "public"} == OPEN
    assert {place for place, needs in said.items() if needs == "login"} == LOGINS


def test_every_mutation_needs_more_than_reading(document: dict[str, Any]) -> None:
    """What starts or changes something isn't covered by the permission to read; looking again is."""
    mutations = {
        path: operation[PERMISSION]
        for method, path, operation in operations(document)
        if method != "get"
    }

    reads = {path for path, needs in mutations.items() if needs == "read"}

    assert reads == {"/v1/decisions/{number}/replay", "/v1/services/{name}/health/test"}


def test_every_operation_declares_its_errors_as_problems(document: dict[str, Any]) -> None:
    """Each error answer of each operation is a problem document, and 401, 422 and 500 are declared."""
    for method, path, operation in operations(document):
        answers = operation["responses"]
        errors = {status: answer for status, answer in answers.items() if int(status) >= 400}
        assert {"401", "422", "500"} <= set(errors), f"{method} {path}"
        for status, answer in errors.items():
            assert list(answer["content"]) == ["application/problem+json"], (path, status)
            schema = answer["content"]["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}
    assert "Problem" in document["components"]["schemas"]


async def test_no_operation_answers_without_the_token(
    stranger: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    """Every operation but the open ones is 401 without a token, with a wrong one, and as Basic."""
    for method, path, _ in operations(document):
        url = path.replace("{rollout}", "x").replace("{number}", "1").replace("{name}", "x")
        for header in (None, "Bearer wrong", "Basic a-token-for-tests", "Bearer", "Bearer \xe9"):
            headers = {} if header is None else {"authorization": header.encode("latin-1")}
            answer = await stranger.request(method, url, headers=headers, content=b"{not json")
            if (method, path) in OPEN:
                assert answer.status_code == 200
            elif (method, path) in LOGINS:
                # Nobody is logged in by nothing: not JSON, or no session that could end.
                assert answer.status_code in (401, 422)
            else:
                assert answer.status_code == 401, (method, path, header)
                assert answer.json()["code"] == "not_allowed"
                assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/rollouts/",
        "//v1/rollouts",
        "/v1/../v1/rollouts",
        "/healthz/../v1/rollouts",
        "/healthz/v1/rollouts",
        "/v1/rollouts;/healthz",
        "/v1/rollouts%2f..%2fhealthz",
        "/V1/rollouts",
    ],
)
async def test_no_spelling_of_a_path_gets_around_the_token(
    stranger: httpx.AsyncClient, path: str
) -> None:
    """Odd spellings are refused or not found; none gives data."""
    answer = await stranger.request("GET", stranger.base_url.copy_with(raw_path=path.encode()))

    assert answer.status_code in (401, 404)
    assert "rollouts" not in answer.json()


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:7180", "127.0.0.1.evil.example", "[::2]", "", "localhost.", "0"],
)
async def test_a_foreign_host_name_is_refused(client: httpx.AsyncClient, host: str) -> None:
    """A page elsewhere that points its name to this machine gets nothing, not even with the token."""
    answer = await client.get("/v1/rollouts", headers={"host": host})

    assert answer.status_code == 421
    assert answer.json()["code"] == "request.invalid"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:1", "localhost:7180", "[::1]:80", "[::1]"]
)
async def test_the_names_of_this_machine_are_its_own(client: httpx.AsyncClient, host: str) -> None:
    """Every loopback name works, with any port."""
    answer = await client.get("/v1/rollouts", headers={"host": host})

    assert answer.status_code == 200


async def test_a_large_body_is_refused_told_or_not(client: httpx.AsyncClient) -> None:
    """Neither an honest length nor a body in pieces gets more than the cap through."""

    async def pieces():  # type: ignore[no-untyped-def]
        for _ in range(MAX_BODY_BYTES // 65536 + 1):
            yield b"x" * 65536

    told = await client.post("/v1/plans", content=b"x" * (MAX_BODY_BYTES + 1))
    untold = await client.post("/v1/plans", content=pieces())

    assert told.status_code == untold.status_code == 413
    assert told.json()["title"]


@pytest.mark.parametrize("actor", ["tidegate", "a b", "x" * 65, "<script>", ""])
async def test_an_actor_that_isnt_plain_or_is_the_engine_is_refused(
    client: httpx.AsyncClient, world: MemoryWorld, actor: str
) -> None:
    """Nobody acts under the engine's name, and a name is fit for a log line."""
    rollout = await world.start("1.0.0")

    answer = await client.post(
        f"/v1/rollouts/{rollout.id}/halt", json={}, headers={"tidegate-actor": actor}
    )

    assert answer.status_code == 422


async def test_nothing_is_allowed_to_pages_of_other_origins(client: httpx.AsyncClient) -> None:
    """No answer carries a CORS header, and a preflight is not answered."""
    read = await client.get("/v1/rollouts", headers={"origin": "https://evil.example"})
    preflight = await client.options(
        "/v1/rollouts",
        headers={"origin": "https://evil.example", "access-control-request-method": "POST"},
    )

    assert not [name for name in read.headers if name.startswith("access-control")]
    assert preflight.status_code == 405


async def test_answers_arent_kept_or_guessed_at(client: httpx.AsyncClient) -> None:
    """No cache keeps an answer, and no browser takes it for something else."""
    answer = await client.get("/v1/rollouts")

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_empty_token_makes_no_application(world: MemoryWorld) -> None:
    """A server can't be opened to everyone by an empty token file."""
    with pytest.raises(ValueError, match="empty"):
        create_app(world.outside, token="", version="0")


async def test_secrets_of_a_service_are_in_no_answer(
    client: httpx.AsyncClient, world: MemoryWorld
) -> None:
    """A value of `env` comes back from no read, whatever is asked; the token neither."""
    rollout = await world.installed()
    second = await world.start("1.1.0")
    paths = [
        "/v1/services",
        "/v1/services/shop",
        "/v1/rollouts",
        f"/v1/rollouts/{rollout.id}?observe=true",
        f"/v1/rollouts/{second.id}/why",
        f"/v1/rollouts/{rollout.id}/evidence",
        f"/v1/rollouts/{rollout.id}/ledger",
        f"/v1/rollouts/{rollout.id}/events",
        "/v1/decisions/1",
        "/v1/decisions/3",
        "/v1/version",
    ]

    answers = [await client.get(path) for path in paths]

    assert [one.status_code for one in answers] == [200] * len(paths)
    for one in answers:
        assert "a-secret-of-the-shop" not in one.text
        assert "a-token-for-tests" not in one.text
    assert json.loads(answers[1].text)["document"]["components"][0]["settings"]["env"] == {
        "SHOP_PASSWORD": "(left out)"
    }
