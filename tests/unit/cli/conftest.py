"""The command line against a real server over an engine in memory, on a free port of loopback."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from tidegate.api.app import create_app
from tidegate.cli.app import run
from tidegate.domain.rollout.model import Rollout
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld

TOKEN = "a-token-for-tests"
STARTS_WITHIN_SECONDS = 30.0


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
        app = create_app(self.world.outside, token=TOKEN, version="0.1.0")
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._serve, name="server")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def start(self) -> None:
        self._thread.start()
        with socket.create_connection(self._listener.getsockname(), STARTS_WITHIN_SECONDS):
            pass

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(STARTS_WITHIN_SECONDS)
        self._listener.close()
        assert not self._thread.is_alive(), "the server didn't end"

    def __call__(self, work: Coroutine[Any, Any, Rollout]) -> Rollout:
        """Do *work* in the server's loop and return what it gives."""
        assert self._loop is not None, "start() waits for it"
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(STARTS_WITHIN_SECONDS)

    def _serve(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await self._server.serve(sockets=[self._listener])

        asyncio.run(serve())


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the present one, with nothing of this machine's user in reach."""
    for name in ("URL", "TOKEN", "SERVICE", "LISTEN_HOST", "LISTEN_PORT"):
        monkeypatch.delenv(f"TIDEGATE_{name}", raising=False)
    state = tmp_path / "state"
    state.mkdir()
    monkeypatch.setenv("TIDEGATE_STATE_DIR", str(state))
    monkeypatch.setenv("NO_COLOR", "1")
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def cli(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Return a function that calls the command line and gives its exit code and outputs."""

    def call(*arguments: str) -> Result:
        capsys.readouterr()
        code = run(arguments)
        captured = capsys.readouterr()
        return Result(code=code, out=captured.out, err=captured.err)

    return call


@pytest.fixture
def server(elsewhere: Path) -> Iterator[Server]:
    """Return a server that has left its address and token where the command line looks."""
    running = Server()
    running.start()
    state = elsewhere.parent / "state"
    (state / "server.json").write_text(json.dumps({"url": running.url, "pid": 1}))
    (state / "token").write_text(f"{TOKEN}\n")
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def shop(elsewhere: Path) -> Path:
    """Return the shop's tidegate.yaml, in the present folder."""
    path = elsewhere / "tidegate.yaml"
    path.write_text(DOCUMENT)
    return path
