"""How fast one token may ask: others aren't kept waiting by it, and stopping is never limited."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tidegate.api.app import create_app
from tidegate.api.limits import MOST_REMEMBERED, RateLimit
from tidegate.testing.memory_world import MemoryWorld

URL = "http://127.0.0.1:7180"
ROOT = {"authorization": "Bearer a-token-for-tests", "tidegate-actor": "alice"}
BURST = 5


class Watch:
    """A clock that goes forward when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
async def limited(world: MemoryWorld, watch: Watch) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a server that lets each token ask twice a second, five times at once."""
    limit = RateLimit(per_second=2, burst=BURST, seconds=watch)
    app = create_app(world.outside, token="a-token-for-tests", version="0", limit=limit)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        yield client


async def a_token(client: httpx.AsyncClient) -> dict[str, str]:
    body = {"purpose": "x", "allows": ["read", "halt"]}
    made = await client.post("/v1/tokens", json=body, headers=ROOT)
    return {"authorization": f"Bearer {made.json()['secret']}"}


async def asked(
    client: httpx.AsyncClient, headers: dict[str, str], times: int = BURST + 1
) -> list[int]:
    return [(await client.get("/v1/whoami", headers=headers)).status_code for _ in range(times)]


async def test_too_much_at_once_is_told_when_to_come_back(
    limited: httpx.AsyncClient, watch: Watch
) -> None:
    """Five at once, then one every half second; the answer says so."""
    alice = await a_token(limited)

    at_once = await asked(limited, alice)
    refused = await limited.get("/v1/whoami", headers=alice)
    watch.now += 0.49
    early = await asked(limited, alice, times=1)
    watch.now += 0.02
    later = await asked(limited, alice, times=2)

    assert at_once == [200] * BURST + [429]
    assert refused.json()["code"] == "rate_limited"
    assert refused.json()["retryable"] is True
    assert refused.headers["retry-after"] == "1"
    assert early == [429]
    assert later == [200, 429]


async def test_one_token_keeps_no_other_waiting(limited: httpx.AsyncClient) -> None:
    """Each has its own measure, the server's own too."""
    alice, bob = await a_token(limited), await a_token(limited)
    await asked(limited, alice, times=20)

    assert await asked(limited, bob) == [200] * BURST + [429]
    assert (await limited.get("/v1/whoami", headers=ROOT)).status_code == 200


async def test_stopping_is_never_limited(limited: httpx.AsyncClient, world: MemoryWorld) -> None:
    """With an empty bucket, a hundred times; nor is saying that something is wrong."""
    rollout = await world.installed()
    await asked(limited, ROOT, times=BURST)

    halts = [
        await limited.post("/v1/stops", json={"scope": "everything"}, headers=ROOT)
        for _ in range(50)
    ]
    halts += [
        await limited.post(f"/v1/rollouts/{rollout.id}/halt", json={}, headers=ROOT)
        for _ in range(50)
    ]
    report = await limited.post("/v1/alarms", json={}, headers=ROOT)
    read = await limited.get("/v1/stops", headers=ROOT)

    assert not [one for one in halts if one.status_code == 429]
    assert {one.status_code for one in halts[:50]} == {201}
    assert report.status_code != 429
    assert read.status_code == 429


async def test_strangers_are_limited_by_where_they_come_from(limited: httpx.AsyncClient) -> None:
    """Logging in is open, and still nobody begins a thousand logins; a wrong token stays a 401."""
    begun = [(await limited.post("/v1/login/begin", json={})).status_code for _ in range(BURST + 1)]
    wrong = await asked(limited, {"authorization": "Bearer wrong"}, times=20)
    health = [(await limited.get("/healthz")).status_code for _ in range(20)]

    assert begun == [422] * BURST + [429]
    assert wrong == [401] * 20
    assert health == [200] * 20


def test_what_is_remembered_is_bounded(watch: Watch) -> None:
    """Many tokens don't fill the memory; those that ask stay limited."""
    limit = RateLimit(per_second=1, burst=1, seconds=watch)
    limit.wait_seconds("first")
    for number in range(MOST_REMEMBERED + 10):
        limit.wait_seconds(f"{number}")
        limit.wait_seconds("busy")

    assert len(limit._buckets) == MOST_REMEMBERED
    assert limit.wait_seconds("busy") == 1
    assert limit.wait_seconds("first") == 0


@pytest.mark.parametrize(("per_second", "burst"), [(0, 1), (-1, 1), (float("nan"), 1), (1, 0)])
def test_a_limit_that_lets_none_in_cannot_be_made(per_second: float, burst: int) -> None:
    """It would lock everyone out."""
    with pytest.raises(ValueError, match="lets none in"):
        RateLimit(per_second=per_second, burst=burst, seconds=Watch())
