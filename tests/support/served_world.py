"""A real server over an engine in memory, for tests of what talks to servers."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import uvicorn

from tidegate.api.admission import REFUSAL
from tidegate.api.app import create_app
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode, Rollout
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld

TOKEN: Final = "a-token-for-tests"
WITHIN_SECONDS: Final = 60.0
"""How long a server may take to start, end or do a piece of work on a busy machine."""

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Result:
    """What one call of the command line left."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Result]


class Server:
    """A server in a thread of its own. The world is touched in the server's loop only."""

    def __init__(self) -> None:
        self.world = MemoryWorld()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._app = create_app(self.world.outside, token=TOKEN, version="0.1.0")
        self.refuses_reads = False
        """Whether it is asked for too much: reads are refused as `admission` does."""
        self._polled = threading.Event()
        config = uvicorn.Config(
            self._noticing, interface="asgi3", log_config=None, lifespan="off", ws="none"
        )
        self._server = uvicorn.Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._began = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="server")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def start(self) -> None:
        self._thread.start()
        assert self._began.wait(WITHIN_SECONDS), "the server didn't start"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(WITHIN_SECONDS)
        self._listener.close()
        assert not self._thread.is_alive(), "the server didn't end"

    def do(self, work: Coroutine[Any, Any, Made]) -> Made:
        """Do *work* in the server's loop and return what it gives."""
        assert self._loop is not None, "start() waits for it"
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WITHIN_SECONDS)

    def installed(self) -> Rollout:
        """Install the shop's first version."""
        return self.do(self.world.installed())

    def started(self, version: str = "1.1.0", document: str = DOCUMENT) -> Rollout:
        """Start a rollout over an installed shop."""
        self.installed()
        return self.do(self.world.start(version, document=document))

    def baking(self, version: str = "1.1.0", document: str = DOCUMENT) -> Rollout:
        """Start a rollout and bring it to its first bake."""
        rollout = self.started(version, document)
        return self.run(rollout, State.BAKING)

    def awaiting_approval(self) -> Rollout:
        """Start a rollout and bring it to where it needs an approval."""
        rollout = self.started()
        work = self.world.run(
            rollout.id, until=lambda now: now.waiting_on.reason is ReasonCode.APPROVAL
        )
        return self.do(work)

    def run(self, rollout: Rollout, *states: State, **options: Any) -> Rollout:
        """Let time pass until the rollout is in one of *states*."""
        return self.do(self.world.run(rollout.id, until=states, **options))

    def turns(self, rollout: Rollout) -> Rollout:
        """Give turns without letting time pass."""
        return self.do(self.world.turns(rollout.id))

    def later(self, work: Callable[[], object]) -> threading.Thread:
        """Do *work* in a thread as soon as somebody waits for events."""

        def once_polled() -> None:
            assert self._polled.wait(WITHIN_SECONDS), "nobody waits for events"
            work()

        worker = threading.Thread(target=once_polled)
        worker.start()
        return worker

    async def _noticing(self, scope: Any, receive: Any, send: Any) -> None:
        """The application, and a note when a long poll has come."""
        if self.refuses_reads and scope["type"] == "http" and scope["method"] == "GET":
            await REFUSAL(scope, receive, send)
            return
        query = scope.get("query_string", b"").decode()
        if scope.get("path", "").endswith("/events") and "wait_seconds=0.000" not in query:
            self._polled.set()
        await self._app(scope, receive, send)

    def _serve(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            self._began.set()
            await self._server.serve(sockets=[self._listener])

        asyncio.run(serve())
