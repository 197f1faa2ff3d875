"""The witness that is reached by HTTP keeps the promises of all."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.documents.ledger.heads import head_text, read_head
from tidegate.drivers.egress.addresses import AddressKind, AddressPolicy
from tidegate.drivers.egress.client import EgressClient
from tidegate.drivers.egress.transport import EgressPolicy
from tidegate.drivers.witness.http import HttpWitness
from tidegate.drivers.witness.memory import MemoryWitness
from tidegate.errors import WitnessConflictError, WitnessError
from tidegate.testing.contracts.witness import WitnessContract, some_heads
from tidegate.testing.ports import free_port

NEAR = AddressPolicy(kinds=frozenset({AddressKind.LOOPBACK}))


def an_app(kept: MemoryWitness) -> Starlette:
    """Return a witness as somebody else may write one, in a few lines."""

    async def heads(request: Request) -> Response:
        if request.method == "GET":
            head = await kept.latest()
            return Response(status_code=404) if head is None else Response(head_text(head))
        try:
            await kept.keep([read_head(await request.body())])
        except WitnessConflictError:
            return Response(status_code=409)
        return Response(status_code=201)

    return Starlette(routes=[Route("/heads", heads, methods=["GET", "POST"])])


def asking(url: str, policy: AddressPolicy = NEAR) -> HttpWitness:
    return HttpWitness(url, EgressClient(EgressPolicy(addresses=policy, hosts=None, plain_to=None)))


class TestHttpWitness(WitnessContract):
    """See the contract."""

    @pytest.fixture
    async def url(self) -> AsyncIterator[str]:
        port = free_port()
        config = uvicorn.Config(
            an_app(MemoryWitness()), port=port, log_config=None, lifespan="off", ws="none"
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{port}/heads"
        server.should_exit = True
        await serving

    @pytest.fixture
    def witness(self, url: str) -> HttpWitness:
        return asking(url)

    @pytest.fixture
    def again(self, url: str) -> HttpWitness:
        return asking(url)

    async def test_one_inside_is_refused_unless_it_is_named(self, url: str) -> None:
        """The address of a witness is no way around what may be reached."""
        with pytest.raises(WitnessError, match="leads inside"):
            await asking(url, AddressPolicy()).keep(some_heads(1))

    async def test_whatever_else_it_answers_is_a_failure(self, url: str) -> None:
        """An error, and what is no head."""
        with pytest.raises(WitnessError, match="HTTP 404"):
            await asking(f"{url}/elsewhere").keep(some_heads(1))

    def test_its_name_holds_no_secret(self) -> None:
        """A query may be a token."""
        assert asking("https://w.example/heads?key=secret").name == "https://w.example/heads"
