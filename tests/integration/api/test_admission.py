"""How much is answered at once: what comes beyond is refused, and a stop never is."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from tidegate.api.admission import URGENT_MAY_WAIT, Admission, Places
from tidegate.api.app import ROUTERS, create_app
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.right_of_way import RightOfWay

URL = "http://127.0.0.1:7180"
STOPS = (
    ("POST", "/v1/rollouts/r-1/halt"),
    ("POST", "/v1/stops"),
    ("POST", "/v1/alarms"),
    ("POST", "/hooks/pager/alarms"),
    ("POST", "/hooks/pager/alertmanager"),
)


class Slow:
    """An application whose answers wait until they are let go."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.let_go = asyncio.Event()
        self.changed = asyncio.Condition()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self.changed:
            self.begun.append(scope["path"])
            self.changed.notify_all()
        await self.let_go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def has_begun(self, count: int) -> None:
        """Wait until *count* requests have come through."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.begun) >= count)


def behind_a_door(app: Slow, places: Places) -> Admission:
    """Return *app* behind a door of its own."""
    return Admission(app, places=places, routers=ROUTERS, way=RightOfWay())


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
async def full(slow: Slow) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a server with one request at work, one in the line, and one that lasts."""
    admission = behind_a_door(slow, Places(working=1, waiting=1, lasting=1))
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(app=admission), base_url=URL) as client,
        asyncio.TaskGroup() as asking,
    ):
        asking.create_task(client.get("/v1/rollouts"))
        await slow.has_begun(1)
        asking.create_task(client.get("/v1/services"))
        asking.create_task(client.get("/v1/rollouts/r-1/events"))
        await slow.has_begun(2)
        yield client
        slow.let_go.set()


async def test_what_comes_beyond_is_told_when_to_come_back(
    full: httpx.AsyncClient, slow: Slow
) -> None:
    """A read is refused at once, with a problem that says what to do, and reaches no route."""
    answer = await full.get("/v1/rollouts")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    problem = answer.json()
    assert problem["code"] == "server.overloaded"
    assert problem["retryable"] is True
    assert "halts" in problem["hint"]
    assert slow.begun == ["/v1/rollouts", "/v1/rollouts/r-1/events"]


async def test_no_more_may_wait_for_events_than_have_a_place(full: httpx.AsyncClient) -> None:
    """What lasts has places of its own; they end too, and nobody stands in a line for them."""
    assert (await full.get("/v1/rollouts/r-2/events")).status_code == 503


@pytest.mark.parametrize(("method", "path"), [*STOPS, ("GET", "/healthz")])
async def test_what_stops_needs_no_place(
    full: httpx.AsyncClient, slow: Slow, method: str, path: str
) -> None:
    """With every place taken a halt, an alarm and a look at the server's health come through."""
    asked = asyncio.create_task(full.request(method, path))
    await slow.has_begun(3)
    slow.let_go.set()

    assert (await asked).status_code == 200
    assert path in slow.begun


async def test_the_page_that_people_stop_from_has_a_place(
    full: httpx.AsyncClient, slow: Slow
) -> None:
    """With every other place taken it is shown, to as many as its own line is long."""
    asked = [asyncio.create_task(full.get("/emergency")) for _ in range(1 + URGENT_MAY_WAIT)]
    await slow.has_begun(3)
    beyond = await full.get("/emergency")
    slow.let_go.set()

    assert [(await one).status_code for one in asked] == [200] * (1 + URGENT_MAY_WAIT)
    assert beyond.status_code == 503


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/stops"), ("POST", "/v1/rollouts/r-1/resume")]
)
async def test_what_lies_beside_a_stop_does(
    full: httpx.AsyncClient, method: str, path: str
) -> None:
    """Looking at stop orders, and letting go on, wait for a place like everything else."""
    assert (await full.request(method, path)).status_code == 503


async def test_a_place_is_given_back(full: httpx.AsyncClient, slow: Slow) -> None:
    """Once there is room again, what was refused is answered."""
    slow.let_go.set()
    await slow.has_begun(3)

    assert (await full.get("/v1/rollouts")).status_code == 200


async def test_nothing_is_begun_while_a_stop_is_under_way(slow: Slow) -> None:
    """A read that has its place still waits for a halt to be over."""
    admission = behind_a_door(slow, Places(working=2, waiting=1, lasting=1))
    transport = httpx.ASGITransport(app=admission)
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        halting = asyncio.create_task(client.post("/v1/rollouts/r-1/halt"))
        await slow.has_begun(1)
        reading = asyncio.create_task(client.get("/v1/rollouts"))
        for _ in range(20):
            await asyncio.sleep(0)
        begun_meanwhile = list(slow.begun)
        slow.let_go.set()

        assert (await halting).status_code == (await reading).status_code == 200
    assert begun_meanwhile == ["/v1/rollouts/r-1/halt"]


async def test_stops_without_end_shut_nobody_out(slow: Slow) -> None:
    """While one stop follows the other, a read is put off for a moment and no longer."""
    admission = behind_a_door(slow, Places(working=2, waiting=1, lasting=1))
    transport = httpx.ASGITransport(app=admission)
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        halting = asyncio.create_task(client.post("/v1/rollouts/r-1/halt"))
        reading = asyncio.create_task(client.get("/v1/rollouts"))
        await slow.has_begun(2)
        slow.let_go.set()
        await asyncio.gather(halting, reading)

    assert slow.begun == ["/v1/rollouts/r-1/halt", "/v1/rollouts"]


async def test_the_server_itself_refuses_so(world: MemoryWorld) -> None:
    """The application stands behind it: a halt is ruled on by its route, not by the door."""
    app = create_app(
        world.outside,
        token="a-token-for-tests",
        version="0",
        places=Places(working=1, waiting=1, lasting=1),
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=URL) as client:
        assert (await client.post("/v1/rollouts/r-1/halt", json={})).status_code == 401
        assert (await client.get("/v1/rollouts")).status_code == 401


async def test_a_refusal_comes_when_one_may_ask_again(full: httpx.AsyncClient) -> None:
    """Whoever asks again at once waits as long as they were told to: no connection can flood."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    refused = await full.get("/v1/rollouts")

    assert refused.status_code == 503
    assert loop.time() - began >= float(refused.headers["retry-after"]) - 0.05
