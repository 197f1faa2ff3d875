"""Every way of saying no over HTTP has one shape."""

from contextlib import AbstractContextManager

import httpx
import pytest

from tidegate.api.app import create_app
from tidegate.errors import StoreError
from tidegate.ports.store import Transaction
from tidegate.testing.memory_world import MemoryWorld, the_shop

FIELDS = {"type", "title", "status", "code", "detail", "hint", "retryable"}


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == FIELDS
    assert (body["status"], body["code"]) == (status, code)
    assert all(body[field] for field in FIELDS - {"retryable"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"service": 1, "change": {"code": "1"}}',
        b'{"service": "shop"}',
        b'{"service": "shop", "change": {}}',
        b'{"service": "shop", "change": {"code": null}}',
        b'{"service": "shop", "change": {"code": "1"}, "surprise": 1}',
        b"[" * 200_000,
        b'{"service": ' + b'{"a":' * 50_000,
        b"\xff\xfe\x00",
    ],
)
async def test_a_bad_body_is_told_and_harms_nobody(
    client: httpx.AsyncClient, world: MemoryWorld, body: bytes
) -> None:
    """Broken, deep or misshapen bodies get a problem, and the next request works as before."""
    rollout = await world.start("1.0.0")
    headers = {"content-type": "application/json"}

    answer = await client.post("/v1/rollouts", content=body, headers=headers)
    after = await client.get(f"/v1/rollouts/{rollout.id}")

    assert_problem(answer, 422, "request.malformed")
    assert after.status_code == 200


async def test_a_bad_document_lists_what_is_wrong(client: httpx.AsyncClient) -> None:
    """A resolved document from outside is read as strictly as a file."""
    document = {**the_shop().canonical, "surprise": 1}

    answer = await client.post("/v1/plans", json={"service": document, "change": {"code": "1"}})

    assert_problem(answer, 422, "document.invalid")
    assert "surprise" in answer.json()["detail"]


async def test_a_number_that_is_none_is_no_document(client: httpx.AsyncClient) -> None:
    """Python reads `NaN` as JSON; what is made of the document doesn't."""
    headers = {"content-type": "application/json"}
    body = b'{"service": {"version": NaN}, "change": {"code": "1"}}'

    answer = await client.post("/v1/rollouts", content=body, headers=headers)

    assert_problem(answer, 422, "document.invalid")


async def test_an_unknown_place_and_method_are_problems(client: httpx.AsyncClient) -> None:
    """What no route takes is told in the same shape as everything else."""
    assert_problem(await client.get("/v2/rollouts"), 404, "not_found")
    assert_problem(await client.delete("/v1/rollouts"), 405, "request.invalid")


async def test_an_unknown_version_is_told(world: MemoryWorld, client: httpx.AsyncClient) -> None:
    """A version that can't be found starts nothing."""
    digest = "sha256:" + "0" * 64

    answer = await client.post(
        "/v1/rollouts",
        json={"service": the_shop().canonical, "change": {"code": f"1.0.0@{digest}"}},
    )

    assert_problem(answer, 422, "version.not_found")
    assert (await client.get("/v1/rollouts")).json()["rollouts"] == []


async def test_a_lab_target_is_refused_where_the_server_isnt_a_lab() -> None:
    """The author of a document can't lift production's rules on a server of production."""
    world = MemoryWorld(lab_allowed=False)
    app = create_app(world.outside, token="t", version="0")
    transport = httpx.ASGITransport(app=app)
    headers = {"authorization": "Bearer t"}

    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost", headers=headers
    ) as client:
        answer = await client.post(
            "/v1/rollouts", json={"service": the_shop().canonical, "change": {"code": "1.0.0"}}
        )

    assert_problem(answer, 409, "refused")


class BrokenStore:
    """A store that fails in the way it is told to."""

    def __init__(self, failure: Exception) -> None:
        self._failure = failure

    def begin(self, *, read_only: bool = False) -> AbstractContextManager[Transaction]:
        raise self._failure


async def ask_broken(failure: Exception, path: str) -> httpx.Response:
    world = MemoryWorld(store=BrokenStore(failure))  # type: ignore[arg-type]
    app = create_app(world.outside, token="t", version="0")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get(path, headers={"authorization": "Bearer t"})


async def test_a_store_that_fails_is_a_retryable_problem() -> None:
    """Callers learn that the same request may succeed later."""
    answer = await ask_broken(StoreError("disk full", hint="make room"), "/v1/rollouts")

    assert_problem(answer, 503, "store.failed")
    assert answer.json()["retryable"] is True


async def test_health_is_bad_without_a_store_and_tells_strangers_nothing() -> None:
    """An open answer holds no words of the error: they may name files and hosts."""
    answer = await ask_broken(StoreError("/var/lib/tidegate.db: no", hint="x"), "/healthz")

    assert_problem(answer, 503, "store.failed")
    assert "tidegate.db" not in answer.text


async def test_what_nobody_expected_is_told_without_its_words() -> None:
    """A failure of ours shows no value, path or trace."""
    answer = await ask_broken(RuntimeError("secret-detail at /srv/x.py"), "/v1/rollouts")

    assert_problem(answer, 500, "tidegate.error")
    assert "secret-detail" not in answer.text
    assert "Traceback" not in answer.text


async def test_a_body_that_is_no_text_is_refused_like_one_that_is_no_json(
    client: httpx.AsyncClient,
) -> None:
    """Bytes outside UTF-8 are the sender's mistake, answered as documented."""
    headers = {"content-type": "application/json"}

    answer = await client.post("/v1/alarms", content=b"\xff\xfe{", headers=headers)

    assert_problem(answer, 422, "request.malformed")
